import { z } from 'zod';
import { askAgainSchema, decisionViewSchema } from './decision.js';
import { questionSchema } from './exchange.js';
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
    /** Starts at 1 per request and rises with each event that its callback is told of. */
    sequence: z.int().min(1),
    status: statusSchema.exclude(['pending']),
    action_digest: digestSchema,
    request_digest: digestSchema,
    policy_digest: digestSchema,
    decisions: z.array(decisionViewSchema),
    /** Why, in a sentence, where no person decided (policy, expiry, cancellation, revocation). */
    reason: z.string().nullable(),
    settled_at: instantSchema,
    /** Of a denial: whether asking again makes sense, by the strictest of those who denied; absent where nobody said. A hint: policy judges every request. */
    ask_again: askAgainSchema.optional(),
    /** Approved by the emergency road; somebody reviews it. */
    break_glass: z.literal(true).optional(),
    /** Approved by who stands behind the request: a team of one, as policy says. */
    self_approved: z.literal(true).optional(),
    /** A single-use grant (compact JWS); only in approved outcomes, only for the requesting caller. */
    grant: z.string().optional(),
  })
  .meta({ id: 'Outcome' });
export type OutcomeData = z.infer<typeof outcomeDataSchema>;

/** The events that callbacks tell of. A bare callback URL gets those of the outcome; a registered endpoint those that it asks for. */
export const callbackEvents = ['action_request.opened', 'decision.recorded', 'outcome.settled', 'outcome.revoked', 'question.asked'] as const;
export const callbackEventSchema = z.enum(callbackEvents);
export type CallbackEvent = z.infer<typeof callbackEventSchema>;

/** `data` of `action_request.opened`: what was asked is read through the API. */
export const openedDataSchema = z
  .strictObject({
    action_request: idSchema('ar'),
    sequence: z.int().min(1),
    status: statusSchema,
    action: z.string(),
    action_digest: digestSchema,
    request_digest: digestSchema,
    policy_digest: digestSchema,
    effect: z.enum(['allow', 'deny', 'require']),
    rules: z.array(z.string()),
    /** The request's page. */
    url: z.string(),
    created_at: instantSchema,
    expires_at: instantSchema,
  })
  .meta({ id: 'OpenedData' });
export type OpenedData = z.infer<typeof openedDataSchema>;

/** `data` of `decision.recorded`: one approver's decision, whether or not it settled the request. */
export const decisionDataSchema = z
  .strictObject({
    action_request: idSchema('ar'),
    sequence: z.int().min(1),
    action_digest: digestSchema,
    request_digest: digestSchema,
    policy_digest: digestSchema,
    decision: decisionViewSchema,
    /** Who is still needed, in words; null when nobody is. */
    waiting_for: z.string().nullable(),
  })
  .meta({ id: 'DecisionData' });
export type DecisionData = z.infer<typeof decisionDataSchema>;

/** `data` of `question.asked`: an approver wants to know something; `POST …/questions/{id}/answers` answers. */
export const questionDataSchema = z
  .strictObject({
    action_request: idSchema('ar'),
    sequence: z.int().min(1),
    action_digest: digestSchema,
    request_digest: digestSchema,
    question: questionSchema,
    /** Where the answer goes. */
    answer_url: z.string(),
  })
  .meta({ id: 'QuestionData' });
export type QuestionData = z.infer<typeof questionDataSchema>;

/** The callback's body. */
export const callbackSchema = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('outcome.settled'), timestamp: instantSchema, data: outcomeDataSchema }),
    z.strictObject({ type: z.literal('outcome.revoked'), timestamp: instantSchema, data: outcomeDataSchema }),
    z.strictObject({ type: z.literal('action_request.opened'), timestamp: instantSchema, data: openedDataSchema }),
    z.strictObject({ type: z.literal('decision.recorded'), timestamp: instantSchema, data: decisionDataSchema }),
    z.strictObject({ type: z.literal('question.asked'), timestamp: instantSchema, data: questionDataSchema }),
    /** A test that an administrator sent: nothing happened. */
    z.strictObject({ type: z.literal('endpoint.tested'), timestamp: instantSchema, data: z.strictObject({ endpoint: idSchema('ep') }) }),
  ])
  .meta({ id: 'Callback' });
export type Callback = z.infer<typeof callbackSchema>;

/** CloudEvents 1.0.2 in JSON, structured mode: what an endpoint of that format gets. `data` is the Callback's. */
export const cloudEventSchema = z
  .strictObject({
    specversion: z.literal('1.0'),
    id: idSchema('msg'),
    source: z.string(),
    type: z.string(),
    subject: z.string(),
    time: instantSchema,
    datacontenttype: z.literal('application/json'),
    data: z.record(z.string(), z.json()),
  })
  .meta({ id: 'CloudEvent' });
