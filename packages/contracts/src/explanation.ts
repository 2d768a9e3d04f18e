import { z } from 'zod';
import { effectSchema, reversibilitySchema } from './evaluation.js';
import { digestSchema, instantSchema } from './primitives.js';

/** `error` is neither true nor false: the condition could not be computed. */
export const truthSchema = z.enum(['true', 'false', 'error']);

/** A value that a condition read, as text: JSON where it is no text, cut where it is long. */
export const explainedValueSchema = z.strictObject({
  /** As conditions write it, such as `parameters.rows` or `has(resource.labels.tier)`. */
  path: z.string(),
  /** Null where there was none. */
  value: z.string().nullable(),
  /** The value, or part of it, is hidden. */
  masked: z.literal(true).optional(),
});

/** One conjunct of a rule's condition, or of a stage or channel that it asks: what it was, on what, and what would have come of it otherwise. */
export const explainedConditionSchema = z.strictObject({
  role: z.enum(['when', 'unless', 'stage', 'channel']),
  /** The stage or channel that the condition belongs to, which is left out where it is false; absent for `when` and `unless`. */
  of: z.string().optional(),
  /** As its author wrote it. */
  condition: z.string(),
  truth: truthSchema,
  values: z.array(explainedValueSchema),
  /** The effect of the whole policy, had this condition alone been the other way; absent where it would have been the same. */
  otherwise: z.strictObject({ truth: z.enum(['true', 'false']), effect: effectSchema }).optional(),
});

/** How one rule came out. */
export const explainedRuleSchema = z.strictObject({
  rule: z.string(),
  bundle: z.string(),
  effect: effectSchema,
  /** `shadow`: evaluated and reported, not enforced. */
  mode: z.enum(['enforce', 'shadow']),
  result: z.enum(['matched', 'not_matched', 'indeterminate']),
  /** Whether it is one of those that decided the effect. */
  decided: z.boolean(),
  /** Why it did not match, or could not be checked. */
  reason: z.string().optional(),
  conditions: z.array(explainedConditionSchema),
});

/** Why policy said what it said: the same structure on the card, in the API and in the console; the ledger holds its digest. */
export const evaluationExplanationSchema = z
  .strictObject({
    effect: effectSchema,
    policy_digest: digestSchema,
    /** The bundles in force together, the highest tier first. */
    policy: z.array(z.strictObject({ name: z.string(), version: z.union([z.int(), z.string()]), tier: z.enum(['org', 'team', 'service']).optional() })),
    /** The instant for which it was evaluated. */
    at: instantSchema,
    resolved: z.strictObject({ labels: z.record(z.string(), z.string()), environment: z.string().nullable(), reversibility: reversibilitySchema }),
    /** The rules for this action, sorted by id. */
    rules: z.array(explainedRuleSchema),
    /** How many rules are for other actions. */
    other_rules: z.int(),
    /** What beside the rules had a say: defaults, the catalogue, masking. */
    beside: z.array(z.strictObject({ effect: effectSchema, text: z.string(), decided: z.boolean() })),
    /** Rules in shadow mode that would have counted, and the effect with them. */
    shadow: z.strictObject({ rules: z.array(z.string()), effect: effectSchema }),
  })
  .meta({ id: 'EvaluationExplanation' });
export type EvaluationExplanation = z.infer<typeof evaluationExplanationSchema>;
export type ExplainedValue = z.infer<typeof explainedValueSchema>;
