import type { Requirement } from '@countersign/contracts';
import { outcomeText, waitingFor } from '../card/index.js';
import { alikeRefusal, brokenBy, countedApprovals, entriesOf, humanOf, linkNow, loanOf, type Refusal, refusals, unmetObligation } from '../decision/index.js';
import { type CountedApproval, isApprover, maySince, mayDecide, mayVeto, progress, type Progress } from '../policy/quorum.js';
import type { DecidingContext, Person } from '../ports.js';
import { addSeconds, type Instant } from '../request/index.js';
import type { DecideInput } from './decide.js';
import type { OpenPayload } from './record-key.js';
import { tooLate } from './settle.js';

/** By which road a press decides: as an approver, in somebody's stead, in an emergency, or alone as a team of one. */
export type Road = 'stages' | 'stand_in' | 'break_glass' | 'solo';

/** A press that may decide, once the passkey is there that it needs. */
export interface Allowed {
  kind: 'allowed';
  road: Road;
  person: Person;
  /** In whose stead. */
  absent: Person | null;
  /** The groups that it counts for. */
  groups: string[];
  /** The approvals that count before it. */
  approvals: CountedApproval[];
  /** Who broke the glass before. */
  broken: string[];
  passkey: { fresh_seconds: number } | null;
}

export interface PressFacts {
  input: DecideInput;
  context: DecidingContext;
  payload: OpenPayload;
  /** What is needed now, or why nothing can be decided; null where the request is settled. */
  judged: { requirement: Requirement } | Refusal | null;
  /** Since the request was opened, in seconds. */
  elapsed: number;
}

/** A team of one approves by passkey, which is fresh at least so much, in seconds. */
const SOLO_FRESH_SECONDS = 300;

/** Through which channels one may decide where policy does not say. */
const VIA_DEFAULT = ['slack', 'teams', 'web', 'email'] as const;

/** The rules of a press, in the order in which a person is told of them. The passkey is taken last, by whoever calls this. */
export function judgePress({ input, context, payload, judged, elapsed }: PressFacts): Allowed | Refusal {
  const { request, decisions } = context;
  const { decider, verdict } = input;
  const person = context.people.find((candidate) => candidate.id === decider.person_id);
  if (person === undefined || !person.active) return refusals.accountInactive();
  if (!decider.may_decide) return refusals.deciderNotAllowed();
  const asked = judged !== null && 'requirement' in judged ? judged.requirement : request.requirement;
  const link = linkNow(context, person);
  const alone = link !== null && asked?.solo !== undefined && verdict === 'approve' && isApprover(asked, person.groups) && ownName(input);
  if (link !== null && !alone) return refusals.selfApproval(link);
  const road: Road = alone ? 'solo' : input.break_glass === true ? 'break_glass' : input.delegate_for !== undefined ? 'stand_in' : 'stages';
  const named = asked === null ? ownGroups(person) : namedBy(road, asked, input, person, context);
  if ('kind' in named) return named;
  const { absent, groups } = named;
  if (judged === null) return tooLate(context, outcomeText(context));
  const own = entriesOf(person);
  const earlier = decisions.find(({ person: who, delegate_for }) => own.includes(who.id) || (delegate_for !== undefined && own.includes(delegate_for.id)));
  if (earlier !== undefined) return refusals.alreadyDecided(earlier.verdict, earlier.decided_at);
  if (!digestsMatch(input, request)) return refusals.actionMismatch();
  if ('kind' in judged) return judged;
  const { requirement } = judged;
  const via: readonly string[] = requirement.via ?? VIA_DEFAULT;
  if (!via.includes(decider.via)) return refusals.viaNotAllowed(decider.via, via);
  if (input.bulk === true && requirement.bulk !== true) return refusals.bulkNotAllowed();
  const approvals = countedApprovals(requirement, decisions.filter(apartStill(context)), context.people);
  const notNow = notOpen(road, requirement, { approvals, groups, elapsed, verdict, opened: request.created_at });
  if (notNow !== null) return notNow;
  if ((requirement.reason_required[verdict] || road === 'break_glass') && !hasText(input.reason)) return refusals.reasonRequired(verdict);
  const broken = requirement.break_glass === undefined ? [] : brokenBy(requirement.break_glass.group, decisions.filter(apartStill(context)), context.people);
  const allowed: Allowed = { kind: 'allowed', road, person, absent, groups, approvals, broken, passkey: null };
  // A denial stops something: nothing but a reason stands in its way.
  if (verdict === 'deny') return allowed;
  const obligations = (road === 'break_glass' ? requirement.break_glass?.obligations : requirement.obligations) ?? {};
  const unmet = unmetObligation(obligations, {
    ticket: input.ticket,
    acknowledged: input.acknowledged ?? [],
    opened: context.opened.includes(request.view_digest),
    submission: payload.submission as OpenPayload['submission'] & Parameters<typeof unmetObligation>[1]['submission'],
  });
  if (unmet !== null) return unmet;
  if (input.alike !== undefined) {
    if (road !== 'stages') return refusals.alikeNotAllowed('A pattern is approved with an ordinary approval in your own name only.');
    const refusal = alikeRefusal(requirement, input.alike, decisions);
    if (refusal !== null) return refusal;
  }
  const { passkey } = obligations;
  return {
    ...allowed,
    passkey: road === 'solo' ? { fresh_seconds: Math.min(passkey?.fresh_seconds ?? SOLO_FRESH_SECONDS, SOLO_FRESH_SECONDS) } : (passkey ?? null),
  };
}

