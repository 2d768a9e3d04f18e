import type { Card, Status, Verdict } from '@countersign/contracts';
import { cardOf, progressOf } from '@countersign/core/card';
import { entriesOf, lentGroups, linkOf, readsAll } from '@countersign/core/decision';
import type { DelegationView, Person, RequestState } from '@countersign/core/ports';
import type { ActionOffer } from '../actions/offers.js';
import { actionsOf } from '../actions/offers.js';
import type { ChatWorld } from '../world.js';

/** A request that waits for somebody, as a line of their own page. Pressing names it by id and digest, without a message. */
export interface HomeRequest {
  request_id: string;
  request_digest: string;
  headline: string;
  url: string;
  expires_at: string;
  /** Who is still needed, in words; null when nobody is. */
  waiting_for: string | null;
  /** In whose stead the person decides it; null: in their own name. */
  stead: string | null;
  /** What Approve asks for besides the press; a button that leads to a form says so. */
  demands: boolean;
  /** Policy lets it be decided together with others. */
  bulk: boolean;
  actions: ActionOffer[];
}

export interface HomeDecision {
  request_id: string;
  headline: string;
  url: string;
  verdict: Verdict;
  decided_at: string;
  /** What has become of the request. */
  status: Status;
}

/** An approval by break-glass that the person may review. */
export interface HomeReview {
  review_id: string;
  request_id: string;
  request_digest: string;
  headline: string;
  url: string;
  due_at: string;
}

/** A question to the person, who stands behind the request. */
export interface HomeQuestion {
  question_id: string;
  request_id: string;
  request_digest: string;
  headline: string;
  url: string;
  name: string;
  text: string;
}

export interface HomeAbsence {
  id: string;
  /** The other one: who stands in, or who is away. */
  name: string;
  from: string;
  until: string;
  reason: string | null;
  state: 'to_come' | 'in_force';
}

/** What somebody sees of Countersign in their chat: App Home at Slack, the message extension at Teams, the commands. Plain text, masked and made visible. */
export interface Home {
  person: { id: string; name: string };
  /** What is over soonest stands first; `more` are not shown. */
  waiting: HomeRequest[];
  more: number;
  /** The newest first. */
  decided: HomeDecision[];
  reviews: HomeReview[];
  questions: HomeQuestion[];
  /** Who stands in for the person. */
  away: HomeAbsence[];
  /** For whom the person stands in. */
  standing_in: HomeAbsence[];
}

const MOST_WAITING = 20;
const MOST_DECIDED = 10;
const MOST_REVIEWS = 10;
/** How many open requests are looked at. */
const MOST_READ = 500;

export async function homeOf(world: ChatWorld, person: Person): Promise<Home> {
  const { tenant, store } = world;
  const [open, decided, reviews, delegations] = await Promise.all([
    openFor(world, person),
    store.requests.list(tenant, { decided_by: person.id, limit: 3 * MOST_DECIDED, reader: readerOf(person) }),
    store.reviews.list(tenant, { open: true, groups: person.groups, limit: 5 * MOST_REVIEWS }),
    store.delegations.list(tenant, person.id),
  ]);
  const { waiting, questions } = await sorted(world, person, open, delegations);
  const own = entriesOf(person);
  return {
    person: { id: person.id, name: person.name },
    waiting: waiting.slice(0, MOST_WAITING),
    more: Math.max(0, waiting.length - MOST_WAITING),
    decided: decidedBy(world, own, decided),
    reviews: await reviewsOf(world, person, reviews),
    questions,
    away: absences(delegations, ({ person_id }) => own.includes(person_id), 'delegate'),
    standing_in: absences(delegations, ({ delegate_id }) => own.includes(delegate_id), 'person'),
  };
}

/** The requests that wait for a person, each as its row is, what is over soonest first; for those who count or change them all. */
export async function waitingFor(world: ChatWorld, person: Person): Promise<HomeRequest[]> {
  const [open, delegations] = await Promise.all([openFor(world, person), world.store.delegations.list(world.tenant, person.id)]);
  return (await sorted(world, person, open, delegations)).waiting;
}

const readerOf = (person: Person) =>
  readsAll(person) ? ({ kind: 'all' } as const) : ({ kind: 'person', person_id: person.id, groups: person.groups, lent: person.lent ?? [] } as const);

/** Pending requests that the person may see, page by page. */
async function openFor({ tenant, store }: ChatWorld, person: Person): Promise<RequestState[]> {
  const found: RequestState[] = [];
  // By right of an office one sees all, and is asked for none of it: what waits for somebody names their groups, or them.
  const reader = { kind: 'person', person_id: person.id, groups: person.groups, lent: person.lent ?? [] } as const;
  let before: { created_at: string; id: string } | undefined;
  while (found.length < MOST_READ) {
    const page = await store.requests.list(tenant, { status: 'pending', limit: 100, reader, ...(before === undefined ? {} : { before }) });
    found.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < 100) break;
    before = { created_at: last.request.created_at, id: last.request.id };
  }
  return found;
}

