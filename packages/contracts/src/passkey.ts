import { z } from 'zod';
import { personViewSchema, verdictSchema } from './decision.js';
import { idSchema, instantSchema, jsonObjectSchema, viaSchema } from './primitives.js';

/** Base64url without padding, as browsers write bytes in WebAuthn's JSON. */
const bytesSchema = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url without padding');

/** A browser's members that we do not need are let pass: they are its own to add. */
const credential = { id: bytesSchema(1400), rawId: bytesSchema(1400), type: z.literal('public-key') };

/** PublicKeyCredential.toJSON() of navigator.credentials.create (WebAuthn level 3, section 5.1). */
export const registrationResponseSchema = z.looseObject({
  ...credential,
  response: z.looseObject({
    clientDataJSON: bytesSchema(8192),
    attestationObject: bytesSchema(65_536),
    transports: z.array(z.string().max(32)).max(10).optional(),
  }),
});

/** PublicKeyCredential.toJSON() of navigator.credentials.get. */
export const assertionResponseSchema = z.looseObject({
  ...credential,
  response: z.looseObject({
    clientDataJSON: bytesSchema(8192),
    authenticatorData: bytesSchema(8192),
    signature: bytesSchema(2048),
    userHandle: z.string().max(128).nullable().optional(),
  }),
});

/** What parseCreationOptionsFromJSON and parseRequestOptionsFromJSON take. */
export const passkeyOptionsSchema = jsonObjectSchema.meta({
  id: 'PasskeyOptions',
  description: 'Options of navigator.credentials.create or get, as WebAuthn level 3 writes them in JSON',
});

const passkeyNameSchema = z.string().trim().min(1).max(100);

/** `POST /v1/passkeys` */
export const passkeyBodySchema = z.strictObject({ name: passkeyNameSchema, response: registrationResponseSchema }).meta({ id: 'PasskeyBody' });
export const passkeyPatchSchema = z.strictObject({ name: passkeyNameSchema }).meta({ id: 'PasskeyPatch' });
/** `POST /v1/people/{id}/passkeys/reset` */
export const passkeyResetSchema = z.strictObject({ reason: z.string().trim().min(1).max(500) }).meta({ id: 'PasskeyReset' });

/** A passkey as lists show it. */
export const passkeySchema = z
  .strictObject({
    id: idSchema('pk'),
    name: z.string(),
    /** The make of authenticator, as it says itself. */
    aaguid: z.string(),
    /** Copied to other devices of its person. */
    backed_up: z.boolean(),
    created_at: instantSchema,
    last_used_at: instantSchema.nullable(),
    removed_at: instantSchema.nullable(),
    /** Removed by an administrator. */
    removed_by_other: z.boolean(),
  })
  .meta({ id: 'Passkey' });
export type PasskeyView = z.infer<typeof passkeySchema>;
export const passkeyListSchema = z.strictObject({ data: z.array(passkeySchema), next_cursor: z.null() }).meta({ id: 'PasskeyList' });

/** `POST /v1/action-requests/{id}/passkey-challenges` */
export const decisionChallengeBodySchema = z
  .strictObject({ verdict: verdictSchema, /** The press in a chat that led here. */ intent: z.uuid().optional() })
  .meta({ id: 'DecisionChallengeBody' });
/** `POST /v1/action-requests/{id}/passkey-assertions` */
export const decisionAssertionBodySchema = z
  .strictObject({ response: assertionResponseSchema, intent: z.uuid().optional() })
  .meta({ id: 'DecisionAssertionBody' });
export const decisionAssertionSchema = z
  .strictObject({
    /** What the decision names as `passkey`: once, for this request and verdict. */
    passkey: z.string(),
    verdict: verdictSchema,
    expires_at: instantSchema,
  })
  .meta({ id: 'DecisionAssertion' });

/** `POST /v1/sessions/step-up` */
export const stepUpBodySchema = z.strictObject({ response: assertionResponseSchema }).meta({ id: 'StepUpBody' });
export const stepUpSchema = z.strictObject({ auth_time: instantSchema }).meta({ id: 'StepUp' });

/** What was pressed in a chat and waits for a passkey. */
export const stepUpIntentSchema = z
  .strictObject({
    id: z.uuid(),
    action_request: idSchema('ar'),
    verdict: verdictSchema,
    reason: z.string().nullable(),
    /** What was entered in the chat besides, as far as it was. */
    ticket: z.string().optional(),
    acknowledged: z.array(z.string()).optional(),
    break_glass: z.literal(true).optional(),
    /** In whose stead. */
    delegate_for: personViewSchema.optional(),
    via: viaSchema,
    created_at: instantSchema,
    expires_at: instantSchema,
    used_at: instantSchema.nullable(),
  })
  .meta({ id: 'StepUpIntent' });
export type StepUpIntentView = z.infer<typeof stepUpIntentSchema>;
