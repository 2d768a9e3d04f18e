import { z } from 'zod';
import { personViewSchema } from './decision.js';
import { idSchema, instantSchema, textSchema } from './primitives.js';

export const findingSchema = z.enum(['justified', 'unjustified']);
export type Finding = z.infer<typeof findingSchema>;

/** `POST /v1/reviews/{id}`. */
export const reviewBodySchema = z.strictObject({ finding: findingSchema, note: textSchema(2000) }).meta({ id: 'ReviewBody' });
export type ReviewBody = z.infer<typeof reviewBodySchema>;

/** The task that break-glass leaves: somebody else looks whether it was justified. It stays open until somebody has. */
export const reviewSchema = z
  .strictObject({
    id: idSchema('rv'),
    action_request: idSchema('ar'),
    /** Whose members review it; never who broke the glass, nor who stands behind the request. */
    groups: z.array(z.string()),
    opened_at: instantSchema,
    due_at: instantSchema,
    /** The last members are null until somebody has reviewed it. */
    finding: findingSchema.nullable(),
    note: z.string().nullable(),
    reviewed_by: personViewSchema.nullable(),
    reviewed_at: instantSchema.nullable(),
  })
  .meta({ id: 'Review' });
export type ReviewView = z.infer<typeof reviewSchema>;

export const reviewListSchema = z.strictObject({ data: z.array(reviewSchema), next_cursor: z.null() }).meta({ id: 'ReviewList' });
export const reviewQuerySchema = z.strictObject({ state: z.enum(['open', 'all']).default('open') });
