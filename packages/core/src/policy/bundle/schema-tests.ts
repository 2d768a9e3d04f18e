import { effectSchema, jsonObjectSchema } from '@countersign/contracts';
import { z } from 'zod';
import { group, instant, ruleId, text } from './schema-parts.js';

const named = z.strictObject({ type: text(128), id: text(256) });

/** A request as a test writes it: what is left out is filled in by the runner (a resource that the catalogue does not know, an agent). */
const testRequest = z.strictObject({
  action: text(128),
  resource: z.strictObject({ type: text(128), id: text(1024), labels: z.record(z.string().min(1).max(64), z.string().max(256)).optional() }).optional(),
  parameters: jsonObjectSchema.optional(),
  actor: z.strictObject({ type: text(128), id: text(256), on_behalf_of: named.optional() }).optional(),
  environment: text(64).optional(),
  reason: text(4000).optional(),
  context: jsonObjectSchema.optional(),
});

const caller = z.strictObject({
  type: text(64).optional(),
  id: text(256),
  name: text(256).optional(),
  issuer: text(512).optional(),
  claims: z.record(z.string().max(256), z.string().max(4096)).optional(),
});

const expectation = z.strictObject({
  outcome: effectSchema,
  /** Exactly the rules that decided it. */
  rules: z.array(ruleId).max(200).optional(),
  /** Of what people must do: the groups with their quorums, over all stages. */
  groups: z.record(group, z.int().min(1)).optional(),
  /** Rules in shadow mode that would have counted. */
  shadow: z.array(ruleId).max(200).optional(),
  /** A text that the explanation contains. */
  explanation: text(1000).optional(),
});

export const policyTest = z.strictObject({
  name: text(256),
  request: testRequest,
  /** The instant of the evaluation; absent: 2026-01-01T12:00:00Z, which is a Thursday. */
  now: instant.optional(),
  caller: caller.optional(),
  /** What of the request is not merely said by the caller. */
  verified: z
    .array(z.enum(['actor', 'environment']))
    .max(2)
    .optional(),
  /** Rules whose limit is used up. */
  exceeded: z.array(ruleId).max(50).optional(),
  expect: expectation,
});
export type PolicyTest = z.infer<typeof policyTest>;

const share = z.union([z.string().regex(/^(?:100|\d{1,2})%$/, 'a share is written like 90%'), z.int().min(0).max(100)]);

/** How much of the bundle its tests must have seen: rules that matched, conjuncts that were both true and false. */
export const coverage = z.strictObject({ min_rules: share.optional(), min_conditions: share.optional() });
export type CoverageDocument = z.infer<typeof coverage>;
