import { z } from 'zod';
import { digestSchema } from './primitives.js';

/** What policy says of an action, from least to most restrictive: allow < require < deny. */
export const effectSchema = z.enum(['allow', 'require', 'deny']);
export type Effect = z.infer<typeof effectSchema>;

/** How easily an action can be undone; a caller cannot lower what the bundle declares. */
export const reversibilitySchema = z.enum(['reversible', 'recoverable', 'irreversible']);
export type Reversibility = z.infer<typeof reversibilitySchema>;

/**
 * One stage: every group in `all` must reach its quorum, each place filled by another human
 * (one person in two groups fills one place). Stages are worked through in order.
 */
export const stageSchema = z.strictObject({
  name: z.string().max(128),
  all: z
    .array(z.strictObject({ group: z.string().max(128), quorum: z.int().min(1).max(50) }))
    .min(1)
    .max(20),
  /** How many different people must have approved in this stage; at least the sum of the quorums. */
  distinct_humans: z.int().min(1).max(100),
});
export type Stage = z.infer<typeof stageSchema>;

/** What people must do before the action may run; part of the request digest. */
export const requirementSchema = z.strictObject({
  stages: z.array(stageSchema).min(1).max(20),
  /** So many denials deny the request. */
  deny_threshold: z.int().min(1).max(50),
  /** Whether a decision of that verdict must carry a reason. */
  reason_required: z.strictObject({ approve: z.boolean(), deny: z.boolean() }),
  /** How long people have, in seconds; null: the server's default. */
  timeout_seconds: z.int().min(1).nullable(),
  /** How long a grant lives, in seconds. */
  grant_ttl_seconds: z.int().min(1).max(900),
  /** How long the approval itself may be used, in seconds from when it was settled: until then the requester gets fresh grants. */
  use_within_seconds: z.int().min(1),
});
export type Requirement = z.infer<typeof requirementSchema>;

/** The evaluation as callers and approvers see it. */
export const evaluationSchema = z.strictObject({
  effect: effectSchema,
  /** Ids of the rules that decided the effect, sorted. */
  rules: z.array(z.string()),
  policy_digest: digestSchema,
  /** One or more sentences; every value in it is masked. */
  explanation: z.string(),
});
export type EvaluationView = z.infer<typeof evaluationSchema>;
