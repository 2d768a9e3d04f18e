import { z } from 'zod';
import { idSchema, instantSchema } from './primitives.js';

/**
 * `pending`: due at `next_attempt_at`. `held`: its endpoint is disabled; it goes out, in order, when that is enabled. `superseded`: a
 * revocation went instead. `dead` and `aborted` say why in `reason`.
 */
export const deliveryStateSchema = z.enum(['pending', 'delivered', 'dead', 'aborted', 'held', 'superseded']);
export type DeliveryState = z.infer<typeof deliveryStateSchema>;

export const deliveryAttemptSchema = z
  .strictObject({
    number: z.int(),
    at: instantSchema,
    finished_at: instantSchema.nullable(),
    /** The address that was tried. */
    url: z.string().nullable(),
    status: z.int().nullable(),
    /** One word: delivered, timeout, refused, http_error, blocked_address, …; null while it is under way, or when its worker died. */
    result: z.string().nullable(),
    detail: z.string().nullable(),
    duration_ms: z.int().nullable(),
    /** The first bytes of the answer, masked. */
    answer_preview: z.string().nullable(),
  })
  .meta({ id: 'DeliveryAttempt' });

/** One event on its way to one place, with every attempt. */
export const deliverySchema = z
  .strictObject({
    id: idSchema('msg'),
    /** The `webhook-id` that the receiver sees: of a redriven delivery that of the first one, so that a receiver knows it again. */
    webhook_id: idSchema('msg'),
    event: z.string(),
    action_request: z.string().nullable(),
    endpoint_id: idSchema('ep').nullable(),
    api_key_id: z.string(),
    sequence: z.int(),
    state: deliveryStateSchema,
    reason: z.string().nullable(),
    url: z.string().nullable(),
    created_at: instantSchema,
    ended_at: instantSchema.nullable(),
    next_attempt_at: instantSchema.nullable(),
    /** The delivery that this one repeats. */
    redrive_of: idSchema('msg').nullable(),
    attempts: z.array(deliveryAttemptSchema),
  })
  .meta({ id: 'Delivery' });
export type DeliveryAnswer = z.infer<typeof deliverySchema>;

export const deliveryListSchema = z.strictObject({ data: z.array(deliverySchema), next_cursor: z.string().nullable() }).meta({ id: 'DeliveryList' });

const filterMembers = {
  state: deliveryStateSchema.optional(),
  endpoint: idSchema('ep').optional(),
  action_request: idSchema('ar').optional(),
  from: z.iso.datetime({ offset: true }).optional(),
  to: z.iso.datetime({ offset: true }).optional(),
};

export const deliveriesQuerySchema = z.strictObject({
  ...filterMembers,
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(512).optional(),
});
export type DeliveriesQuery = z.infer<typeof deliveriesQuerySchema>;

/** `POST /v1/deliveries/redrive`: at least one member narrows it. */
export const redriveBodySchema = z
  .strictObject({ ...filterMembers, state: z.enum(['dead', 'aborted', 'delivered']).default('dead'), limit: z.int().min(1).max(1000).default(1000) })
  .refine((body) => [body.endpoint, body.action_request, body.from, body.to].some((member) => member !== undefined), {
    message: 'narrow it: name endpoint, action_request, from or to',
    path: ['endpoint'],
  })
  .meta({ id: 'RedriveBody' });
export type RedriveBody = z.infer<typeof redriveBodySchema>;

export const redriveAnswerSchema = z
  .strictObject({
    data: z.array(z.strictObject({ id: idSchema('msg'), redrive_of: idSchema('msg') })),
    /** There may be more that fit; ask again. */
    more: z.boolean(),
  })
  .meta({ id: 'RedriveAnswer' });
