import { z } from 'zod';
import { pendingChangeSchema } from './config-change.js';
import { groupNameSchema, idSchema, instantSchema, textSchema } from './primitives.js';

/** Who says what the directory knows: the file in git, SCIM, sign-ins, an administrator through the API. The earlier ones are the stronger. */
export const directorySourceSchema = z.enum(['file', 'scim', 'oidc', 'api']);

export const personRoleSchema = z.enum(['administrator', 'auditor', 'operator']);

/** A person as administrators and auditors see it. */
export const directoryPersonSchema = z
  .strictObject({
    id: idSchema('per'),
    email: z.string(),
    name: z.string(),
    active: z.boolean(),
    roles: z.array(personRoleSchema),
    groups: z.array(z.string()),
    /** Owns address and name. */
    source: directorySourceSchema,
    /** Who speaks of the person now; nobody: the person left. */
    sources: z.array(directorySourceSchema),
    /** Who says that the person is not active. */
    inactive_by: z.array(directorySourceSchema),
    aliases: z.array(z.string()),
    /** Other entries that are the same human: they count once. */
    same_human: z.array(z.string()),
    updated_at: instantSchema,
  })
  .meta({ id: 'DirectoryPerson' });
export type DirectoryPersonView = z.infer<typeof directoryPersonSchema>;
export const directoryPersonListSchema = z.strictObject({ data: z.array(directoryPersonSchema), next_cursor: z.null() }).meta({ id: 'DirectoryPersonList' });

export const personPatchSchema = z
  .strictObject({
    /** False deactivates at once, whatever other sources say; true takes that back. */
    active: z.boolean().optional(),
    roles: z.array(personRoleSchema).max(3).optional(),
  })
  .refine((body) => body.active !== undefined || body.roles !== undefined, 'say active or roles')
  .meta({ id: 'PersonPatch' });

export const directoryGroupSchema = z
  .strictObject({ id: z.string(), name: z.string(), source: directorySourceSchema, size: z.int(), updated_at: instantSchema })
  .meta({ id: 'DirectoryGroup' });
export const directoryGroupListSchema = z.strictObject({ data: z.array(directoryGroupSchema), next_cursor: z.null() }).meta({ id: 'DirectoryGroupList' });
export const directoryGroupMembersSchema = directoryGroupSchema.extend({ members: z.array(z.string()) }).meta({ id: 'DirectoryGroupMembers' });

const patternsSchema = z.array(textSchema(256)).max(200);
const agentMembers = {
  /** A person's id. */
  owner: idSchema('per').nullable(),
  /** A group whose members all answer for it, and decide nothing that it asks. */
  owner_group: groupNameSchema.nullable(),
  active: z.boolean(),
  /** What it may ask, as names or `prefix*`; null: whatever its caller may. */
  actions: patternsSchema.nullable(),
  purposes: patternsSchema.nullable(),
  risk: z.enum(['low', 'medium', 'high', 'critical']).nullable(),
};
export const directoryAgentSchema = z
  .strictObject({ id: z.string(), ...agentMembers, source: directorySourceSchema, updated_at: instantSchema })
  .meta({ id: 'DirectoryAgent' });
export const directoryAgentListSchema = z.strictObject({ data: z.array(directoryAgentSchema), next_cursor: z.null() }).meta({ id: 'DirectoryAgentList' });

const agentBodyMembers = {
  owner: agentMembers.owner.default(null),
  owner_group: agentMembers.owner_group.default(null),
  active: z.boolean().default(true),
  actions: agentMembers.actions.default(null),
  purposes: agentMembers.purposes.default(null),
  risk: agentMembers.risk.default(null),
};
export const newAgentSchema = z
  .strictObject({ id: textSchema(256), ...agentBodyMembers })
  .refine(({ owner, owner_group }) => owner !== null || owner_group !== null, {
    message: 'somebody answers for an agent: name owner or owner_group',
    path: ['owner'],
  })
  .meta({ id: 'NewAgent' });
export const agentPatchSchema = z.strictObject(agentMembers).partial().meta({ id: 'AgentPatch' });

/** A token of a SCIM client, without its secret. */
export const scimTokenSchema = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    prefix: z.string(),
    created_by: z.string(),
    created_at: instantSchema,
    expires_at: instantSchema.nullable(),
    revoked_at: instantSchema.nullable(),
    last_used_at: instantSchema.nullable(),
  })
  .meta({ id: 'ScimToken' });
export const scimTokenListSchema = z.strictObject({ data: z.array(scimTokenSchema), next_cursor: z.null() }).meta({ id: 'ScimTokenList' });
export const newScimTokenBodySchema = z
  .strictObject({
    name: textSchema(200),
    life_seconds: z
      .int()
      .min(60)
      .max(3 * 366 * 86_400)
      .optional(),
  })
  .meta({ id: 'NewScimTokenBody' });
export const newScimTokenSchema = scimTokenSchema.extend({ token: z.string() }).meta({ id: 'NewScimToken' });
/** The token is shown at once, and counts from when the change is approved. */
export const pendingScimTokenSchema = pendingChangeSchema.extend({ token: z.string() }).meta({ id: 'PendingScimToken' });
