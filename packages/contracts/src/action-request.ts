import { z } from 'zod';
import { authenticatedSchema, decisionViewSchema } from './decision.js';
import { evaluationSchema, requirementSchema, reversibilitySchema } from './evaluation.js';
import { evaluationExplanationSchema } from './explanation.js';
import { proposalSchema, questionSchema } from './exchange.js';
import { outcomeDataSchema, statusSchema } from './outcome.js';
import { freezeNoticeSchema } from './freeze.js';
import { patternUseSchema } from './pattern.js';
import { digestSchema, idSchema, instantSchema, jsonObjectSchema, jsonSchema, textSchema } from './primitives.js';
import { reportViewSchema } from './report.js';
import { reviewSchema } from './review.js';

const nameSchema = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]*$/, 'letters, digits and . _ : / - only, beginning with a letter or digit');

export const resourceSchema = z.strictObject({
  type: nameSchema,
  id: textSchema(1024),
  labels: z
    .record(z.string().min(1).max(64), z.string().max(256))
    .refine((labels) => Object.keys(labels).length <= 64, 'at most 64 labels')
    .optional(),
});
export type Resource = z.infer<typeof resourceSchema>;

export const actorSchema = z.strictObject({
  type: nameSchema.meta({ description: 'agent, service, pipeline, person, or a kind of your own' }),
  id: textSchema(256),
  on_behalf_of: z.strictObject({ type: z.literal('person'), id: textSchema(320) }).optional(),
});
export type Actor = z.infer<typeof actorSchema>;

/** What runs and for whom: the members that the action digest covers. */
const actionMembers = {
  action: nameSchema,
  resource: resourceSchema,
  parameters: jsonObjectSchema.optional(),
  actor: actorSchema,
  environment: z
    .string()
    .min(1)
    .max(64)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
    .optional(),
};

/** The action as it will run; a grant is redeemed for exactly this. */
export const actionSchema = z.strictObject(actionMembers).meta({ id: 'Action' });
export type Action = z.infer<typeof actionSchema>;

const httpUrl = z.url({ protocol: /^https?$/ }).max(2048);

export const contextSchema = z
  .object({
    run_url: httpUrl.optional(),
    diff: z.string().max(131072).optional(),
    links: z
      .array(z.strictObject({ title: textSchema(200), url: httpUrl }))
      .max(20)
      .optional(),
    risk: z.enum(['low', 'medium', 'high', 'critical']).optional(),
  })
  .catchall(jsonSchema)
  .meta({ description: 'What helps people judge; members of your own are allowed and shown' });

export const callbackTargetSchema = z.union([z.strictObject({ url: z.string().min(1).max(2048) }), z.strictObject({ endpoint_id: idSchema('ep') })]);

/** Base64url of the SHA-256 that RFC 7638 takes of a public key. */
export const thumbprintSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be base64url of 32 bytes');

/** `POST /v1/action-requests`. */
export const submissionSchema = z
  .strictObject({
    ...actionMembers,
    reason: textSchema(4000).optional(),
    context: contextSchema.optional(),
    purpose: textSchema(256).optional(),
    callback: callbackTargetSchema.optional(),
    grant_audience: textSchema(512).optional(),
    /** RFC 7638 thumbprint of a key: whoever redeems proves at redemption that they have it (DPoP, RFC 9449). */
    grant_jkt: thumbprintSchema.optional(),
    timeout_seconds: z.int().min(1).max(2_592_000).optional(),
    undo: z.strictObject(actionMembers).omit({ actor: true, environment: true }).optional(),
  })
  .meta({ id: 'ActionRequestBody' });
export type Submission = z.infer<typeof submissionSchema>;

/** `POST /v1/evaluations`: what policy would say; nothing is opened. */
export const evaluationBodySchema = z
  .strictObject({ ...actionMembers, reason: textSchema(4000).optional(), context: contextSchema.optional() })
  .meta({ id: 'EvaluationBody' });

