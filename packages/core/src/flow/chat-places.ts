import type { ChatPlaceView, PersonView } from '@countersign/contracts';
import type { Announcer, ChatPlaceStore, KnownPlace } from '../ports.js';
import type { Applier, Appliers } from './config-change.js';
import type { FlowDeps } from './deps.js';
import { loneLeaf } from './lone-leaf.js';

/**
 * Where cards may be posted. A platform learns by itself which conversations there are; whether a group or a channel gets cards is an
 * administrator's word, and a ledger entry, since it widens who sees them. A personal chat needs none.
 */
export type ChatPlaceDeps = Pick<FlowDeps, 'sealer' | 'clock' | 'entropy'> & { announcer: Announcer; chatPlaces: ChatPlaceStore };

export type PlaceDecided = { kind: 'decided'; place: KnownPlace } | { kind: 'unknown' } | { kind: 'personal' };

/** Allows a place, or takes that back. What already is so changes nothing, and is no entry. */
export async function decidePlace(deps: ChatPlaceDeps, tenant: string, by: PersonView, id: string, allowed: boolean): Promise<PlaceDecided> {
  const before = await deps.chatPlaces.get(tenant, id);
  if (before === null) return { kind: 'unknown' };
  if (before.kind === 'personal') return { kind: 'personal' };
  if (before.allowed === allowed) return { kind: 'decided', place: before };
  const at = deps.clock.now();
  const { platform, kind, place, name } = before;
  const leaf = await loneLeaf(deps, {
    tenant,
    event: allowed ? 'place.allowed' : 'place.disallowed',
    subject: id,
    at,
    facts: { platform, kind },
    details: { by: { id: by.id, email: by.email, name: by.name }, place, name },
  });
  const changed = await deps.chatPlaces.decide(tenant, id, { allowed, by: { id: by.id, email: by.email, name: by.name }, at }, leaf);
  if (changed && allowed) deps.announcer.announce('cards');
  const after = await deps.chatPlaces.get(tenant, id);
  return after === null ? { kind: 'unknown' } : { kind: 'decided', place: after };
}

/** How an allowed place is put into effect where a second person had to approve it. */
export function placeAppliers(deps: ChatPlaceDeps): Appliers {
  const allow: Applier = async ({ tenant, payload, proposed_by }) => {
    const { id } = payload;
    const decided = typeof id === 'string' ? await decidePlace(deps, tenant, proposed_by, id, true) : { kind: 'unknown' };
    return decided.kind === 'decided' ? { kind: 'applied' } : { kind: 'failed', detail: 'There is no such conversation any more.' };
  };
  return { 'place.allow': allow };
}

/** As answers show it. */
export function chatPlaceView(place: KnownPlace): ChatPlaceView {
  const { id, platform, kind, name, reference, allowed, decided_by, decided_at, first_heard_at, last_heard_at } = place;
  const removed = reference['removed'] === true;
  return { id, platform, kind, name, place: place.place, allowed, decided_by, decided_at, removed, first_heard_at, last_heard_at };
}
