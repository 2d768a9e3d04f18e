import type { JsonObject } from '@countersign/contracts';
import type { CallerPatch, CallerRotation, CallerStore, ChatLinkStore, LeafRecord } from '../ports.js';
import type { ApiKeyRecord } from '../ports.js';
import { base64url, fromBase64url } from '../request/index.js';
import type { Appliers } from './config-change.js';
import { loneLeaf } from './lone-leaf.js';
import type { RecordWorld } from './directory/record.js';

/*
 * Changes of callers and of account links that wait for a second person. Of a caller the whole call of the store is prepared, its leaf with
 * it, and made once it is approved.
 */

/** Plain data with bytes, as JSON: bytes are base64url under `$bytes`. */
export function toPayload(value: object): JsonObject {
  const plain = (inner: unknown): unknown => {
    if (inner instanceof Uint8Array) return { $bytes: base64url(inner) };
    if (Array.isArray(inner)) return inner.map(plain);
    if (inner === null || typeof inner !== 'object') return inner;
    return Object.fromEntries(Object.entries(inner).flatMap(([name, member]) => (member === undefined ? [] : [[name, plain(member)]])));
  };
  // What JSON cannot say of plain data is bytes alone.
  return plain(value) as JsonObject;
}

/** What toPayload was given. Payloads are sealed by whoever proposes, and authenticated with their place: their shape is ours. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says what it gave
export function fromPayload<Value>(payload: JsonObject): Value {
  return JSON.parse(JSON.stringify(payload), (_name, value: { $bytes?: unknown } | null) =>
    value !== null && typeof value === 'object' && typeof value.$bytes === 'string' ? fromBase64url(value.$bytes) : value,
  ) as Value;
}

export type CallerCall =
  | { method: 'create'; key: ApiKeyRecord; leaf: LeafRecord }
  | { method: 'change'; id: string; patch: CallerPatch; leaf: LeafRecord }
  | { method: 'rotate'; id: string; rotation: CallerRotation; leaf: LeafRecord };

/** A store that remembers the one call that would be made, and makes none. */
export function preparedCallers(callers: Pick<CallerStore, 'get' | 'revoke'>): {
  callers: Pick<CallerStore, 'create' | 'get' | 'change' | 'rotate' | 'revoke'>;
  call(): CallerCall | null;
} {
  let prepared: CallerCall | null = null;
  return {
    call: () => prepared,
    callers: {
      get: (tenant, id) => callers.get(tenant, id),
      revoke: (tenant, id, reason, leaf) => callers.revoke(tenant, id, reason, leaf),
      create: async (key, leaf) => void (prepared = { method: 'create', key, leaf }),
      change: async (tenant, id, patch, leaf) => {
        prepared = { method: 'change', id, patch, leaf };
        return callers.get(tenant, id);
      },
      rotate: async (tenant, id, rotation, leaf) => {
        prepared = { method: 'rotate', id, rotation, leaf };
        return callers.get(tenant, id);
      },
    },
  };
}

/** Makes a prepared call. False where the key is not there any more. Repeated, it changes nothing more. */
export async function makeCall(callers: Pick<CallerStore, 'create' | 'get' | 'change' | 'rotate'>, tenant: string, call: CallerCall): Promise<boolean> {
  switch (call.method) {
    case 'create':
      await callers.create({ ...call.key, tenant }, call.leaf);
      return true;
    case 'change':
      return (await callers.change(tenant, call.id, call.patch, call.leaf)) !== null;
    case 'rotate': {
      const known = await callers.get(tenant, call.id);
      const done = known !== null && base64url(known.hash) === base64url(call.rotation.hash);
      return done || (await callers.rotate(tenant, call.id, call.rotation, call.leaf)) !== null;
    }
  }
}

/** An administrator's word on whose a chat account is. */
export interface NamedAccount {
  person_id: string;
  platform: 'slack' | 'teams';
  workspace: string;
  user: string;
}

/** Links the account, with its leaf. */
export async function nameAccount(
  world: RecordWorld & { chatLinks: Pick<ChatLinkStore, 'linkAccount'> },
  tenant: string,
  by: string,
  { person_id, platform, workspace, user }: NamedAccount,
): Promise<'linked' | 'taken' | 'second'> {
  const leaf = await loneLeaf(world, {
    tenant,
    event: 'account.linked',
    subject: person_id,
    at: world.clock.now(),
    facts: { kind: 'chat', platform, how: 'administrator' },
    details: { person: person_id, workspace, user, by },
  });
  return world.chatLinks.linkAccount({ tenant, platform, workspace, user, person_id, how: 'administrator' }, leaf);
}

/** How such changes are put into effect once they are approved. */
export function preparedAppliers(
  world: RecordWorld & {
    callers: Pick<CallerStore, 'create' | 'get' | 'change' | 'rotate'>;
    chatLinks: Pick<ChatLinkStore, 'linkAccount' | 'account'>;
  },
): Appliers {
  const caller: Appliers[string] = async ({ tenant, payload }) =>
    (await makeCall(world.callers, tenant, fromPayload<CallerCall>(payload)))
      ? { kind: 'applied' }
      : { kind: 'failed', detail: 'There is no such API key any more.' };
  return {
    'api_key.create': caller,
    'api_key.change': caller,
    'api_key.rotate': caller,
    'account.link': async ({ tenant, payload, proposed_by }) => {
      const named = fromPayload<NamedAccount>(payload);
      const known = await world.chatLinks.account({ tenant, ...named });
      if (known?.person.id === named.person_id) return { kind: 'applied' };
      const done = await nameAccount(world, tenant, proposed_by.id, named);
      return done === 'linked' ? { kind: 'applied' } : { kind: 'failed', detail: 'The account is linked to somebody by now.' };
    },
  };
}
