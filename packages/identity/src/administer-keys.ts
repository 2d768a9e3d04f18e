import type { ApiKeyBody, ApiKeyPatch, ApiKeyView, EventName, JsonObject } from '@countersign/contracts';
import { loneLeaf, revokedReason, voidRequestsOf, type VoidingDeps } from '@countersign/core/flow';
import type { ApiKeyRecord, CallerStore, Clock, DirectoryStore, Entropy, LeafRecord, Sealer } from '@countersign/core/ports';
import { type Instant, utf8 } from '@countersign/core/request';
import { isKeyLive, makeApiKey, makeWebhookSecret, secretContext } from './api-keys.js';
import { isNetwork } from './caller-networks.js';
import { makeToken } from './secret-token.js';

/* API keys as administrators make, change, rotate and revoke them, by the API or at the installation's own terminal. */

export interface KeyAdministration {
  callers: Pick<CallerStore, 'create' | 'get' | 'change' | 'rotate' | 'revoke'>;
  directory: Pick<DirectoryStore, 'people'>;
  clock: Clock;
  entropy: Entropy;
  sealer: Sealer;
}

/** Who does it: a person's id by the API, an account of the machine at the terminal, a file by its name. */
export interface Administrator {
  tenant: string;
  by: string;
  via: 'api' | 'cli' | 'file';
}

export interface KeyProblem {
  kind: 'invalid';
  errors: { pointer: string; detail: string }[];
}
const UNKNOWN = { kind: 'unknown' } as const;

/** Makes a key. What is returned beside the record is shown once. */
export async function createKey(
  deps: KeyAdministration,
  who: Administrator,
  body: ApiKeyBody,
): Promise<{ kind: 'created'; record: ApiKeyRecord; key: string | null; webhook_secret: string } | KeyProblem> {
  const owner = await ownerOf(deps, who.tenant, body.owner);
  const errors = [...owner.errors, ...faultsOf(deps, body)];
  if (errors.length > 0 || owner.id === null) return { kind: 'invalid', errors };
  const made = await makeApiKey(deps, {
    tenant: who.tenant,
    name: body.name,
    owner: owner.id,
    rights: body.rights,
    ...(body.expires_at === undefined ? {} : { expires_at: body.expires_at }),
  });
  const { certificate } = body;
  const record: ApiKeyRecord = {
    ...made.record,
    networks: body.networks,
    // Of a certificate's caller nobody is told the secret: the hash stands for none that exists anywhere.
    ...(certificate === undefined ? {} : { kind: 'certificate', binding: certificate }),
  };
  await deps.callers.create(record, await leafOf(deps, who, 'api_key.created', record, { kind: record.kind ?? 'secret' }, detailsOf(record)));
  return { kind: 'created', record: { ...record, owner_active: true }, key: certificate === undefined ? made.key : null, webhook_secret: made.webhook_secret };
}

export async function changeKey(
  deps: KeyAdministration,
  who: Administrator,
  id: string,
  patch: ApiKeyPatch,
): Promise<{ kind: 'changed'; record: ApiKeyRecord } | { kind: 'unknown' } | KeyProblem> {
  const before = await deps.callers.get(who.tenant, id);
  if (before === null || before.revoked_at !== null) return UNKNOWN;
  if (before.kind === 'workload') return { kind: 'invalid', errors: [{ pointer: '', detail: 'the trust file says what this caller may do: change it there' }] };
  const owner = patch.owner === undefined ? null : await ownerOf(deps, who.tenant, patch.owner);
  const errors = [...(owner?.errors ?? []), ...faultsOf(deps, patch)];
  if (errors.length > 0) return { kind: 'invalid', errors };
  const { name, rights, networks, expires_at } = patch;
  const change = {
    ...(name === undefined ? {} : { name }),
    ...(rights === undefined ? {} : { rights }),
    ...(networks === undefined ? {} : { networks }),
    ...(expires_at === undefined ? {} : { expires_at }),
    ...(owner?.id == null ? {} : { owner: owner.id }),
  };
  const leaf = await leafOf(deps, who, 'api_key.changed', before, { members: Object.keys(change).toSorted() }, detailsOf({ ...before, ...change }));
  const record = await deps.callers.change(who.tenant, id, change, leaf);
  return record === null ? UNKNOWN : { kind: 'changed', record };
}

