import type { ReviewBody, Requirement } from '@countersign/contracts';
import { linkNow, entriesOf, type Refusal, refusals } from '../decision/index.js';
import { CoreError } from '../errors.js';
import { reviewGroups } from '../policy/quorum.js';
import type { ActionRequestRecord, ChangeCommit, CommitParts, DecisionRecord, LeafRecord, RequestState, ReviewRecord } from '../ports.js';
import { addSeconds, type Instant, newId } from '../request/index.js';
import { maskText } from '../masking/index.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { noticeOf } from './notices.js';
import { leafMaker, openPayload } from './record-key.js';
import { stateAfter } from './settle.js';

/** What an approval by break-glass leaves: a review that stays open until somebody else has written it, its timer, and a loud notice. */
export function reviewParts(
  deps: FlowDeps,
  {
    request,
    requirement,
    decision,
    leaf,
    at,
  }: { request: ActionRequestRecord; requirement: Requirement; decision: DecisionRecord; leaf: ReturnType<typeof leafMaker>; at: Instant },
): { parts: Pick<CommitParts, 'review' | 'timers' | 'notices'>; leaves: LeafRecord[] } {
  const within = requirement.break_glass?.review_within_seconds ?? 0;
  const review: ReviewRecord = {
    id: newId('rv', at, deps.entropy.bytes(10)),
    request_id: request.id,
    groups: reviewGroups(requirement),
    opened_at: at,
    due_at: addSeconds(at, within),
    finding: null,
    note: null,
    reviewed_by: null,
    reviewed_at: null,
  };
  const notice = noticeOf(deps, request, 'break_glass', at, {
    groups: review.groups,
    channels: requirement.break_glass?.notify ?? [],
    text: `${decision.person.name} broke the glass: ${request.view.action} was approved without the usual people. Reason: ${decision.reason ?? ''}. Somebody of ${review.groups.join(', ')} reviews it until ${review.due_at}.`,
  });
  return {
    parts: {
      review: { kind: 'opened', record: review },
      timers: [{ request_id: request.id, kind: 'review_overdue', number: 1, due_at: review.due_at, detail: { review: review.id } }],
      notices: [notice],
    },
    leaves: [leaf('review.opened', at, { review: review.id, due_at: review.due_at }, { groups: review.groups }, 3)],
  };
}

export type ReviewOutcome = { kind: 'reviewed'; review: ReviewRecord; state: RequestState } | Refusal;

/** Somebody else than who broke the glass, and than who stands behind the request, says whether it was justified. Once. */
export async function review(
  deps: FlowDeps,
  by: { tenant: string; person_id: string },
  review_id: string,
  request_id: string,
  body: ReviewBody,
): Promise<ReviewOutcome> {
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const context = await deps.requests.decidingContext({ tenant: by.tenant, request_id, person_id: by.person_id });
    const found = context?.reviews.find(({ id }) => id === review_id);
    if (context === null || found === undefined) return refusals.notFound();
    const person = context.people.find(({ id }) => id === by.person_id);
    if (person === undefined || !person.active) return refusals.accountInactive();
    const { request } = context;
    const own = entriesOf(person);
    const broke = context.decisions.some(
      (decision) => own.includes(decision.person.id) || (decision.delegate_for !== undefined && own.includes(decision.delegate_for.id)),
    );
    if (broke) return refusals.notAReviewer('You decided this request. Somebody else reviews how it passed.');
    const link = linkNow(context, person);
    if (link !== null) return refusals.notAReviewer('You stand behind this request. Somebody else reviews how it passed.');
    if (!found.groups.some((group) => person.groups.includes(group))) return refusals.notAReviewer(`Members of ${found.groups.join(', ')} review it.`);
    if (found.reviewed_by !== null) return refusals.alreadyReviewed(found.reviewed_by.name);
    const at = deps.clock.now();
    const { recordKey } = await openPayload(deps.sealer, request);
    const reviewed: ReviewRecord = {
      ...found,
      finding: body.finding,
      note: maskText(body.note, { paths: [], key: deps.entropy.bytes(32) }).masked,
      reviewed_by: { id: person.id, email: person.email, name: person.name },
      reviewed_at: at,
    };
    const leaf = leafMaker(deps, { tenant: request.tenant, subject: request.id, recordKey });
    const commit: ChangeCommit = {
      tenant: request.tenant,
      request_id,
      from: { version: request.version, status: request.status },
      time: 'any',
      set: {},
      review: { kind: 'completed', record: reviewed },
      cards: true,
      leaves: [leaf('review.completed', at, { review: found.id, finding: body.finding }, { person: reviewed.reviewed_by, note: reviewed.note })],
    };
    if ((await deps.requests.change(commit)).kind === 'committed') {
      deps.announcer.announce('cards');
      deps.announcer.announce('decisions');
      return { kind: 'reviewed', review: reviewed, state: stateAfter(context, commit) };
    }
  }
  throw new CoreError('contention', `${request_id} changed ${MAX_PLANS} times while it was being reviewed.`);
}
