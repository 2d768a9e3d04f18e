import type { JsonObject, Requirement } from '@countersign/contracts';
import { progressOf, waitingFor } from '../card/index.js';
import { CoreError } from '../errors.js';
import { neededGroups } from '../policy/quorum.js';
import type { ActionRequestRecord, NoticeRecord, RequestState, TimerRecord, TimerStore } from '../ports.js';
import { addSeconds, epochMs, type Instant } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { noticeOf } from './notices.js';
import { leafMaker, openPayload } from './record-key.js';

/** Below this there is no warning before the end: it would come with the card, in seconds. */
const MIN_WARNED_SECONDS = 300;

/** What happens by itself while a request waits: reminders, escalations, and a word before its time is over. Rows are made with the request. */
export function timersOf(request: Pick<ActionRequestRecord, 'id' | 'status' | 'created_at' | 'expires_at' | 'requirement'>): TimerRecord[] {
  const { requirement } = request;
  if (request.status !== 'pending' || requirement === null) return [];
  const opened = request.created_at as Instant;
  const life = (Date.parse(request.expires_at) - epochMs(opened)) / 1000;
  const timer = (kind: TimerRecord['kind'], number: number, after: number, detail: JsonObject): TimerRecord => ({
    request_id: request.id,
    kind,
    number,
    due_at: addSeconds(opened, after),
    detail,
  });
  const lead = Math.min(3600, Math.max(60, life / 10));
  return [
    ...(requirement.reminders_seconds ?? []).map((after, index) => timer('reminder', index + 1, after, {})),
    ...escalationsOf(requirement).map(({ after_seconds, ...detail }, index) => timer('escalation', index + 1, after_seconds, detail)),
    ...(life >= MIN_WARNED_SECONDS ? [timer('deadline', 1, life - lead, {})] : []),
  ].filter(({ due_at }) => due_at < request.expires_at);
}

function escalationsOf({ stages }: Requirement) {
  return stages.flatMap((stage, index) =>
    stage.all.flatMap(({ group, escalate = [] }) =>
      // From 0 on, a group includes another: nobody waits for that.
      escalate.filter(({ after_seconds }) => after_seconds > 0).map((entry) => ({ ...entry, group, stage: index })),
    ),
  );
}

/** What a request has when it is opened: nothing was asked, proposed or reviewed. */
export function nothingYet(at: Instant): Pick<RequestState, 'report' | 'questions' | 'proposals' | 'reviews' | 'read_at'> {
  return { report: null, questions: [], proposals: [], reviews: [], read_at: at };
}

export interface TimerDeps extends Pick<FlowDeps, 'requests' | 'sealer' | 'clock' | 'entropy' | 'announcer'> {
  timers: TimerStore;
}

/**
 * Fires one timer: its notice and its ledger entry in one statement, once in all processes, by the database's clock. It tells people
 * and never decides anything. Resolves to whether it told something.
 */
export async function fireTimer(deps: TimerDeps, timer: TimerRecord & { tenant: string }): Promise<boolean> {
  const state = await deps.requests.state(timer.tenant, timer.request_id);
  const told = state === null ? null : tellingOf(deps, timer, state);
  if (state === null || told === null) {
    await deps.timers.drop(timer);
    return false;
  }
  const { recordKey } = await openPayload(deps.sealer, state.request);
  const leaf = leafMaker(deps, { tenant: timer.tenant, subject: timer.request_id, recordKey });
  const { notice, event, facts } = told;
  const fired = await deps.timers.fire(timer, {
    while: timer.kind === 'review_overdue' ? 'unreviewed' : 'pending',
    notice,
    leaves: [leaf(event, notice.at as Instant, { number: timer.number, due_at: timer.due_at, ...facts }, { groups: notice.groups, text: notice.text })],
  });
  if (fired) {
    deps.announcer.announce('cards');
    deps.announcer.announce('decisions');
  }
  return fired;
}

interface Telling {
  notice: NoticeRecord;
  event: 'reminder.sent' | 'request.escalated' | 'deadline.warned' | 'review.overdue';
  facts: JsonObject;
}

/** What there is to tell as things stand; null where nothing is any more. */
function tellingOf(deps: TimerDeps, timer: TimerRecord, state: RequestState): Telling | null {
  const { request } = state;
  const at = deps.clock.now();
  const what = `${request.view.action} on ${request.view.resource.type} ${request.view.resource.id}`;
  if (timer.kind === 'review_overdue') {
    const review = state.reviews.find(({ id, finding }) => id === timer.detail['review'] && finding === null);
    if (review === undefined) return null;
    const text = `Nobody has reviewed yet how ${what} passed by break-glass. The review was due at ${review.due_at}.`;
    return { event: 'review.overdue', facts: { review: review.id }, notice: noticeOf(deps, request, 'review_overdue', at, { groups: review.groups, text }) };
  }
  const current = progressOf(state);
  const open = current?.stages.find((stage) => stage.open);
  if (request.status !== 'pending' || current === null || open === undefined) return null;
  const waiting = waitingFor(current) ?? '';
  if (timer.kind === 'snooze') {
    const { person } = timer.detail;
    if (typeof person !== 'string') throw new CoreError('invalid_argument', `A timer of ${request.id} names nobody.`);
    const text = `You asked to be told again: still waiting for ${waiting}: ${what}. The time is over at ${request.expires_at}.`;
    return { event: 'reminder.sent', facts: { snoozed: true }, notice: noticeOf(deps, request, 'reminder', at, { people: [person], text }) };
  }
  const groups = neededGroups(current);
  switch (timer.kind) {
    case 'reminder':
      return {
        event: 'reminder.sent',
        facts: {},
        notice: noticeOf(deps, request, 'reminder', at, { groups, text: `Still waiting for ${waiting}: ${what}. The time is over at ${request.expires_at}.` }),
      };
    case 'deadline':
      return {
        event: 'deadline.warned',
        facts: {},
        notice: noticeOf(deps, request, 'deadline', at, {
          groups,
          text: `The time is nearly over (${request.expires_at}), and ${waiting} ${waiting.startsWith('1 ') ? 'is' : 'are'} still needed: ${what}.`,
        }),
      };
    case 'escalation': {
      const { stage, group, to } = timer.detail;
      if (typeof stage !== 'number' || typeof group !== 'string' || typeof to !== 'string')
        throw new CoreError('invalid_argument', `A timer of ${request.id} names no escalation.`);
      const own = current.stages[stage];
      if (own === undefined || own.satisfied) return null;
      const turn = own.open ? '' : ', once its turn comes';
      return {
        event: 'request.escalated',
        facts: { group, to },
        notice: noticeOf(deps, request, 'escalated', at, {
          groups: [to],
          text: `Members of ${to} may now decide in place of ${group}${turn}: ${what}. Still waiting for ${waiting}.`,
        }),
      };
    }
  }
}
