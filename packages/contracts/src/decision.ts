import { z } from 'zod';
import { digestSchema, idSchema, instantSchema, viaSchema } from './primitives.js';

export const verdictSchema = z.enum(['approve', 'deny']);
export type Verdict = z.infer<typeof verdictSchema>;

/** What a denial tells the caller: whether asking again makes sense. */
export const askAgainSchema = z.enum(['never', 'changed', 'later']);
export type AskAgain = z.infer<typeof askAgainSchema>;

/** A person as answers and callbacks name them, from the directory. */
export const personViewSchema = z.strictObject({ id: idSchema('per'), email: z.string(), name: z.string() });
export type PersonView = z.infer<typeof personViewSchema>;

/** How somebody proved who they are: which issuer, by what method, when. */
export const authenticatedSchema = z.strictObject({
  issuer: z.string(),
  method: z.enum(['api_key', 'personal_token', 'session', 'slack', 'teams', 'email', 'workload_token', 'client_certificate', 'service']),
  at: instantSchema,
});
export type Authenticated = z.infer<typeof authenticatedSchema>;

/** `POST /v1/action-requests/{id}/decisions`: the digest says what the decider looked at. */
export const decisionBodySchema = z
  .strictObject({
    verdict: verdictSchema,
    action_digest: digestSchema.optional(),
    request_digest: digestSchema.optional(),
    reason: z.string().min(1).max(2000).optional(),
    /** With a denial: whether asking again makes sense. The caller is told. */
    ask_again: askAgainSchema.optional(),
    /** Where policy asks for it. */
    ticket: z.string().min(1).max(256).optional(),
    /** The texts that policy wants confirmed, word for word. */
    acknowledged: z.array(z.string().max(500)).max(10).optional(),
    /** The person in whose stead, where policy allows stand-ins and the person made the decider one. */
    delegate_for: idSchema('per').optional(),
    /** Lets the request pass alone, where policy names a group for that. */
    break_glass: z.literal(true).optional(),
    /** The single-use handle of a passkey assertion that was verified for exactly this request and verdict. */
    passkey: z.string().min(1).max(128).optional(),
    /** The mail whose link was opened in this session, as opening it answered: then the decision comes by mail. */
    mail: z.uuid().optional(),
    /** Approves a narrowed pattern besides: these parameters pinned to their values here. */
    alike: z.strictObject({ pin: z.array(z.string().max(256)).max(50), uses: z.int().min(1).max(1000), ttl_seconds: z.int().min(60) }).optional(),
  })
  .refine((body) => body.action_digest !== undefined || body.request_digest !== undefined, {
    message: 'name what you decide on: action_digest or request_digest',
    path: ['action_digest'],
  })
  .refine((body) => body.ask_again === undefined || body.verdict === 'deny', { message: 'goes with a denial', path: ['ask_again'] })
  .meta({ id: 'DecisionBody' });
export type DecisionBody = z.infer<typeof decisionBodySchema>;

/** What a passkey assertion over a decision leaves behind: everything that is needed to verify it again offline. */
export const passkeyEvidenceSchema = z.strictObject({
  credential_id: z.string(),
  /** Base64url of the SPKI DER of the credential's public key. */
  public_key: z.string(),
  /** Base64url, as the browser gave them (WebAuthn level 3, section 6.3.3). */
  client_data_json: z.string(),
  authenticator_data: z.string(),
  signature: z.string(),
  /** Base64url of 32 random bytes; the challenge is SHA-256 over domain, request_digest, view_digest, verdict and this. */
  nonce: z.string(),
  verified_at: instantSchema,
});
export type PasskeyEvidence = z.infer<typeof passkeyEvidenceSchema>;

/** One approver's decision, in answers and in callbacks. */
export const decisionViewSchema = z
  .strictObject({
    id: idSchema('dec'),
    person: personViewSchema,
    verdict: verdictSchema,
    reason: z.string().nullable(),
    decided_at: instantSchema,
    via: viaSchema,
    authenticated: authenticatedSchema,
    /** What the decision came with; absent where nothing was given. */
    ticket: z.string().optional(),
    acknowledged: z.array(z.string()).optional(),
    /** Of a denial: `never`, `changed` (the reason says how), or `later`. */
    ask_again: askAgainSchema.optional(),
    delegate_for: personViewSchema.optional(),
    break_glass: z.literal(true).optional(),
    /** The decider stands behind the request: a team of one, as policy says. */
    self_approved: z.literal(true).optional(),
    passkey: passkeyEvidenceSchema.optional(),
  })
  .meta({ id: 'Decision' });
export type DecisionView = z.infer<typeof decisionViewSchema>;

/** Why a decision, cancellation, revocation or redemption did not happen; stable names, also problem types. */
export const refusalCodes = [
  'self_approval',
  'not_an_approver',
  'already_decided',
  'already_settled',
  'action_mismatch',
  'step_up_required',
  'account_not_linked',
  'account_inactive',
  'policy_changed',
  'reason_required',
  'ticket_required',
  'acknowledgement_required',
  'must_open',
  'via_not_allowed',
  'not_a_delegate',
  'not_break_glass',
  'too_early',
  'frozen',
  'alike_not_allowed',
  'bulk_not_allowed',
  'counter_not_allowed',
  'delegation_not_allowed',
  'not_a_reviewer',
  'already_reviewed',
  'already_answered',
  'too_many',
  'expired',
  'not_the_requester',
  'not_revocable',
  'decider_not_allowed',
  'invalid_grant',
  'invalid_dpop_proof',
  'grant_tenant_mismatch',
  'grant_audience_mismatch',
  'grant_expired',
  'grant_revoked',
  'grant_already_redeemed',
  'not_approved',
  'approval_over',
  'not_the_executor',
  'not_redeemed',
  'already_reported',
  'not_found',
] as const;
export type RefusalCode = (typeof refusalCodes)[number];
