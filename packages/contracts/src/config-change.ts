import { z } from 'zod';
import { personViewSchema } from './decision.js';
import { idSchema, instantSchema, jsonObjectSchema } from './primitives.js';

/** What is changed, `policy.activate` for instance; the action that people approve is `countersign.<kind>`. */
export const configKindSchema = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z_]*(?:\.[a-z][a-z_]*)+$/);

/** The beginning of every action that is a change of the configuration. No caller may ask for such an action. */
export const CONFIG_ACTION_PREFIX = 'countersign.';

/**
 * The administrators, wherever a group is named. No directory can have a group of this name: those that begin with `role:` are left out.
 */
export const ADMINISTRATORS = 'role:administrator';

/**
 * `proposed`: people have not decided. `applying`: approved, and being put into effect. `withdrawn`: cancelled, or revoked before it took
 * effect. `failed`: approved, and could not be put into effect; `detail` says why, and nothing was changed.
 */
export const configStateSchema = z.enum(['proposed', 'applying', 'applied', 'denied', 'expired', 'withdrawn', 'failed']);
export type ConfigState = z.infer<typeof configStateSchema>;

/** A change of the configuration that somebody else has to approve. */
export const configChangeSchema = z
  .strictObject({
    id: idSchema('cc'),
    kind: configKindSchema,
    /** What it changes. */
    resource: z.string(),
    state: configStateSchema,
    /** What people see of it; secrets are masked. */
    summary: jsonObjectSchema,
    proposed_by: personViewSchema,
    proposed_at: instantSchema,
    /** The request that asks for approval. */
    action_request: idSchema('ar'),
    url: z.string(),
    ended_at: instantSchema.nullable(),
    detail: z.string().nullable(),
  })
  .meta({ id: 'ConfigChange' });
export type ConfigChangeView = z.infer<typeof configChangeSchema>;

/** What a change answers that has to be approved first (202). */
export const pendingChangeSchema = z.strictObject({ pending: z.literal(true), change: configChangeSchema }).meta({ id: 'PendingChange' });

export const configChangeListSchema = z.strictObject({ data: z.array(configChangeSchema), next_cursor: z.null() }).meta({ id: 'ConfigChangeList' });

export const configChangeQuerySchema = z.strictObject({
  state: configStateSchema.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
