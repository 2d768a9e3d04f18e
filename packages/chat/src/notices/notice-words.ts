import type { NoticeKind } from '@countersign/contracts';
import { requestUrlOf } from '@countersign/core/card';
import type { NoticeTask, RequestState } from '@countersign/core/ports';
import type { ChatMessage, MessageAction } from '../message.js';
import type { ChatWorld } from '../world.js';

/** Told to one person, into the thread of a card, or to a channel by itself. */
export type Telling = { to: 'person'; hints: readonly string[] } | { to: 'thread'; hints: readonly string[] } | { to: 'channel' };

const TITLES: Readonly<Record<NoticeKind, string>> = {
  reminder: 'Still waiting',
  escalated: 'You may decide now',
  turn: 'It is your turn',
  deadline: 'The time is nearly over',
  break_glass: 'Somebody broke the glass',
  review_overdue: 'A review is overdue',
  question_asked: 'A question about a request',
  question_answered: 'An answer to a question',
  proposal_made: 'Another proposal',
  settled: 'A request was decided',
  expired: 'Nobody decided in time',
  reported: 'What came of it',
  not_me: 'Somebody will not decide it',
  digest: 'What waits for you',
  stand_in: 'Who stands in for whom',
  routing_failed: 'Cards cannot be shown where policy sends them',
  passkey_enrolled: 'A passkey was enrolled',
  passkey_removed: 'A passkey was removed',
};

/** Where several people read. */
const SHARED_TITLES: Readonly<Partial<Record<NoticeKind, string>>> = {
  escalated: 'More people may decide now',
  turn: 'The next stage is asked',
  digest: 'What waits here',
};

/** The outcome itself is the card's: in its thread it would stand twice. */
export const goesIntoThread = (kind: NoticeKind): boolean => kind !== 'settled' && kind !== 'digest';

/** A notice as a message: its sentence, what else the person should know, and what can be done about it at once. Null: nothing is said there. */
export function messageOf(world: Pick<ChatWorld, 'publicUrl'>, { notice }: NoticeTask, state: RequestState | null, telling: Telling): ChatMessage | null {
  const title = telling.to === 'person' ? TITLES[notice.kind] : (SHARED_TITLES[notice.kind] ?? TITLES[notice.kind]);
  const links =
    notice.request_id === null
      ? [{ label: 'Open Countersign', url: world.publicUrl }]
      : [{ label: 'Open the request', url: requestUrlOf(world.publicUrl, notice.request_id) }];
  return {
    title,
    lines: [readable(notice.text), ...(telling.to === 'channel' ? [] : telling.hints.map(readable))],
    links,
    actions: state === null ? [] : actionsOf(notice, state, telling),
  };
}

function actionsOf({ kind, at }: NoticeTask['notice'], state: RequestState, telling: Telling): MessageAction[] {
  const { id: request_id, request_digest, status } = state.request;
  const about = { request_id, request_digest };
  switch (kind) {
    case 'reminder':
    case 'deadline':
    case 'escalated':
    case 'turn':
      return status === 'pending' && telling.to === 'person' ? [{ label: 'Snooze', action: 'snooze', ...about }] : [];
    case 'question_asked': {
      const question = state.questions.find(({ asked_at, answer }) => asked_at === at && answer === null);
      return question === undefined || status !== 'pending' ? [] : [{ label: 'Answer', action: 'answer', ...about, subject: question.id }];
    }
    case 'break_glass':
    case 'review_overdue': {
      const review = state.reviews.find(({ finding }) => finding === null);
      return review === undefined ? [] : [{ label: 'Review', action: 'review', ...about, subject: review.id }];
    }
    default:
      return [];
  }
}

/** Our own instants, as people read them: 2026-11-21 12:03 UTC. */
export const readable = (text: string): string => text.replace(/\b(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}):\d{2}\.\d{3}Z/g, '$1 $2 UTC');
