import { isAskedOf } from '@countersign/chat';
import type { Card } from '@countersign/contracts';
import { cardOf, type CardOptions } from '@countersign/core/card';
import { linkOf } from '@countersign/core/decision';
import type { Clock, DirectoryStore, Person, RequestState, RequestStore } from '@countersign/core/ports';
import { epochMs } from '@countersign/core/request';
import type { AdaptiveCard } from './adaptive-card.js';
import { dataOf, VERBS } from './buttons.js';
import type { IncomingActivity } from './incoming-activity.js';
import { renderCard } from './render.js';
import type { RosterEntry, TeamsCalls, TeamsReference } from './teams-calls.js';

export interface ViewsDeps {
  tenant: string;
  /** Whether clients show dialogs. */
  dialogs: boolean;
  card: CardOptions;
  calls: Pick<TeamsCalls, 'roster'>;
  directory: Pick<DirectoryStore, 'personByAccount'>;
  requests: Pick<RequestStore, 'state'>;
  clock: Clock;
  log: { warn(fields: object, message: string): void };
}

/**
 * Teams asks by itself for everybody's view in a conversation of so many members, and in a larger one for so many people who are named. Source:
 * Microsoft Teams documentation, "User Specific Views".
 */
const MOST_USERS = 60;
/** How many members of a large conversation are looked at, and how long what was found is used, in milliseconds. */
const MOST_MEMBERS = 500;
const ROSTER_LIFE_MS = 10 * 60_000;
/** After a failure. */
const RETRY_MS = 60_000;
const MOST_PLACES = 1_000;
const AT_ONCE = 20;

interface Roster {
  at: number;
  failed: boolean;
  members: readonly RosterEntry[];
  /** Persons of a large conversation, for choosing whom Teams asks for; null until it is asked. */
  people: Promise<{ id: string; person: Person }[]> | null;
}

/**
 * What each person sees of a card. The card that is posted has the buttons for everybody, so that a client that never asks for a view can decide;
 * where Teams asks, who may not decide gets the card without Approve and Deny. It is a courtesy: what counts is judged at the press.
 */
export function createViews({ tenant, dialogs, card: options, calls, directory, requests, clock, log }: ViewsDeps) {
  const rosters = new Map<string, Roster>();
  const now = (): number => epochMs(clock.now());

  /** The card for everybody, in a place. */
  async function posted(reference: TeamsReference, card: Card): Promise<AdaptiveCard> {
    if (!card.open || reference.conversation.conversationType === 'personal') return renderCard(card, null, { dialogs });
    const roster = await rosterOf(reference);
    if (roster === null) return renderCard(card, null, { dialogs });
    if (roster.members.length <= MOST_USERS) return renderCard(card, null, { dialogs, refresh: refreshOf(card) });
    const userIds = await askedIn(roster, reference, card);
    return renderCard(card, null, { dialogs, ...(userIds.length === 0 ? {} : { refresh: refreshOf(card, userIds) }) });
  }

  /** The card for the one who looks at it, or has pressed; `told`: words for them. */
  async function own(activity: IncomingActivity & { tenantId: string }, state: RequestState, told: string | null = null): Promise<AdaptiveCard> {
    const card = cardOf(state, options);
    const view = await viewOf(activity, state);
    const again = card.open && activity.kind !== 'personal';
    const refresh = again ? { refresh: refreshOf(card, activity.from.id.startsWith('29:') ? [activity.from.id] : undefined) } : {};
    return renderCard(card, told ?? view.told, { decides: view.decides, dialogs, ...refresh });
  }

  async function viewOf(activity: IncomingActivity & { tenantId: string }, state: RequestState): Promise<{ decides: boolean; told: string | null }> {
    const { aadObjectId: user, id } = activity.from;
    if (user === null || rosters.get(activity.place)?.members.find((member) => member.id === id)?.outside === true) return { decides: false, told: null };
    const person = await directory.personByAccount({ tenant, platform: 'teams', workspace: activity.tenantId, user });
    // An account that is nobody's yet may become an approver's by its first press, which is answered with how.
    if (person === null) return { decides: true, told: null };
    const { request, decisions } = state;
    const made = decisions.find((decision) => decision.person.id === person.id);
    if (made !== undefined) return { decides: false, told: `You ${made.verdict === 'approve' ? 'approved' : 'denied'} it.` };
    if (!person.active || linkOf(request.chain, person) !== null) return { decides: false, told: null };
    // In whose stead somebody decides is found out at the press.
    return { decides: isAskedOf(request, person, now()) || (person.lent ?? []).length > 0, told: null };
  }

  /** Who of a large conversation may decide: for them Teams asks. */
  async function askedIn(roster: Roster, reference: TeamsReference, card: Card): Promise<string[]> {
    roster.people ??= peopleOf(roster.members, reference.conversation.tenantId ?? '');
    try {
      const [people, state] = await Promise.all([roster.people, requests.state(tenant, card.request_id)]);
      if (state === null) return [];
      return people.flatMap(({ id, person }) => (isAskedOf(state.request, person, now()) ? [id] : [])).slice(0, MOST_USERS);
    } catch (error) {
      roster.people = null;
      log.warn({ err: error, request_id: card.request_id }, 'who may decide in a conversation could not be read; its card is not refreshed by itself');
      return [];
    }
  }

  async function peopleOf(members: readonly RosterEntry[], tenantId: string): Promise<{ id: string; person: Person }[]> {
    const known = members.filter(({ id, user, outside }) => user !== null && !outside && id.startsWith('29:'));
    const found: { id: string; person: Person }[] = [];
    for (let from = 0; from < known.length; from += AT_ONCE) {
      const some = known.slice(from, from + AT_ONCE);
      const people = await Promise.all(
        some.map(({ user }) => directory.personByAccount({ tenant, platform: 'teams', workspace: tenantId.toLowerCase(), user: user ?? '' })),
      );
      for (const [index, person] of people.entries()) {
        const id = some[index]?.id;
        if (person !== null && id !== undefined) found.push({ id, person });
      }
    }
    return found;
  }

  /** Who is in a conversation; null where Teams did not say, and then the card is posted without it. */
  async function rosterOf(reference: TeamsReference): Promise<Roster | null> {
    const place = reference.conversation.id;
    const known = rosters.get(place);
    if (known !== undefined && now() - known.at < (known.failed ? RETRY_MS : ROSTER_LIFE_MS)) return known.failed ? null : known;
    if (rosters.size >= MOST_PLACES) rosters.clear();
    try {
      const roster = { at: now(), failed: false, members: await calls.roster(reference, MOST_MEMBERS), people: null };
      rosters.set(place, roster);
      return roster;
    } catch (error) {
      log.warn({ err: error, place }, 'who is in a conversation could not be read; its cards are not refreshed by themselves');
      rosters.set(place, { at: now(), failed: true, members: [], people: null });
      return null;
    }
  }

  return { posted, own, dialogs };
}

export type Views = ReturnType<typeof createViews>;

function refreshOf(card: Card, userIds?: string[]): NonNullable<AdaptiveCard['refresh']> {
  const action = { type: 'Action.Execute' as const, title: 'Refresh', verb: VERBS.refresh, data: dataOf(card) };
  return { action, ...(userIds === undefined ? {} : { userIds }) };
}
