import { z } from 'zod';
import { personViewSchema } from './decision.js';
import { idSchema, instantSchema, textSchema } from './primitives.js';

/**
 * What a freeze holds: everything, or all that fits every member that is given. `actor` is the id of whoever acts, or on whose behalf, in
 * any case of letters; `caller` is the id of an API key or workload; in `action` a `*` is any run of characters.
 */
export const freezeScopeSchema = z
  .union([
    z.strictObject({ everything: z.literal(true) }),
    z
      .strictObject({ actor: textSchema(320).optional(), caller: textSchema(256).optional(), action: textSchema(128).optional() })
      .refine((scope) => Object.keys(scope).length > 0, 'say what is frozen: actor, caller, action, or everything: true'),
  ])
  .meta({ id: 'FreezeScope' });
export type FreezeScope = z.infer<typeof freezeScopeSchema>;

/** `POST /v1/freezes`. */
export const freezeBodySchema = z
  .strictObject({
    scope: freezeScopeSchema,
    reason: textSchema(2000),
    /** When it ends by itself; absent: when it is lifted. */
    expires_at: z.iso.datetime({ offset: true }).optional(),
  })
  .meta({ id: 'FreezeBody' });
export type FreezeBody = z.infer<typeof freezeBodySchema>;

const members = {
  id: idSchema('fz'),
  scope: freezeScopeSchema,
  reason: z.string(),
  placed_by: personViewSchema,
  placed_at: instantSchema,
  expires_at: instantSchema.nullable(),
};

/** A freeze that holds a request now, as the request's answers name it. */
export const freezeNoticeSchema = z.strictObject({ id: idSchema('fz'), reason: z.string(), placed_at: instantSchema }).meta({ id: 'FreezeNotice' });
export type FreezeNotice = z.infer<typeof freezeNoticeSchema>;

export const freezeSchema = z
  .strictObject({
    ...members,
    /** `over`: its time ended. */
    state: z.enum(['in_force', 'lifted', 'over']),
    lifted_at: instantSchema.nullable(),
    /** Null where nobody lifted it. */
    lifted_by: personViewSchema.nullable(),
    lift_reason: z.string().nullable(),
  })
  .meta({ id: 'Freeze' });
export type FreezeView = z.infer<typeof freezeSchema>;

/** What placing a freeze answers: how many requests wait, or may still be redeemed, that it holds. */
export const placedFreezeSchema = z.strictObject({ ...freezeSchema.shape, holds: z.int() }).meta({ id: 'PlacedFreeze' });

export const freezeListSchema = z.strictObject({ data: z.array(freezeSchema), next_cursor: z.null() }).meta({ id: 'FreezeList' });

export const freezeQuerySchema = z.strictObject({
  state: z.enum(['in_force', 'all']).default('in_force'),
  limit: z.coerce.number().int().min(1).max(500).default(200),
});

export const liftQuerySchema = z.strictObject({ reason: textSchema(2000).optional() });
