import { z } from 'zod';
import { actionSchema, thumbprintSchema } from './action-request.js';
import { digestSchema, idSchema, instantSchema } from './primitives.js';

/** The longest life of a grant, in seconds. */
export const MAX_GRANT_LIFE_SECONDS = 900;

/**
 * The claims of a grant, a compact JWS with `typ: approval-grant+jwt` and `alg: EdDSA`. Times are whole seconds since 1970;
 * `exp` is at most 900 seconds after `iat`.
 */
export const grantClaimsSchema = z
  .strictObject({
    iss: z.string(),
    aud: z.string(),
    jti: idSchema('gr'),
    iat: z.int().min(0),
    exp: z.int().min(0),
    tenant: z.string(),
    action_request: idSchema('ar'),
    act_digest: digestSchema,
    request_digest: digestSchema,
    policy_digest: digestSchema,
    /** The key that must prove itself at redemption (RFC 7800, RFC 9449 section 6.1); absent: whoever has the grant and is its audience redeems. */
    cnf: z.strictObject({ jkt: thumbprintSchema }).optional(),
  })
  .refine(({ iat, exp }) => exp > iat && exp - iat <= MAX_GRANT_LIFE_SECONDS, { message: 'a grant lives for at most 900 seconds', path: ['exp'] })
  .meta({ id: 'GrantClaims' });
export type GrantClaims = z.infer<typeof grantClaimsSchema>;

/** `POST /v1/grants/redeem`: the grant and the action exactly as it will run. */
export const redeemBodySchema = z.strictObject({ grant: z.string().min(1).max(8192), action: actionSchema }).meta({ id: 'RedeemBody' });
export type RedeemBody = z.infer<typeof redeemBodySchema>;

export const redeemAnswerSchema = z
  .strictObject({
    grant_id: idSchema('gr'),
    action_request: idSchema('ar'),
    action_digest: digestSchema,
    redeemed_at: instantSchema,
  })
  .meta({ id: 'RedeemAnswer' });
export type RedeemAnswer = z.infer<typeof redeemAnswerSchema>;

/** Answer of `POST /v1/action-requests/{id}/grant`: another grant of the same approval. All grants of a request are spent by one redemption. */
export const freshGrantSchema = z
  .strictObject({
    id: idSchema('gr'),
    action_request: idSchema('ar'),
    /** The compact JWS. */
    grant: z.string(),
    audience: z.string(),
    issued_at: instantSchema,
    /** Never after `use_until`. */
    expires_at: instantSchema,
    /** Until then the approval may be used, and fresh grants are given. */
    use_until: instantSchema,
  })
  .meta({ id: 'FreshGrant' });
export type FreshGrant = z.infer<typeof freshGrantSchema>;
