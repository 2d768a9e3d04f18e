import { z } from 'zod';
import { digestSchema, idSchema, instantSchema } from './primitives.js';

export const verdictSchema = z.enum(['approve', 'deny']);
export type Verdict = z.infer<typeof verdictSchema>;

/** Through which channel a decision came. */
export const viaSchema = z.enum(['slack', 'teams', 'web', 'api']);
export type Via = z.infer<typeof viaSchema>;

/** A person as answers and callbacks name them, from the directory. */
export const personViewSchema = z.strictObject({ id: idSchema('per'), email: z.string(), name: z.string() });
export type PersonView = z.infer<typeof personViewSchema>;

/** How somebody proved who they are: which issuer, by what method, when. */
export const authenticatedSchema = z.strictObject({
  issuer: z.string(),
  method: z.enum(['api_key', 'personal_token', 'session', 'slack', 'teams', 'workload_token']),
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
  })
  .refine((body) => body.action_digest !== undefined || body.request_digest !== undefined, {
    message: 'name what you decide on: action_digest or request_digest',
    path: ['action_digest'],
  })
  .meta({ id: 'DecisionBody' });
export type DecisionBody = z.infer<typeof decisionBodySchema>;

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
  'expired',
  'not_the_requester',
  'not_revocable',
  'decider_not_allowed',
  'invalid_grant',
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
