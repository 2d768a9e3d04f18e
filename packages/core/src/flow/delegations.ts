import type { DelegationBody, DelegationView as DelegationAnswer } from '@countersign/contracts';
import { entriesOf, type Refusal, refusals } from '../decision/index.js';
import type { DelegationRecord, DelegationStore, DelegationView, DirectoryStore, Person } from '../ports.js';
import { epochMs, formatInstant, newId } from '../request/index.js';
import { loneLeaf } from './lone-leaf.js';
import type { FlowDeps } from './deps.js';
import { noticeOf } from './notices.js';

export interface DelegationDeps extends Pick<FlowDeps, 'sealer' | 'clock' | 'entropy' | 'announcer'> {
  delegations: DelegationStore;
  directory: Pick<DirectoryStore, 'people'>;
}

/** The longest absence that can be entered, in seconds; a request's policy may want it shorter. */
const MAX_SECONDS = 90 * 86_400;

export type DelegationOutcome = { kind: 'delegated'; delegation: DelegationView } | Refusal;

/**
 * Somebody names who stands in for them for a time: for themselves alone, so that nobody gives away what is another's. Whether the
 * stand-in may decide a request says that request's policy, at the press.
 */
export async function delegate(deps: DelegationDeps, by: { tenant: string; person: Person }, body: DelegationBody): Promise<DelegationOutcome> {
  const { tenant, person } = by;
  const now = deps.clock.now();
  const from = body.from === undefined ? now : formatInstant(Math.max(Date.parse(body.from), epochMs(now)));
  const until = formatInstant(Date.parse(body.until));
  if (until <= from) return refusals.delegationNotAllowed('The end of the time is over, or lies before its beginning.');
  if ((epochMs(until) - epochMs(from)) / 1000 > MAX_SECONDS) return refusals.delegationNotAllowed('A stand-in is named for 90 days at most.');
  const delegate = (await deps.directory.people(tenant, [body.delegate]))[0];
  if (delegate === undefined || !delegate.active) return refusals.delegationNotAllowed('The directory knows nobody active by that name.');
  if (entriesOf(person).includes(delegate.id)) return refusals.delegationNotAllowed('Nobody stands in for themselves.');
  const record: DelegationRecord = {
    tenant,
    id: newId('dg', now, deps.entropy.bytes(10)),
    person_id: person.id,
    delegate_id: delegate.id,
    from,
    until,
    reason: body.reason ?? null,
    created_at: now,
    ended_at: null,
  };
  const leaf = await loneLeaf(deps, {
    event: 'delegation.created',
    at: now,
    tenant,
    subject: record.id,
    facts: { delegation: record.id, from, until },
    details: { person: viewOf(person), delegate: viewOf(delegate), reason: record.reason },
  });
  const notices = [
    noticeOf(deps, null, 'stand_in', now, {
      people: [delegate.id],
      text: `${person.name} named you as stand-in from ${from} to ${until}. Where policy allows it you may decide in ${person.name}'s stead.`,
    }),
    noticeOf(deps, null, 'stand_in', now, {
      people: [person.id],
      text: `${delegate.name} stands in for you from ${from} to ${until}, where policy allows it. If that was not you, take it back.`,
    }),
  ];
  const created = await deps.delegations.create(record, leaf, notices);
  switch (created) {
    case 'overlaps':
      return refusals.delegationNotAllowed('You have named a stand-in for part of that time already. Take that back first.');
    case 'delegate_away':
      return refusals.delegationNotAllowed(`${delegate.name} is away in that time. Stand-ins are never passed on: name somebody who is there.`);
    case 'not_active':
      return refusals.accountInactive();
    case 'created':
      for (const topic of ['cards', 'decisions'] as const) deps.announcer.announce(topic);
      return {
        kind: 'delegated',
        delegation: { ...record, person: viewOf(person), delegate: viewOf(delegate), state: from <= now ? 'in_force' : 'to_come' },
      };
  }
}

/** Takes a delegation back: who is away, or an administrator. What the stand-in decided meanwhile stands. */
export async function endDelegation(
  deps: DelegationDeps,
  by: { tenant: string; person: Person; administers: boolean },
  id: string,
): Promise<DelegationOutcome> {
  const found = await deps.delegations.get(by.tenant, id);
  const own = found !== null && entriesOf(by.person).includes(found.person_id);
  const concerned = own || found?.delegate_id === by.person.id;
  if (found === null || (!concerned && !by.administers)) return refusals.notFound();
  if (!own && !by.administers) return refusals.delegationNotAllowed('Only who is away, or an administrator, takes it back.');
  const at = deps.clock.now();
  const leaf = await loneLeaf(deps, {
    event: 'delegation.ended',
    at,
    tenant: by.tenant,
    subject: id,
    facts: { delegation: id },
    details: { by: viewOf(by.person) },
  });
  const told = noticeOf(deps, null, 'stand_in', at, {
    people: [found.delegate_id, ...(own ? [] : [found.person_id])],
    text: `${found.delegate.name} no longer stands in for ${found.person.name}: ${own ? 'it was taken back' : `${by.person.name} took it back`}.`,
  });
  const ended = await deps.delegations.end(by.tenant, id, at, leaf, [told]);
  if (ended) for (const topic of ['cards', 'decisions'] as const) deps.announcer.announce(topic);
  return { kind: 'delegated', delegation: (await deps.delegations.get(by.tenant, id)) ?? found };
}

/** One as answers show it. */
export function delegationAnswer({ id, person, delegate, from, until, reason, created_at, ended_at, state }: DelegationView): DelegationAnswer {
  return { id, person, delegate, from, until, reason, created_at, ended_at, state };
}

const viewOf = ({ id, email, name }: Person) => ({ id, email, name });
