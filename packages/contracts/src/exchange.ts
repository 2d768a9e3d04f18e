import { z } from 'zod';
import { decisionBodySchema, decisionViewSchema, personViewSchema } from './decision.js';
import { problemSchema } from './problem.js';
import { digestSchema, idSchema, instantSchema, jsonObjectSchema, textSchema } from './primitives.js';

/** `POST /v1/action-requests/{id}/questions`. */
export const questionBodySchema = z.strictObject({ text: textSchema(2000) }).meta({ id: 'QuestionBody' });
/** `POST /v1/action-requests/{id}/questions/{question}/answers`. */
export const answerBodySchema = z.strictObject({ text: textSchema(4000) }).meta({ id: 'AnswerBody' });

/** What an approver asked of whoever wants the action, and the answer. Both texts are masked. */
export const questionSchema = z
  .strictObject({
    id: idSchema('q'),
    person: personViewSchema,
    text: z.string(),
    asked_at: instantSchema,
    /** Null until it is answered; `by` names the API key or the person. */
    answer: z.strictObject({ text: z.string(), by: z.string(), answered_at: instantSchema }).nullable(),
  })
  .meta({ id: 'Question' });
export type QuestionView = z.infer<typeof questionSchema>;

/** `POST /v1/action-requests/{id}/proposals`: other values for parameters, by path; only paths that policy lists. */
export const proposalBodySchema = z
  .strictObject({ parameters: jsonObjectSchema, reason: textSchema(2000).optional() })
  .refine(({ parameters }) => Object.keys(parameters).length > 0 && Object.keys(parameters).length <= 50, {
    message: 'name 1 to 50 parameters by path',
    path: ['parameters'],
  })
  .meta({ id: 'ProposalBody' });

/** A counter-proposal: what an approver would rather see run. It changes nothing; who accepts it opens a new request with its own digests. */
export const proposalSchema = z
  .strictObject({
    id: idSchema('pr'),
    person: personViewSchema,
    /** By path; masked. */
    parameters: jsonObjectSchema,
    reason: z.string().nullable(),
    proposed_at: instantSchema,
    /** The request that accepting it opened; null until then. */
    accepted_as: idSchema('ar').nullable(),
    accepted_at: instantSchema.nullable(),
  })
  .meta({ id: 'Proposal' });
export type ProposalView = z.infer<typeof proposalSchema>;

/** `POST /v1/decisions`: several decisions at once, each named by its id and the digest of what was looked at, each judged alone. */
export const bulkBodySchema = z
  .strictObject({
    decisions: z
      .array(decisionBodySchema.safeExtend({ action_request: idSchema('ar'), request_digest: digestSchema }))
      .min(1)
      .max(50)
      .refine((decisions) => new Set(decisions.map(({ action_request }) => action_request)).size === decisions.length, 'each request once'),
  })
  .meta({ id: 'BulkBody' });

/** In the order of the body: the decision, or why there is none. */
export const bulkAnswerSchema = z
  .strictObject({
    data: z.array(
      z.strictObject({
        action_request: idSchema('ar'),
        decision: decisionViewSchema.optional(),
        refused: problemSchema.pick({ code: true, detail: true }).optional(),
      }),
    ),
    next_cursor: z.null(),
  })
  .meta({ id: 'BulkAnswer' });
