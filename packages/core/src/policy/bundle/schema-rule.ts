import { effectSchema } from '@countersign/contracts';
import { z } from 'zod';
import { breakGlass, require } from './schema-require.js';
import { reveal } from './schema-reveal.js';
import { condition, duration, instant, MASK_PATH, patterns, PATH, paths, ruleId, text, VALUE_PATH, path } from './schema-parts.js';

const MAX_WINDOW_SECONDS = 90 * 86_400;

/** What a limit may count by: a value of the request, or the caller as it proved itself. */
const countedBy = z.union(
  [z.enum(['caller.id', 'caller.name', 'caller.type', 'caller.issuer']), path(VALUE_PATH, 'actor.id')],
  'a limit counts by caller.id, or by a path of the request such as actor.id',
);

const limit = z.strictObject({
  count: z.int().min(0).max(1_000_000),
  per: duration(MAX_WINDOW_SECONDS, 60),
  by: z.union([countedBy, z.array(countedBy).min(1).max(5)]).optional(),
  on_exceed: z.enum(['require', 'deny']),
  exceed_rule: ruleId.optional(),
});

export const rule = z.strictObject({
  id: ruleId,
  effect: effectSchema,
  /** `shadow`: evaluated and reported, not enforced. */
  mode: z.enum(['enforce', 'shadow']).optional(),
  actions: patterns,
  resource_types: patterns.optional(),
  environments: patterns.optional(),
  when: condition.optional(),
  unless: condition.optional(),
  /** Rules that do not hold where this one matches. */
  exempts: z.array(ruleId).min(1).max(50).optional(),
  /** The author knows that this rule believes what a caller merely says. */
  trust: z.literal('asserted').optional(),
  /** From then on the rule does not match. */
  expires: instant.optional(),
  limit: limit.optional(),
  explain: text(1000).optional(),
  require: require.optional(),
  break_glass: breakGlass.optional(),
  masks: paths(MASK_PATH).optional(),
  must_show: paths(PATH).optional(),
  /** Who may see, one at a time, what masks hide of a request that this rule matches. */
  reveal: reveal.optional(),
  suggested_by: text(1000).optional(),
});
export type RuleDocument = z.infer<typeof rule>;