/** A new secret, shown once; the one before counts for the overlap. A certificate or a workload has no secret: of it the webhook secret alone is rotated. */
export async function rotateKey(
  deps: KeyAdministration,
  who: Administrator,
  id: string,
  { overlap_seconds, webhook_secret }: { overlap_seconds: number; webhook_secret: boolean },
): Promise<{ kind: 'rotated'; record: ApiKeyRecord; key: string | null; webhook_secret: string | null } | { kind: 'unknown' }> {
  const before = await deps.callers.get(who.tenant, id);
  if (before === null || before.revoked_at !== null) return UNKNOWN;
  const token = makeToken('key', deps.entropy);
  const hasSecret = (before.kind ?? 'secret') === 'secret';
  const secret = webhook_secret || !hasSecret ? makeWebhookSecret(deps.entropy) : null;
  const leaf = await leafOf(
    deps,
    who,
    'api_key.rotated',
    before,
    { overlap_seconds, webhook_secret: secret !== null },
    { prefix: hasSecret ? token.prefix : null },
  );
  const record = await deps.callers.rotate(
    who.tenant,
    id,
    {
      hash: token.hash,
      prefix: hasSecret ? token.prefix : before.prefix,
      sealed_webhook_secret: secret === null ? null : await deps.sealer.seal(secretContext(who.tenant, id), utf8(secret)),
      overlap_seconds,
    },
    leaf,
  );
  return record === null ? UNKNOWN : { kind: 'rotated', record, key: hasSecret ? token.text : null, webhook_secret: secret };
}

/**
 * Revokes a key: from its commit on it opens, is given and redeems nothing, and nothing that it asked for is approved or redeemed. Then ends
 * what waits, each with its callback. What a crash leaves of that, the sweep ends.
 */
export async function revokeKey(
  deps: KeyAdministration,
  voiding: VoidingDeps | null,
  who: Administrator,
  id: string,
  reason: string,
): Promise<{ kind: 'revoked'; record: ApiKeyRecord; voided: number } | { kind: 'unknown' }> {
  const before = await deps.callers.get(who.tenant, id);
  if (before === null || before.revoked_at !== null) return UNKNOWN;
  const record = await deps.callers.revoke(who.tenant, id, reason, await leafOf(deps, who, 'api_key.revoked', before, {}, { reason }));
  if (record === null) return UNKNOWN;
  return { kind: 'revoked', record, voided: voiding === null ? 0 : await voidRequestsOf(voiding, record, revokedReason(record.name, reason)) };
}

/** A key as answers show it: no secret, no hash. */
export function keyView(key: ApiKeyRecord, now: Instant): ApiKeyView {
  const kind = key.kind ?? 'secret';
  return {
    id: key.id,
    kind,
    name: key.name,
    owner: key.owner,
    owner_active: key.owner_active !== false,
    prefix: kind === 'secret' ? key.prefix : null,
    rights: key.rights,
    networks: key.networks ?? [],
    status: key.revoked_at !== null ? 'revoked' : !isKeyLive(key, now) ? 'expired' : key.owner_active === false ? 'owner_inactive' : 'active',
    created_at: key.created_at,
    expires_at: key.expires_at,
    last_used_at: key.last_used_at ?? null,
    previous_until: key.previous_until != null && key.previous_until > now ? key.previous_until : null,
    revoked_at: key.revoked_at,
    revoked_reason: key.revoked_reason ?? null,
    binding: key.binding ?? null,
  };
}

/** The ledger's entry of a change of a caller; its subject is the key. */
export function leafOf(
  deps: Pick<KeyAdministration, 'clock' | 'entropy' | 'sealer'>,
  { tenant, by, via }: Administrator,
  event: EventName,
  key: Pick<ApiKeyRecord, 'id'>,
  facts: JsonObject,
  details: JsonObject,
): Promise<LeafRecord> {
  return loneLeaf(deps, { tenant, event, subject: key.id, at: deps.clock.now(), facts: { ...facts, via }, details: { by, ...details } });
}

/** What the ledger keeps of a key: all that says who it is and what it may, and nothing that lets anybody be it. */
export function detailsOf({ name, owner, rights, networks = [], expires_at, prefix, binding = null }: ApiKeyRecord): JsonObject {
  // KeyRights are JSON; absent members are left out by the spread.
  return { name, owner, rights: { ...rights } as unknown as JsonObject, networks, expires_at, prefix, binding };
}

/** An active person, by id or address. */
async function ownerOf(deps: KeyAdministration, tenant: string, ref: string): Promise<{ id: string | null; errors: KeyProblem['errors'] }> {
  const found = await deps.directory.people(tenant, [ref]);
  const person = found.find(({ id, email }) => id === ref || email.toLowerCase() === ref.toLowerCase());
  if (person?.active === true) return { id: person.id, errors: [] };
  const detail = person === undefined ? 'the directory knows nobody by it' : 'is not active in the directory';
  return { id: null, errors: [{ pointer: '/owner', detail }] };
}

function faultsOf(deps: KeyAdministration, { networks = [], expires_at }: Pick<ApiKeyPatch, 'networks' | 'expires_at'>): KeyProblem['errors'] {
  const now = deps.clock.now();
  return [
    ...networks.flatMap((network, index) => (isNetwork(network) ? [] : [{ pointer: `/networks/${index}`, detail: 'is no address and no CIDR block' }])),
    ...(expires_at != null && expires_at <= now ? [{ pointer: '/expires_at', detail: 'is over already' }] : []),
  ];
}
