import { z } from 'zod';
import { instantSchema, jsonObjectSchema } from './primitives.js';

/** The events of a request's timeline and of the ledger: noun.past. */
export const eventNames = [
  'action_request.opened',
  'decision.recorded',
  'decision.refused',
  'card.opened',
  'reminder.sent',
  'request.escalated',
  'deadline.warned',
  'question.asked',
  'question.answered',
  'proposal.made',
  'proposal.accepted',
  'review.opened',
  'review.completed',
  'review.overdue',
  'delegation.created',
  'delegation.ended',
  'outcome.settled',
  'outcome.revoked',
  'delivery.attempted',
  'grant.issued',
  'grant.redeemed',
  'grant.refused',
  'execution.reported',
  'card.posted',
  'card.closed',
  'mail.opened',
  'value.revealed',
  'policy.activated',
  'policy.stored',
  'freeze.placed',
  'freeze.lifted',
  'freeze.ended',
  'config_change.proposed',
  'config_change.applied',
  'config_change.failed',
  'pattern.created',
  'pattern.used',
  'pattern.revoked',
  'key.rotated',
  'api_key.created',
  'api_key.changed',
  'api_key.rotated',
  'api_key.revoked',
  'workload.exchanged',
  'keys.rewrapped',
  'passkey.enrolled',
  'passkey.removed',
  'passkey.refused',
  'directory.loaded',
  'endpoint.changed',
  'person.changed',
  'group.changed',
  'agent.changed',
  'scim_token.created',
  'scim_token.revoked',
  'account.linked',
  'account.unlinked',
  'place.allowed',
  'place.disallowed',
  'token.created',
  'token.revoked',
] as const;
export const eventNameSchema = z.enum(eventNames);
export type EventName = (typeof eventNames)[number];

/** One entry of a request's timeline. `detail` is masked. */
export const timelineEventSchema = z
  .strictObject({
    id: z.string(),
    event: eventNameSchema,
    at: instantSchema,
    /** The entry's position in the ledger; null until the sequencer has placed it. */
    ledger_index: z.int().nullable(),
    detail: jsonObjectSchema,
  })
  .meta({ id: 'TimelineEvent' });
export type TimelineEvent = z.infer<typeof timelineEventSchema>;
