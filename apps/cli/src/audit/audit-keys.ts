import type { JsonObject, JsonValue } from '@countersign/contracts';
import type { Sealer } from '@countersign/core/ports';
import { canonicalJson } from '@countersign/core/request';
import type { AuditSnapshot } from '@countersign/store';
import type { Finding } from './finding.js';
import { loneLeaves } from './lone-leaves.js';
import type { OpenedLeaf } from './request-leaves.js';

/** Callers against what the ledger says was made of them: whose they are, what they may name, and whether they were revoked. */
export async function auditKeys(snapshot: AuditSnapshot, tenant: string, sealer: Sealer | null): Promise<{ findings: Finding[]; api_keys: number }> {
  const keys = await snapshot.apiKeys(tenant);
  const { leaves, findings } = await loneLeaves(snapshot, tenant, ['api_key.created', 'api_key.changed', 'api_key.rotated', 'api_key.revoked'], sealer);
  const said = new Map<string, OpenedLeaf[]>();
  for (const leaf of leaves) said.set(leaf.subject, [...(said.get(leaf.subject) ?? []), leaf]);
  for (const key of keys) findings.push(...keyFaults(key, said.get(key.id) ?? []));
  const there = new Set(keys.map(({ id }) => id));
  for (const [id, of] of said)
    if (!there.has(id)) findings.push({ table: 'api_keys', row: id, column: null, problem: `is missing; ${of.at(-1)?.place} speaks of it` });
  return { findings, api_keys: keys.length };
}

type AuditedKey = Awaited<ReturnType<AuditSnapshot['apiKeys']>>[number];

function keyFaults(key: AuditedKey, said: readonly OpenedLeaf[]): Finding[] {
  const fault = (column: string | null, problem: string): Finding => ({ table: 'api_keys', row: key.id, column, problem });
  const state = said.findLast(({ event }) => event === 'api_key.created' || event === 'api_key.changed');
  if (state === undefined) return [fault(null, 'has no leaf: it was made behind the ledger, or before the ledger told of callers')];
  const revoked = said.some(({ event }) => event === 'api_key.revoked');
  const wrong =
    revoked === key.revoked
      ? []
      : [fault('revoked_at', `is ${key.revoked ? '' : 'not '}set, and the ledger says that the key was ${revoked ? '' : 'never '}revoked`)];
  if (state.details === null) return wrong;
  const { name, owner, networks, expires_at } = key;
  // Both are JSON as it was stored.
  const row: JsonObject = { name, owner, networks, expires_at, rights: key.rights as JsonObject, binding: key.binding as JsonObject | null };
  const rotated = said.findLast(({ event, details }) => event === 'api_key.rotated' && typeof details?.['prefix'] === 'string');
  const told: JsonObject = { ...state.details, prefix: rotated?.details?.['prefix'] ?? state.details['prefix'] ?? null };
  const compared: [string, JsonValue | undefined][] = [...Object.entries(row), ['prefix', key.prefix]];
  return [
    ...wrong,
    ...compared
      .filter(([column, value]) => canonicalJson(value ?? null) !== canonicalJson(told[column] ?? null))
      .map(([column]) => fault(column, `is not what ${state.place} (${state.event}) says`)),
  ];
}
