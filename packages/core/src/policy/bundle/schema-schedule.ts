import { z } from 'zod';
import { isTimeZone } from '../windows.js';
import { duration, group, instant, text } from './schema-parts.js';

const MAX_SHIFT_SECONDS = 90 * 86_400;

/** A person of the directory, by address. */
export const address = z
  .string()
  .max(320)
  .regex(/^[^\s@]+@[^\s@]+$/, 'a person is written by address, such as alice@example.com');

const onDuty = z.union([address, z.strictObject({ group })], 'who is on call is a person’s address or { group: name }');
const shift = z.union([onDuty, z.array(onDuty).min(1).max(20)], 'a shift is a person’s address, { group: name }, or a list of them');
export type ShiftDocument = z.infer<typeof shift>;

export const timeZone = z
  .string()
  .max(64)
  .refine((zone) => isTimeZone(zone), 'a time zone is an IANA name such as Europe/Berlin');

const rotation = z
  .strictObject({
    /** By whose clock whole days and weeks are counted; absent: UTC. */
    tz: timeZone.optional(),
    /** When the first shift begins; before it nobody is on call. */
    start: instant,
    shift: duration(MAX_SHIFT_SECONDS, 60).optional(),
    handover: z.enum(['daily', 'weekly']).optional(),
    /** One entry a shift, in their order, and from the first again. */
    rotation: z.array(shift).min(1).max(200),
    /** Who is on call in that time instead; of several the last. */
    overrides: z
      .array(z.strictObject({ from: instant, to: instant, on_call: shift }))
      .max(1_000)
      .optional(),
  })
  .refine(
    (written) => (written.shift === undefined) !== (written.handover === undefined),
    'write how long a shift is (shift: 12h), or handover: daily or weekly, and not both',
  );
export type RotationDocument = z.infer<typeof rotation>;

/** Who is on call: by a rotation of the bundle's own, or as the service knows that keeps the schedule. */
export const schedule = z.union([rotation, z.strictObject({ pagerduty: text(128) }), z.strictObject({ opsgenie: text(256) })]);
export type ScheduleDocument = z.infer<typeof schedule>;
