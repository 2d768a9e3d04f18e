import {
  digestSchema,
  evaluationExplanationSchema,
  evaluationSchema,
  idSchema,
  instantSchema,
  jsonSchema,
  maskedValueSchema,
  personViewSchema,
  requirementSchema,
  reversibilitySchema,
  timelineEventSchema,
} from '@countersign/contracts';
import { z } from 'zod';

/** Answers of the API that nobody but this service needs as a type; the rest stands in contracts. */

export const waitQuerySchema = z.strictObject({
  wait: z.coerce.number().int().min(0).max(60).default(0).meta({ description: 'Seconds to wait for the outcome, 60 at most' }),
});

export const explanationSchema = z
  .strictObject({
    action_request: idSchema('ar'),
    evaluation: evaluationSchema,
    requirement: requirementSchema.nullable(),
    resolved: z.strictObject({ labels: z.record(z.string(), z.string()), environment: z.string().nullable(), reversibility: reversibilitySchema }),
    /** What was hidden, and by which detector. */
    masked: z.array(maskedValueSchema),
    warnings: z.array(z.string()),
    /** Who is still needed, in words; null when nobody is. */
    waiting_for: z.string().nullable(),
    /** Each rule and condition with what it read; null where no bundle speaks of the request, or its payload was erased. */
    explanation: evaluationExplanationSchema.nullable(),
    /** Of `explanation`, as the ledger's entry `action_request.opened` holds it: SHA-256 over its RFC 8785 text without the `conditions` of its rules. */
    explanation_digest: digestSchema.nullable(),
  })
  .meta({ id: 'Explanation' });

export const timelineSchema = z.strictObject({ data: z.array(timelineEventSchema), next_cursor: z.null() }).meta({ id: 'Timeline' });

export const meSchema = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('person'),
      tenant: z.string(),
      person: z.strictObject({ ...personViewSchema.shape, groups: z.array(z.string()), roles: z.array(z.string()) }),
      scopes: z.array(z.string()),
      may_decide: z.boolean(),
    }),
    z.strictObject({
      type: z.literal('api_key'),
      tenant: z.string(),
      id: idSchema('key'),
      name: z.string(),
      owner: z.string(),
      rights: z.strictObject({
        actors: z.array(z.string()),
        actions: z.array(z.string()),
        environments: z.array(z.string()),
        callback_hosts: z.array(z.string()),
        redeem: z.boolean(),
      }),
    }),
  ])
  .meta({ id: 'Me' });

export const signInBodySchema = z.strictObject({ token: z.string().min(1).max(128) }).meta({ id: 'SignInBody' });
export const sessionSchema = z.strictObject({ person: personViewSchema, expires_at: instantSchema }).meta({ id: 'Session' });

export const activePolicySchema = z
  .strictObject({ policy_digest: digestSchema, activated_at: instantSchema, activated_by: z.string() })
  .meta({ id: 'ActivePolicy' });

export const anyJsonSchema = jsonSchema;
export const platformCardSchema = z.record(z.string(), jsonSchema).meta({ id: 'PlatformCard', description: "A card as the platform's own JSON" });
