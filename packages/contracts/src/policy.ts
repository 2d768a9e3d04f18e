import { z } from 'zod';
import { configChangeSchema } from './config-change.js';
import { effectSchema } from './evaluation.js';
import { digestSchema, idSchema, instantSchema, textSchema } from './primitives.js';

/** `POST /v1/policies`: the files of one bundle. Their names are for messages alone. */
export const policyUploadSchema = z
  .strictObject({
    files: z
      .array(z.strictObject({ path: textSchema(512), text: z.string().max(1_048_576) }))
      .min(1)
      .max(200),
  })
  .meta({ id: 'PolicyUpload' });
export type PolicyUpload = z.infer<typeof policyUploadSchema>;

/** Why a bundle cannot be used, and where; lines and columns count from 1. */
export const policyProblemSchema = z
  .strictObject({ file: z.string(), line: z.int(), column: z.int(), message: z.string(), hint: z.string().optional() })
  .meta({ id: 'PolicyProblem' });
export type PolicyProblemView = z.infer<typeof policyProblemSchema>;

const personSchema = z.strictObject({ id: idSchema('per'), email: z.string(), name: z.string() });

/** Where a bundle that was put in force came from. */
export const policyOriginSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.enum(['api', 'rollback']),
      person: personSchema,
      /** Who approved it, where it had to be approved. */
      approved_by: z.array(personSchema).optional(),
      change: idSchema('cc').optional(),
      reason: z.string().optional(),
    }),
    z.strictObject({ kind: z.enum(['file', 'quickstart']), path: z.string() }),
    z.strictObject({
      kind: z.literal('git'),
      /** Without user and password. */
      url: z.string(),
      ref: z.string(),
      path: z.string(),
      commit: z.string(),
      /** As the file of allowed signers names them; absent where no signature is demanded. */
      signer: z.string().optional(),
    }),
    z.strictObject({ kind: z.literal('other'), by: z.string() }),
  ])
  .meta({ id: 'PolicyOrigin' });
export type PolicyOrigin = z.infer<typeof policyOriginSchema>;

/** A time for which a bundle was in force. */
export const policyActivationSchema = z
  .strictObject({
    policy_digest: digestSchema,
    /** What was in force before; null for the first. */
    previous: digestSchema.nullable(),
    activated_at: instantSchema,
    /** A person's id, or the source. */
    activated_by: z.string(),
    origin: policyOriginSchema,
    in_force: z.boolean(),
  })
  .meta({ id: 'PolicyActivation' });
export type PolicyActivation = z.infer<typeof policyActivationSchema>;

const bundleMembers = {
  policy_digest: digestSchema,
  name: z.string(),
  version: z.union([z.int(), z.string()]),
  owner: z.string().nullable(),
  stored_at: instantSchema,
  in_force: z.boolean(),
};

export const policyListSchema = z
  .strictObject({
    /** Bundles that are stored, the newest first. */
    data: z.array(z.strictObject(bundleMembers)),
    next_cursor: z.null(),
  })
  .meta({ id: 'PolicyList' });

export const policyHistorySchema = z.strictObject({ data: z.array(policyActivationSchema), next_cursor: z.null() }).meta({ id: 'PolicyHistory' });

export const policySchema = z
  .strictObject({
    ...bundleMembers,
    /** RFC 8785 text; the digest is SHA-256 over it. */
    canonical: z.string(),
    rules: z.array(z.strictObject({ id: z.string(), effect: effectSchema, actions: z.array(z.string()) })),
  })
  .meta({ id: 'Policy' });

/** One kind of difference that another bundle would have made to the requests of the last days. */
export const policyTransitionSchema = z
  .strictObject({
    from: effectSchema,
    to: effectSchema,
    /** `looser`: less is needed, or it was not shown that as much is. */
    direction: z.enum(['looser', 'stricter']),
    count: z.int(),
    /** A few of them. */
    examples: z.array(idSchema('ar')),
  })
  .meta({ id: 'PolicyTransition' });
export type PolicyTransition = z.infer<typeof policyTransitionSchema>;

/** How a bundle compares with the one in force. */
export const policyComparisonSchema = z
  .strictObject({
    from: digestSchema,
    to: digestSchema,
    /** Whether it may loosen: it needs the approval of the owner of the bundle in force. */
    loosens: z.boolean(),
    /** Why, in sentences; empty where it only tightens. */
    reasons: z.array(z.string()),
    replayed: z.int(),
    transitions: z.array(policyTransitionSchema),
  })
  .meta({ id: 'PolicyComparison' });
export type PolicyComparison = z.infer<typeof policyComparisonSchema>;

/** `POST /v1/policies/replay`: what a draft would have made of the requests of the last days. Nothing is stored. */
export const policyReplayBodySchema = policyUploadSchema
  .extend({
    days: z.int().min(1).max(365).default(30),
    /** At most so many requests, the latest. */
    requests: z.int().min(1).max(100_000).default(10_000),
  })
  .meta({ id: 'PolicyReplayBody' });

export const policyActivateBodySchema = z.strictObject({ reason: textSchema(2000).optional() }).meta({ id: 'PolicyActivateBody' });

/** What activating answers: in force now (200), or waiting for approval (202). */
export const activatedPolicySchema = z
  .strictObject({
    policy_digest: digestSchema,
    previous: digestSchema.nullable(),
    in_force: z.boolean(),
    comparison: policyComparisonSchema.nullable(),
    /** The change that waits for approval. */
    change: configChangeSchema.nullable(),
  })
  .meta({ id: 'ActivatedPolicy' });

/** The last look at a source of policy. */
export const policySourceSchema = z
  .strictObject({
    source: z.string(),
    kind: z.enum(['file', 'git', 'quickstart']),
    looked_at: instantSchema,
    /** What it held when it was last well. */
    policy_digest: digestSchema.nullable(),
    /** The git commit. */
    revision: z.string().nullable(),
    /** Since when it fails; null while it is well. */
    failed_at: instantSchema.nullable(),
    problems: z.array(policyProblemSchema),
    /** Whether its bundle is the one in force; otherwise somebody has to activate it, or has put another one in force. */
    in_force: z.boolean(),
  })
  .meta({ id: 'PolicySource' });
export type PolicySourceView = z.infer<typeof policySourceSchema>;

export const policyStatusSchema = z
  .strictObject({ in_force: policyActivationSchema.nullable(), sources: z.array(policySourceSchema) })
  .meta({ id: 'PolicyStatus' });

export const policyQuerySchema = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50) });
