import type { JsonObject } from '@countersign/contracts';
import type { ApiKeyRecord, CallerStore } from '@countersign/core/ports';
import { canonicalJson } from '@countersign/core/request';
import { type Administrator, detailsOf, type KeyAdministration, leafOf, revokeKey } from '../administer-keys.js';
import { makeApiKey } from '../api-keys.js';
import { IdentityError } from '../errors.js';
import { bindingOf, type TrustRule } from './trust-rule.js';

/** Why a caller of a rule that is gone was revoked. */
const GONE = 'its rule is not in the trust file any more';

export interface TrustApplied {
  created: string[];
  changed: string[];
  revoked: string[];
  /** Their callers were revoked by somebody, and the rule is still the same: they stay so. */
  stay_revoked: string[];
}

/**
 * Makes the callers of the rules what the file says: new ones are made, changed ones changed, those without a rule revoked. What somebody
 * revoked stays revoked until its rule is another. Of processes that start at once with the same file each does the same.
 * @throws IdentityError `trust_invalid` where an owner is not known
 */
export async function applyTrust(
  deps: KeyAdministration & { callers: Pick<CallerStore, 'list'> },
  { tenant, file, publicUrl }: { tenant: string; file: string; publicUrl: string },
  rules: readonly TrustRule[],
): Promise<TrustApplied> {
  const who: Administrator = { tenant, by: file, via: 'file' };
  const known = await everyWorkload(deps.callers, tenant);
  const applied: TrustApplied = { created: [], changed: [], revoked: [], stay_revoked: [] };
  const owners = await ownersOf(deps, tenant, rules, file);
  for (const rule of rules) {
    const wanted = {
      owner: owners.get(rule.owner) ?? rule.owner,
      rights: rule.rights,
      networks: rule.networks,
      // Plain data, every member of it JSON.
      binding: bindingOf(rule, publicUrl) as unknown as JsonObject,
    };
    const ofName = known.filter(({ name }) => name === rule.caller);
    const live = ofName.find(({ revoked_at }) => revoked_at === null);
    const last = ofName[0];
    if (live === undefined && last !== undefined && last.revoked_reason !== GONE && last.binding?.['digest'] === wanted.binding['digest'])
      applied.stay_revoked.push(rule.caller);
    else if (live === undefined) {
      const { record } = await makeApiKey(deps, { tenant, name: rule.caller, owner: wanted.owner, rights: wanted.rights });
      const key: ApiKeyRecord = { ...record, ...wanted, kind: 'workload' };
      await deps.callers.create(key, await leafOf(deps, who, 'api_key.created', key, { kind: 'workload' }, detailsOf(key)));
      applied.created.push(rule.caller);
    } else if (differs(live, wanted)) {
      const members = (['owner', 'rights', 'networks', 'binding'] as const).filter((member) => textOf(live[member]) !== textOf(wanted[member]));
      await deps.callers.change(tenant, live.id, wanted, await leafOf(deps, who, 'api_key.changed', live, { members }, detailsOf({ ...live, ...wanted })));
      applied.changed.push(rule.caller);
    }
  }
  for (const caller of known) {
    if (caller.revoked_at !== null || rules.some((rule) => rule.caller === caller.name)) continue;
    // What it left waiting, the sweep ends.
    await revokeKey(deps, null, who, caller.id, GONE);
    applied.revoked.push(caller.name);
  }
  return applied;
}

/** Newest first. */
async function everyWorkload(callers: Pick<CallerStore, 'list'>, tenant: string): Promise<ApiKeyRecord[]> {
  const found: ApiKeyRecord[] = [];
  for (;;) {
    const last = found.at(-1);
    const page = await callers.list(tenant, {
      kind: 'workload',
      limit: 200,
      ...(last === undefined ? {} : { before: { created_at: last.created_at, id: last.id } }),
    });
    found.push(...page);
    if (page.length < 200) return found;
  }
}

async function ownersOf(deps: KeyAdministration, tenant: string, rules: readonly TrustRule[], file: string): Promise<Map<string, string>> {
  const refs = [...new Set(rules.map(({ owner }) => owner))];
  const people = refs.length === 0 ? [] : await deps.directory.people(tenant, refs);
  const owners = new Map<string, string>();
  const unknown: string[] = [];
  for (const ref of refs) {
    const person = people.find(({ id, email }) => id === ref || email.toLowerCase() === ref.toLowerCase());
    if (person === undefined) unknown.push(ref);
    else owners.set(ref, person.id);
  }
  if (unknown.length > 0)
    throw new IdentityError('trust_invalid', `The trust file ${file} names owners whom the directory does not know: ${unknown.join(', ')}.`);
  return owners;
}

const textOf = (value: unknown): string => canonicalJson(value ?? null);

function differs(live: ApiKeyRecord, wanted: Pick<ApiKeyRecord, 'owner' | 'rights' | 'networks' | 'binding'>): boolean {
  return (['owner', 'rights', 'networks', 'binding'] as const).some((member) => textOf(live[member]) !== textOf(wanted[member]));
}