export const evaluationAnswerSchema = z
  .strictObject({
    evaluation: evaluationSchema,
    requirement: requirementSchema.nullable(),
    resolved: z.strictObject({
      labels: z.record(z.string(), z.string()),
      environment: z.string().nullable(),
      reversibility: reversibilitySchema,
    }),
    action_digest: digestSchema,
    /** Which rules matched, on what, and what would have changed it. */
    explanation: evaluationExplanationSchema,
  })
  .meta({ id: 'EvaluationAnswer' });
export type EvaluationAnswer = z.infer<typeof evaluationAnswerSchema>;

/** One value that was hidden: where, what it was, by which detector. */
export const maskedValueSchema = z.strictObject({
  pointer: z.string(),
  class: z.string(),
  action: z.enum(['strip', 'token']),
  detector: z.string(),
  length: z.int(),
});
export type MaskedValue = z.infer<typeof maskedValueSchema>;

/** The run of a pipeline, as its platform vouches for it. */
export const workflowSchema = z.strictObject({
  run: z.string().nullable(),
  repository: z.string().nullable(),
  job: z.string().nullable(),
});
export type WorkflowView = z.infer<typeof workflowSchema>;

/** Who asks, as verified; never taken from the request's body. */
export const requesterViewSchema = z.strictObject({
  /** `person`: a change of the configuration, which somebody else has to approve. */
  type: z.enum(['api_key', 'workload', 'person']),
  id: z.string(),
  name: z.string(),
  authenticated: authenticatedSchema,
  /** The run that asks, from the claims of a workload's token. */
  workflow: workflowSchema.optional(),
  /** What that token said, as far as the trust rule looked at it. */
  claims: z.record(z.string(), z.string()).optional(),
  /** What of the request the credential fixes, so that it is not merely the caller's word; absent: nothing. */
  fixes: z.array(z.enum(['actor', 'environment'])).optional(),
});
export type RequesterView = z.infer<typeof requesterViewSchema>;

/** An action request in answers. Values are masked; digests are over the unmasked action. */
export const actionRequestSchema = z
  .strictObject({
    id: idSchema('ar'),
    status: statusSchema,
    action_digest: digestSchema,
    request_digest: digestSchema,
    created_at: instantSchema,
    expires_at: instantSchema,
    url: z.string(),
    action: z.string(),
    resource: resourceSchema,
    parameters: jsonObjectSchema.optional(),
    actor: actorSchema,
    environment: z.string().optional(),
    reason: z.string().optional(),
    context: jsonObjectSchema.optional(),
    purpose: z.string().optional(),
    requester: requesterViewSchema,
    masked: z.array(maskedValueSchema),
    evaluation: evaluationSchema,
    requirement: requirementSchema.nullable(),
    decisions: z.array(decisionViewSchema),
    outcome: outcomeDataSchema.nullable(),
    redeemed_at: instantSchema.nullable(),
    /** Until when an approval may be used; null while there is none. */
    use_until: instantSchema.nullable(),
    /** What the executor said came of it; null until it says so. */
    report: reportViewSchema.nullable(),
    questions: z.array(questionSchema).optional(),
    /** What approvers would rather see run; accepting one opens a new request. */
    proposals: z.array(proposalSchema).optional(),
    /** The reviews of an approval by break-glass. */
    reviews: z.array(reviewSchema).optional(),
    /** The freezes that hold it now: it is not approved, and not redeemed, until somebody else lifts them. Absent where there is none. */
    freezes: z.array(freezeNoticeSchema).optional(),
    /** The pattern by which it was approved without asking. */
    pattern: patternUseSchema.optional(),
  })
  .meta({ id: 'ActionRequest' });
export type ActionRequest = z.infer<typeof actionRequestSchema>;

/** Query of `GET /v1/action-requests`. */
export const listQuerySchema = z.strictObject({
  status: statusSchema.optional(),
  action: nameSchema.optional(),
  actor: z.string().min(1).max(256).optional(),
  resource: z.string().min(1).max(1024).optional(),
  decided_by: z.string().min(1).max(320).optional(),
  from: z.iso.datetime({ offset: true }).optional(),
  to: z.iso.datetime({ offset: true }).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(512).optional(),
});
export type ListQuery = z.infer<typeof listQuerySchema>;

export const actionRequestListSchema = z
  .strictObject({ data: z.array(actionRequestSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'ActionRequestList' });
