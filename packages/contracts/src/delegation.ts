import { z } from 'zod';
import { personViewSchema } from './decision.js';
import { idSchema, instantSchema, textSchema } from './primitives.js';

/** `POST /v1/delegations`: while you are away, somebody else may decide in your stead, where a request's policy allows stand-ins. */
export const delegationBodySchema = z
  .strictObject({
    /** Who stands in: an id or an e-mail address of the directory. */
    delegate: textSchema(320),
    /** Absent: from now on. */
    from: z.iso.datetime({ offset: true }).optional(),
    until: z.iso.datetime({ offset: true }),
    reason: textSchema(500).optional(),
  })
  .meta({ id: 'DelegationBody' });
export type DelegationBody = z.infer<typeof delegationBodySchema>;

/** That somebody stands in for somebody who is away. */
export const delegationSchema = z
  .strictObject({
    id: idSchema('dg'),
    /** Who is away. */
    person: personViewSchema,
    delegate: personViewSchema,
    from: instantSchema,
    until: instantSchema,
    reason: z.string().nullable(),
    created_at: instantSchema,
    /** When it was taken back; null while it was not. */
    ended_at: instantSchema.nullable(),
    state: z.enum(['to_come', 'in_force', 'over', 'taken_back']),
  })
  .meta({ id: 'Delegation' });
export type DelegationView = z.infer<typeof delegationSchema>;

export const delegationListSchema = z.strictObject({ data: z.array(delegationSchema), next_cursor: z.null() }).meta({ id: 'DelegationList' });
