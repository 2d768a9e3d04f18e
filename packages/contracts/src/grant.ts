import { z } from 'zod';
import { actionSchema } from './action-request.js';
import { digestSchema, idSchema, instantSchema } from './primitives.js';

/** The claims of a grant, a compact JWS with `typ: approval-grant+jwt` and `alg: EdDSA`. Times are seconds since 1970. */
export const grantClaimsSchema = z
  .strictObject({
    iss: z.string(),
    aud: z.string(),
    jti: idSchema('gr'),
    iat: z.int(),
    exp: z.int(),
    tenant: z.string(),
    action_request: idSchema('ar'),
    act_digest: digestSchema,
    request_digest: digestSchema,
    policy_digest: digestSchema,
  })
  .meta({ id: 'GrantClaims' });
export type GrantClaims = z.infer<typeof grantClaimsSchema>;

/** `POST /v1/grants/redeem`: the grant and the action exactly as it will run. */
export const redeemBodySchema = z
  .strictObject({ grant: z.string().min(1).max(8192), action: actionSchema })
  .meta({ id: 'RedeemBody' });
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
