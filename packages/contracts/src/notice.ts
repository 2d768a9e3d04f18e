import { z } from 'zod';
import { idSchema, instantSchema } from './primitives.js';

/** What people are told of besides the card itself. */
export const noticeKinds = [
  'reminder',
  'escalated',
  'deadline',
  'break_glass',
  'review_overdue',
  'question_asked',
  'question_answered',
  'proposal_made',
  'stand_in',
  'passkey_enrolled',
  'passkey_removed',
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
