import { z } from 'zod';
import { idSchema, jsonSchema } from './primitives.js';

/** `POST /v1/unmask`: one masked value, for its person alone. */
export const unmaskBodySchema = z
  .strictObject({
    action_request: idSchema('ar'),
    /** As `masked` of the request has it (RFC 6901). */
    pointer: z.string().min(1).max(2048),
    /** Why it must be seen; it is recorded with the person and the place. */
    purpose: z.string().trim().min(3).max(500),
  })
  .meta({ id: 'UnmaskBody' });

export const unmaskedSchema = z.strictObject({ pointer: z.string(), classes: z.array(z.string()), value: jsonSchema }).meta({ id: 'Unmasked' });

/** `GET /v1/action-requests/{id}/masked`: each masked place, and whether you may see what is there. */
export const revealableListSchema = z
  .strictObject({
    data: z.array(
      z.strictObject({
        pointer: z.string(),
        classes: z.array(z.string()),
        may_reveal: z.boolean(),
        /** How old your last proof of who you are may be, in seconds; null: as old as the session. */
        fresh_seconds: z.int().nullable(),
      }),
    ),
    next_cursor: z.null(),
  })
  .meta({ id: 'RevealableList' });
export type RevealableView = z.infer<typeof revealableListSchema>['data'][number];
