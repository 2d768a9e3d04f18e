import { z } from 'zod';
import { refusalCodes } from './decision.js';
import { policyProblemSchema } from './policy.js';

/** Problems of the API besides the refusals; stable names (RFC 9457 `type` ends in the name). */
export const problemCodes = [
  ...refusalCodes,
  'invalid_body',
  'invalid_json',
  'invalid_query',
  'body_too_large',
  'unsupported_media_type',
  'idempotency_key_missing',
  'idempotency_key_invalid',
  'idempotency_key_reused',
  'idempotency_in_progress',
  'unauthenticated',
  'forbidden',
  'actor_not_allowed',
  'action_not_allowed',
  'environment_not_allowed',
  'environment_mismatch',
  'callback_not_allowed',
  'endpoint_unknown',
  'endpoint_disabled',
  'place_not_allowable',
  'not_redrivable',
  'receipt_not_ready',
  'second_person_needed',
  'directory_owned',
  'last_administrator',
  'already_lifted',
  'policy_invalid',
  'passkey_refused',
  'reveal_not_allowed',
  'link_not_possible',
  'code_wrong',
  'mail_link_over',
  'rate_limited',
  'misdirected_request',
  'cross_site_request',
  'method_not_allowed',
  'unavailable',
  'internal',
] as const;
export type ProblemCode = (typeof problemCodes)[number];

/** An RFC 9457 problem; `errors` names each bad field by JSON pointer. */
export const problemSchema = z
  .object({
    type: z.string(),
    code: z.enum(problemCodes),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().optional(),
    errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
    /** Of a policy bundle: what is wrong, and where. */
    problems: z.array(policyProblemSchema).optional(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problemSchema>;
