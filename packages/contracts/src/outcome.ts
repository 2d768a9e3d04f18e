import { z } from 'zod';
import { decisionViewSchema } from './decision.js';
import { digestSchema, idSchema, instantSchema } from './primitives.js';

/** A request's state; all but `pending` are terminal (an approval can still be revoked before it is redeemed). */
export const statusSchema = z.enum(['pending', 'approved', 'denied', 'expired', 'cancelled', 'revoked']);
export type Status = z.infer<typeof statusSchema>;
export type OutcomeStatus = Exclude<Status, 'pending'>;

/** What a callback's `data` and an answer's `outcome` hold. */
export const outcomeDataSchema = z
  .strictObject({
    id: idSchema('out'),
    action_request: idSchema('ar'),
    /** Starts at 1 per request and rises; a revocation is 2. */
    sequence: z.int().min(1),
    status: statusSchema.exclude(['pending']),
    action_digest: digestSchema,
    request_digest: digestSchema,
    policy_digest: digestSchema,
    decisions: z.array(decisionViewSchema),
    /** Why, in a sentence, where no person decided (policy, expiry, cancellation, revocation). */
    reason: z.string().nullable(),
    settled_at: instantSchema,
    /** A single-use grant (compact JWS); only in approved outcomes, only for the requesting caller. */
    grant: z.string().optional(),
  })
  .meta({ id: 'Outcome' });
export type OutcomeData = z.infer<typeof outcomeDataSchema>;

/** The callback's body. */
export const callbackSchema = z
  .strictObject({
    type: z.enum(['outcome.settled', 'outcome.revoked']),
    timestamp: instantSchema,
    data: outcomeDataSchema,
  })
  .meta({ id: 'Callback' });
export type Callback = z.infer<typeof callbackSchema>;
