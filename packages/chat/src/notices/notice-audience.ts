import type { Channel, NoticeKind } from '@countersign/contracts';
import { entriesOf, linkOf, personMayRead } from '@countersign/core/decision';
import { hasDecided, isNeeded } from '@countersign/core/flow';
import type { NoticeTask, Person, PlatformName, ReachablePerson, RequestState } from '@countersign/core/ports';
import { isAskedOf } from '../routing/audience.js';
import type { ChatWorld } from '../world.js';

/** Who is told directly, and what is said to them alone besides. */
export interface Audience {
  people: (ReachablePerson & { hint: string | null })[];
  /** As the notice's policy names them, without those that mean people. */
  channels: Channel[];
}

/** What is told to those who are asked to decide, while they are. */
export const ASKING: ReadonlySet<NoticeKind> = new Set(['reminder', 'escalated', 'turn', 'deadline', 'not_me']);
/** What concerns a request that waits, and nobody once it is settled. */
const WHILE_PENDING: ReadonlySet<NoticeKind> = new Set([...ASKING, 'question_asked', 'question_answered', 'proposal_made']);
const REVIEWING: ReadonlySet<NoticeKind> = new Set(['break_glass', 'review_overdue']);

/** Whether there is still somebody whom it concerns: it may have waited for a platform, or for a quiet time to end. */
export function stillConcerns({ notice, superseded }: NoticeTask, state: RequestState | null): boolean {
  if (notice.request_id === null) return true;
  if (state === null) return false;
  // Two reminders that waited for the morning are one.
  if (notice.kind === 'reminder' && superseded && notice.people.length === 0) return false;
  if (notice.kind === 'question_asked') {
    const question = state.questions.find(({ asked_at }) => asked_at === notice.at);
    if (question !== undefined && question.answer !== null) return false;
  }
  if (notice.kind === 'review_overdue' && state.reviews.every(({ finding }) => finding !== null)) return false;
  return state.request.status === 'pending' || !WHILE_PENDING.has(notice.kind);
}

/** The name by which a platform knows a channel that policy names; null where it is another platform's, or people. */
export function channelName(channel: Channel, platform: PlatformName): string | null {
  if (platform === 'slack') return 'slack' in channel ? channel.slack : null;
  return platform === 'teams' && 'teams' in channel ? channel.teams : null;
}

/**
 * Everybody whom a notice concerns, as the directory has them now; nobody twice. By mail is told who is named so, who got the request's card so
 * (`mailed`: their ids), and who has no account where chat is connected.
 */
export async function audienceOf(world: ChatWorld, task: NoticeTask, state: RequestState | null, mailed: readonly string[]): Promise<Audience> {
  const { notice, tenant, platform } = task;
  // What noticeOf was given: channels of a policy.
  const channels = notice.channels as unknown as Channel[];
  const isPlace = (channel: Channel): boolean => 'slack' in channel || 'teams' in channel;
  const rest = channels.filter(isPlace);
  const meaning = channels.filter((channel) => !isPlace(channel) && (platform === 'email' || !('email' in channel)));
  const meant = meaning.length === 0 ? { groups: [], people: [] } : await world.router.meant(tenant, meaning);
  const groups = [
    ...(
      await world.router.meant(
        tenant,
        notice.groups.map((direct) => ({ direct })),
      )
    ).groups,
    ...meant.groups,
  ];
  const reached = await world.store.routing.reachable(tenant, { groups, people: [...notice.people, ...meant.people] });
  const isNamed = ({ person }: ReachablePerson): boolean => {
    const own = [...entriesOf(person), person.email.toLowerCase()];
    return [...notice.people, ...meant.people].some((ref) => own.includes(ref) || own.includes(ref.toLowerCase()));
  };
  const platforms = platform === 'email' ? await world.store.routing.platforms(tenant) : [];
  const found = new Map<string, ReachablePerson>();
  const add = (one: ReachablePerson): void => {
    const [first = one.person.id] = entriesOf(one.person);
    const byChat = one.accounts.some((account) => platforms.includes(account.platform));
    if (byChat && !mailed.includes(one.person.id) && !meaning.some((channel) => 'email' in channel)) return;
    if (one.person.active && !found.has(first)) found.set(first, one);
  };
  if (state === null) for (const one of reached) add(one);
  const hints = new Map<string, string>();
  if (state !== null) {
    const quieted = await world.store.snoozes.list(tenant, state.request.id);
    const wants = ({ person }: ReachablePerson): boolean => !quieted.some(({ person_id }) => entriesOf(person).includes(person_id));
    const own = ({ person }: ReachablePerson): boolean => linkOf(state.request.chain, person) !== null;
    for (const one of reached.filter(isNamed)) {
      // Who asked something, and has left the groups that were asked since, reads no more of it.
      if (notice.kind === 'question_answered' && !personMayRead(one.person, state)) continue;
      // Who stands behind a request cannot have it sleep; whoever asked something, or asked to be told again, can.
      if (ASKING.has(notice.kind) ? wants(one) && isAsked(state, one.person) : own(one) || wants(one)) add(one);
    }
    const members = reached.filter((one) => groups.length > 0 && !isNamed(one));
    for (const one of await withStandIns(world, state, members, { wants, hints })) if (isConcerned(notice.kind, state, one.person) && wants(one)) add(one);
  }
  return { people: [...found.values()].map((one) => ({ ...one, hint: hints.get(one.person.id) ?? null })), channels: rest };
}

/** Whether a member of a group is told. */
function isConcerned(kind: NoticeKind, state: RequestState, person: Person): boolean {
  // Whose turn comes later is told of an escalation all the same.
  if (kind === 'escalated') return isAsked(state, person);
  if (ASKING.has(kind)) return isNeeded(state, person);
  if (REVIEWING.has(kind)) return linkOf(state.request.chain, person) === null && !hasDecided(state, person);
  return linkOf(state.request.chain, person) === null;
}

/** Whether any stage asks the person, now or once its turn comes. */
function isAsked(state: RequestState, person: Person): boolean {
  const { request, read_at } = state;
  const groups = request.requirement?.delegation === undefined ? person.groups : [...person.groups, ...(person.lent ?? [])];
  return request.status === 'pending' && !hasDecided(state, person) && isAskedOf(request, { ...person, groups }, Date.parse(read_at));
}

/** Who is absent is told nothing where a stand-in may decide instead, and wants to hear of it, who is told why. */
async function withStandIns(
  world: ChatWorld,
  state: RequestState,
  members: readonly ReachablePerson[],
  { wants, hints }: { wants(one: ReachablePerson): boolean; hints: Map<string, string> },
): Promise<ReachablePerson[]> {
  const { requirement, tenant } = state.request;
  if (requirement?.delegation === undefined || members.length === 0) return [...members];
  const absences = await world.store.delegations.inForce(
    tenant,
    members.flatMap(({ person }) => entriesOf(person)),
  );
  return members.filter(({ person }) => {
    const absence = absences.find(({ person_id }) => entriesOf(person).includes(person_id));
    const instead = members.find((one) => absence !== undefined && entriesOf(one.person).includes(absence.delegate_id));
    if (absence === undefined || instead === undefined || !isNeeded(state, instead.person) || !wants(instead)) return true;
    hints.set(instead.person.id, `You stand in for ${person.name} until ${absence.until}.`);
    return false;
  });
}
