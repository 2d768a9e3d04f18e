import { z } from 'zod';
import { idSchema, instantSchema } from './primitives.js';

/** What people are told of besides the card itself. */
export const noticeKinds = [
  'reminder',
  'escalated',
  /** An earlier stage is met: the next one is asked. */
  'turn',
  'deadline',
  'break_glass',
  'review_overdue',
  'question_asked',
  'question_answered',
  'proposal_made',
  /** What came of a request that waited, to the people behind it. */
  'settled',
  /** Nobody decided in time: to the people behind it, and to those who were asked. */
  'expired',
  /** What the executor says came of the action. */
  'reported',
  /** Somebody says that they will not decide a request; to the others who are asked. */
  'not_me',
  /** What waits for somebody, at the hours of the bundle. */
  'digest',
  'stand_in',
  'passkey_enrolled',
  'passkey_removed',
  /** Cards cannot be shown where policy sends them; for administrators. */
  'routing_failed',
] as const;
export const noticeKindSchema = z.enum(noticeKinds);
export type NoticeKind = z.infer<typeof noticeKindSchema>;

/** One thing that somebody is told, in the stream of events and by chat. */
export const noticeSchema = z
  .strictObject({
    id: idSchema('nt'),
    kind: noticeKindSchema,
    /** Null where it is about no request. */
    action_request: idSchema('ar').nullable(),
    /** A sentence, masked. */
    text: z.string(),
    at: instantSchema,
  })
  .meta({ id: 'Notice' });
export type NoticeView = z.infer<typeof noticeSchema>;
