import { z } from 'zod';
import { personViewSchema } from './decision.js';
import { idSchema, instantSchema } from './primitives.js';

/** A conversation of a chat platform that a bot was added to or addressed in. */
export const chatPlaceSchema = z
  .strictObject({
    id: idSchema('pl'),
    platform: z.enum(['slack', 'teams', 'email']),
    kind: z.enum(['personal', 'group', 'channel']),
    /** What people call it; null where the platform did not say. */
    name: z.string().nullable(),
    /** The platform's own id of it. */
    place: z.string(),
    /** Whether cards may be posted there. A personal chat needs no such word: it gets what its person may decide. */
    allowed: z.boolean(),
    /** Who allowed it last, or took that back; null where nobody has spoken yet. */
    decided_by: personViewSchema.nullable(),
    decided_at: instantSchema.nullable(),
    /** Whether the bot was removed from it, so that nothing can be posted until it is added again. */
    removed: z.boolean(),
    first_heard_at: instantSchema,
    last_heard_at: instantSchema,
  })
  .meta({ id: 'ChatPlace' });
export type ChatPlaceView = z.infer<typeof chatPlaceSchema>;

export const chatPlaceListSchema = z.strictObject({ data: z.array(chatPlaceSchema), next_cursor: z.null() }).meta({ id: 'ChatPlaceList' });

export const chatPlaceQuerySchema = z.strictObject({
  kind: z.enum(['personal', 'group', 'channel']).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
});