/** The person and the groups that the decision counts for, as far as the requirement names them at all. */
function namedBy(
  road: Road,
  asked: Requirement,
  input: DecideInput,
  person: Person,
  context: DecidingContext,
): { absent: Person | null; groups: string[] } | Refusal {
  switch (road) {
    case 'solo':
      return ownGroups(person);
    case 'break_glass':
      if (input.verdict === 'deny' || input.delegate_for !== undefined)
        return refusals.notBreakGlass('The emergency road approves, in your own name. Leave it out to deny or to stand in.');
      if (asked.break_glass === undefined) return refusals.notBreakGlass('Policy has no emergency road for this request.');
      if (!person.groups.includes(asked.break_glass.group))
        return refusals.notBreakGlass(`Only members of ${asked.break_glass.group} may let this request pass in an emergency.`);
      return { absent: null, groups: [asked.break_glass.group] };
    case 'stand_in': {
      const absent = context.people.find((candidate) => candidate.id === input.delegate_for);
      const loan = loanOf(asked, { chain: context.request.chain, decisions: context.decisions, today: context.today }, person, absent, context.delegations);
      if ('kind' in loan) return loan;
      return counts(asked, input, loan.groups) ? loan : refusals.notAnApprover(groupWords(asked));
    }
    case 'stages':
      return counts(asked, input, person.groups) ? ownGroups(person) : refusals.notAnApprover(groupWords(asked));
  }
}

const ownName = (input: DecideInput): boolean => input.break_glass === undefined && input.delegate_for === undefined;
const ownGroups = (person: Person): { absent: null; groups: string[] } => ({ absent: null, groups: person.groups });
const counts = (asked: Requirement, { verdict }: DecideInput, groups: readonly string[]): boolean =>
  isApprover(asked, groups) || (verdict === 'deny' && mayVeto(asked, groups));

/** Whether it is this person's turn: the stage that is open takes members of these groups by now. */
function notOpen(
  road: Road,
  requirement: Requirement,
  { approvals, groups, elapsed, verdict, opened }: { approvals: CountedApproval[]; groups: string[]; elapsed: number; verdict: string; opened: string },
): Refusal | null {
  const at = (seconds: number): string => addSeconds(opened as Instant, seconds);
  if (road === 'break_glass') return null;
  if (road === 'solo') {
    const after = requirement.solo?.after_seconds ?? Number.POSITIVE_INFINITY;
    return elapsed < after ? refusals.tooEarly(at(after), 'you may approve alone, as policy says for a team of one,') : null;
  }
  if (verdict === 'approve' && requirement.break_glass?.only === true)
    return refusals.notBreakGlass(`Only the emergency road leads through: a member of ${requirement.break_glass.group}, with break_glass and a reason.`);
  const current = progress(requirement, approvals, elapsed);
  if (mayDecide(current, groups) || (verdict === 'deny' && mayVeto(requirement, groups))) return null;
  const since = maySince(current, groups);
  if (since !== null && since > elapsed) return refusals.tooEarly(at(since), 'it escalates to you');
  return refusals.notAnApprover(waitingFor(current) ?? groupWords(requirement));
}

/** Whether the decider, and in whose stead it was, do not stand behind the request since: who came to own the agent or the key meanwhile counts no more. */
function apartStill(context: DecidingContext): (decision: DecidingContext['decisions'][number]) => boolean {
  return ({ person, delegate_for, self_approved }) =>
    self_approved === true ||
    [person.id, delegate_for?.id].every((who) => {
      const now = context.people.find(({ id }) => id === who);
      return now === undefined || linkNow(context, now) === null;
    });
}

/** What the approvals and denials come to with one more; undefined while people are still needed. */
export function settles(requirement: Requirement, allowed: Allowed, context: DecidingContext, verdict: 'approve' | 'deny', elapsed: number) {
  const { road, approvals, broken, groups, person } = allowed;
  const after = progress(
    requirement,
    verdict === 'approve' && road !== 'break_glass' ? [...approvals, { person_id: humanOf(person), groups }] : approvals,
    elapsed,
  );
  const denials = context.decisions.filter((decision) => decision.verdict === 'deny');
  const denied =
    denials.length + (verdict === 'deny' ? 1 : 0) >= requirement.deny_threshold ||
    (verdict === 'deny' && mayVeto(requirement, groups)) ||
    denials.some((denial) => mayVeto(requirement, denial.groups));
  const passed = new Set([...broken, ...(road === 'break_glass' ? [humanOf(person)] : [])]);
  const byGlass = road === 'break_glass' && requirement.break_glass !== undefined && passed.size >= requirement.break_glass.quorum;
  const status = denied
    ? ('denied' as const)
    : verdict === 'approve' && (road === 'solo' || byGlass || (after.satisfied && requirement.break_glass?.only !== true))
      ? ('approved' as const)
      : undefined;
  // The turn of a later stage has come by it.
  const stageOf = (current: Progress): number => current.stages.findIndex(({ open }) => open);
  const turned = status === undefined && stageOf(after) !== stageOf(progress(requirement, approvals, elapsed));
  return { after, status, turned, byGlass: byGlass && status === 'approved' };
}

function digestsMatch(input: DecideInput, request: { action_digest: string; request_digest: string; view_digest: string }): boolean {
  if (input.action_digest === undefined && input.request_digest === undefined) return false;
  if (input.action_digest !== undefined && input.action_digest !== request.action_digest) return false;
  if (input.request_digest !== undefined && input.request_digest !== request.request_digest) return false;
  return input.view_digest === undefined || input.view_digest === request.view_digest;
}

export const hasText = (text: string | undefined): text is string => text !== undefined && text.trim() !== '';

function groupWords(requirement: Requirement): string {
  return requirement.stages.map((stage) => stage.all.map(({ group, quorum }) => `${quorum} of ${group}`).join(' and ')).join(', then ');
}