async function sorted(
  world: ChatWorld,
  person: Person,
  open: readonly RequestState[],
  delegations: readonly DelegationView[],
): Promise<Pick<Home, 'questions'> & { waiting: HomeRequest[] }> {
  const absent = await absentFor(world, person, delegations);
  const waiting: HomeRequest[] = [];
  const questions: HomeQuestion[] = [];
  for (const state of open) {
    const card = cardOf(state, world.card);
    if (linkOf(state.request.chain, person) !== null) questions.push(...questionsIn(card));
    else {
      const asked = askedOf(state, person, absent);
      if (asked !== null) waiting.push(rowOf(card, state, asked.stead));
    }
  }
  return { waiting: waiting.toSorted((a, b) => (a.expires_at < b.expires_at ? -1 : 1)), questions };
}

/** Whether the stage that is open now waits for this person, who has not decided; in whose stead, where not in their own name. */
function askedOf(state: RequestState, person: Person, absent: readonly Person[]): { stead: Person | null } | null {
  const { requirement } = state.request;
  if (requirement === null) return null;
  const own = entriesOf(person);
  if (state.decisions.some(({ person: who, delegate_for }) => own.includes(who.id) || (delegate_for !== undefined && own.includes(delegate_for.id))))
    return null;
  const takes = (progressOf(state)?.stages ?? [])
    .filter((stage) => stage.open)
    .flatMap(({ filled }) => filled.flatMap(({ group, escalated }) => [group, ...escalated]));
  const counts = (groups: readonly string[]): boolean => groups.some((group) => takes.includes(group));
  if (counts(person.groups)) return { stead: null };
  const stead = absent.find((who) => counts(lentGroups(requirement, who, person)) && !state.decisions.some((decision) => decision.person.id === who.id));
  return stead === undefined ? null : { stead };
}

/** Who named the person as stand-in, for now. */
async function absentFor({ tenant, store }: ChatWorld, person: Person, delegations: readonly DelegationView[]): Promise<Person[]> {
  const named = delegations.filter(({ state, delegate_id }) => state === 'in_force' && delegate_id === person.id).map(({ person_id }) => person_id);
  return named.length === 0 ? [] : store.directory.people(tenant, named);
}

function rowOf(card: Card, state: RequestState, stead: Person | null): HomeRequest {
  const { tickets = [], acknowledge = [], must_open = false } = card.demands ?? {};
  return {
    request_id: card.request_id,
    request_digest: card.request_digest,
    headline: card.headline,
    url: card.url,
    expires_at: card.expires_at,
    waiting_for: card.waiting_for,
    stead: stead?.name ?? null,
    demands: card.reason_required.approve || tickets.length > 0 || acknowledge.length > 0 || must_open || card.passkey_required === true,
    bulk: state.request.requirement?.bulk === true,
    actions: actionsOf(card),
  };
}

function questionsIn({ request_id, request_digest, headline, url, questions = [] }: Card): HomeQuestion[] {
  return questions.flatMap(({ id, name, text, answer }) =>
    answer === null ? [{ question_id: id, request_id, request_digest, headline, url, name, text }] : [],
  );
}

function decidedBy(world: ChatWorld, own: readonly string[], states: readonly RequestState[]): HomeDecision[] {
  return states
    .flatMap((state) => {
      const decision = state.decisions.find(({ person }) => own.includes(person.id));
      if (decision === undefined) return [];
      const { request_id, headline, url, status } = cardOf(state, world.card);
      return [{ request_id, headline, url, status, verdict: decision.verdict, decided_at: decision.decided_at }];
    })
    .toSorted((a, b) => (a.decided_at > b.decided_at ? -1 : 1))
    .slice(0, MOST_DECIDED);
}

/** Those that the person may write: not of what they decided, nor of what they stand behind. */
async function reviewsOf(world: ChatWorld, person: Person, reviews: Awaited<ReturnType<ChatWorld['store']['reviews']['list']>>): Promise<HomeReview[]> {
  const own = entriesOf(person);
  const rows: HomeReview[] = [];
  for (const { id, request_id, due_at } of reviews) {
    if (rows.length === MOST_REVIEWS) break;
    const state = await world.requests.state(world.tenant, request_id);
    if (state === null || linkOf(state.request.chain, person) !== null || state.decisions.some((decision) => own.includes(decision.person.id))) continue;
    const { headline, url, request_digest } = cardOf(state, world.card);
    rows.push({ review_id: id, request_id, request_digest, headline, url, due_at });
  }
  return rows.toSorted((a, b) => (a.due_at < b.due_at ? -1 : 1));
}

function absences(delegations: readonly DelegationView[], which: (one: DelegationView) => boolean, other: 'person' | 'delegate'): HomeAbsence[] {
  return delegations.flatMap((one) => {
    const { id, from, until, reason, state } = one;
    return which(one) && (state === 'in_force' || state === 'to_come') ? [{ id, name: one[other].name, from, until, reason, state }] : [];
  });
}
