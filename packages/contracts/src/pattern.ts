import { z } from 'zod';
import { personViewSchema } from './decision.js';
import { idSchema, instantSchema } from './primitives.js';

/** How an approved pattern let a request pass. */
export const patternUseSchema = z
  .strictObject({
    id: idSchema('pt'),
    /** The request that was approved with the pattern. */
    action_request: idSchema('ar'),
    approved_by: z.array(personViewSchema),
    /** The how manyth use of how many this was. */
    use: z.int(),
    uses: z.int(),
  })
  .meta({ id: 'PatternUse' });
export type PatternUse = z.infer<typeof patternUseSchema>;

/** What an approver lets pass without being asked again: the same action, resource, actor, environment and requester, these parameters pinned. */
export const patternSchema = z
  .strictObject({
    id: idSchema('pt'),
    state: z.enum(['live', 'used_up', 'over', 'revoked']),
    action_request: idSchema('ar'),
    action: z.string(),
    resource: z.strictObject({ type: z.string(), id: z.string() }),
    actor: z.strictObject({ type: z.string(), id: z.string() }),
    environment: z.string().nullable(),
    requester: z.strictObject({ type: z.string(), id: z.string(), name: z.string() }),
    /** Values are masked. */
    pinned: z.array(z.strictObject({ path: z.string(), value: z.string() })),
    approved_by: z.array(personViewSchema),
    created_at: instantSchema,
    expires_at: instantSchema,
    uses: z.int(),
    used: z.int(),
    revoked_at: instantSchema.nullable(),
    revoked_by: personViewSchema.nullable(),
  })
  .meta({ id: 'Pattern' });
export type PatternView = z.infer<typeof patternSchema>;

export const patternListSchema = z.strictObject({ data: z.array(patternSchema), next_cursor: z.null() }).meta({ id: 'PatternList' });

export const patternQuerySchema = z.strictObject({
  state: z.enum(['live', 'all']).default('live'),
  limit: z.coerce.number().int().min(1).max(500).default(200),
});
