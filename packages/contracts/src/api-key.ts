import { z } from 'zod';
import { pendingChangeSchema } from './config-change.js';
import { idSchema, instantSchema, textSchema } from './primitives.js';

/** A name, or a prefix that ends in `*`; `*` alone is any. */
const patternSchema = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => !text.slice(0, -1).includes('*'), 'a * stands at the end only')
    .refine((text) => text === text.normalize('NFC') && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text), 'must be visible text in Unicode normal form C');
const patternsSchema = (max: number) => z.array(patternSchema(max)).max(200);

/** What a caller may name and do. An empty list names nothing. */
export const keyRightsSchema = z.strictObject({
  /** The actor ids that it may speak for. */
  actors: patternsSchema(256),
  actions: patternsSchema(128),
  /** Exactly one, without a star: the key fixes the environment of all that it asks. */
  environments: patternsSchema(64),
  /** Host names that it may name in callbacks; none: it sets no callback. */
  callback_hosts: z.array(z.string().min(1).max(253)).max(200),
  redeem: z.boolean(),
  /** Whether it may read its own requests; absent: it may. */
  read: z.boolean().optional(),
  /** The persons on whose behalf its actors may say that they act; absent: anybody. */
  on_behalf_of: patternsSchema(320).optional(),
});

const networksSchema = z.array(z.string().min(2).max(64)).max(100);
const bindingSchema = z.union([
  /** RFC 8705, section 3.1: base64url of the SHA-256 of the certificate's DER. */
  z.strictObject({ thumbprint: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'base64url of a SHA-256, 43 characters') }),
  /** A subject alternative name, as `DNS:runner.example.com` or `URI:spiffe://example.com/runner`; its issuer must be TLS_CLIENT_CA. */
  z.strictObject({ san: z.string().regex(/^(DNS|URI):[\x21-\x7e]{1,512}$/, 'DNS:… or URI:…') }),
]);
export type CertificateBinding = z.infer<typeof bindingSchema>;

/** `POST /v1/api-keys`. */
export const apiKeyBodySchema = z
  .strictObject({
    /** What people read on cards. */
    name: textSchema(128),
    /** The person who answers for it, by id or e-mail address: decides nothing that it asks. */
    owner: z.string().min(1).max(320),
    rights: keyRightsSchema.extend({
      environments: patternsSchema(64).default(['*']),
      callback_hosts: z.array(z.string().min(1).max(253)).max(200).default([]),
      redeem: z.boolean().default(false),
    }),
    /** Addresses and CIDR blocks that it may call from; none: anywhere. */
    networks: networksSchema.default([]),
    expires_at: instantSchema.optional(),
    /** Instead of a secret: the TLS client certificate that it shows (RFC 8705). */
    certificate: bindingSchema.optional(),
  })
  .meta({ id: 'ApiKeyBody' });
export type ApiKeyBody = z.infer<typeof apiKeyBodySchema>;

/** `PATCH /v1/api-keys/{id}`: what is absent stays; `rights` replaces all of them. */
export const apiKeyPatchSchema = z
  .strictObject({
    name: textSchema(128).optional(),
    owner: z.string().min(1).max(320).optional(),
    rights: keyRightsSchema.optional(),
    networks: networksSchema.optional(),
    expires_at: instantSchema.nullable().optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, 'names nothing to change')
  .meta({ id: 'ApiKeyPatch' });
export type ApiKeyPatch = z.infer<typeof apiKeyPatchSchema>;

export const apiKeyRotationSchema = z
  .strictObject({
    /** How long the old secret counts besides the new one, in seconds; 0 ends it at once. */
    overlap_seconds: z
      .int()
      .min(0)
      .max(30 * 86_400)
      .default(86_400),
    /** Whether the webhook secret is changed, too; during the overlap callbacks are signed with both. */
    webhook_secret: z.boolean().default(false),
  })
  .meta({ id: 'ApiKeyRotation' });

export const apiKeyRevocationSchema = z.strictObject({ reason: textSchema(500).optional() }).meta({ id: 'ApiKeyRevocation' });

/** A caller as administrators see it: never a secret. */
export const apiKeySchema = z
  .strictObject({
    id: idSchema('key'),
    /** How it proves itself. */
    kind: z.enum(['secret', 'workload', 'certificate']),
    name: z.string(),
    owner: z.string(),
    /** What an inactive owner's key asks is refused. */
    owner_active: z.boolean(),
    /** The beginning of the key, which is no secret; null where there is none. */
    prefix: z.string().nullable(),
    rights: keyRightsSchema,
    networks: z.array(z.string()),
    status: z.enum(['active', 'expired', 'revoked', 'owner_inactive']),
    created_at: instantSchema,
    expires_at: instantSchema.nullable(),
    /** To the minute. */
    last_used_at: instantSchema.nullable(),
    /** Until when the secret before the last rotation counts; null: it does not. */
    previous_until: instantSchema.nullable(),
    revoked_at: instantSchema.nullable(),
    revoked_reason: z.string().nullable(),
    /** Of a workload the issuer and what its token must say; of a certificate its thumbprint or name. */
    binding: z.record(z.string(), z.json()).nullable(),
  })
  .meta({ id: 'ApiKey' });
export type ApiKeyView = z.infer<typeof apiKeySchema>;

/** Shown once: neither is stored so that it could be shown again. `key` is null where a certificate stands in its place. */
export const newApiKeySchema = apiKeySchema.extend({ key: z.string().nullable(), webhook_secret: z.string() }).meta({ id: 'NewApiKey' });

export const rotatedApiKeySchema = apiKeySchema
  .extend({
    key: z.string().nullable(),
    /** Null where it stayed as it was. */
    webhook_secret: z.string().nullable(),
  })
  .meta({ id: 'RotatedApiKey' });

export const revokedApiKeySchema = z
  .strictObject({
    api_key: apiKeySchema,
    /** Requests of it that ended with it: cancelled, or revoked before they were redeemed. Others that were under way then end within seconds. */
    voided: z.int(),
  })
  .meta({ id: 'RevokedApiKey' });

export const apiKeyQuerySchema = z.strictObject({
  kind: z.enum(['secret', 'workload', 'certificate']).optional(),
  /** A person id. */
  owner: z.string().min(1).max(64).optional(),
  revoked: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(512).optional(),
});
export const apiKeyListSchema = z.strictObject({ data: z.array(apiKeySchema), next_cursor: z.string().nullable() }).meta({ id: 'ApiKeyList' });

/** `POST /v1/token`, RFC 8693, as JSON or as a form. */
export const tokenExchangeSchema = z
  .strictObject({
    grant_type: z.literal('urn:ietf:params:oauth:grant-type:token-exchange'),
    subject_token: z.string().min(1).max(16_384),
    subject_token_type: z.enum(['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token']),
    requested_token_type: z.literal('urn:ietf:params:oauth:token-type:access_token').optional(),
  })
  .meta({ id: 'TokenExchange' });

export const exchangedTokenSchema = z
  .strictObject({
    access_token: z.string(),
    issued_token_type: z.literal('urn:ietf:params:oauth:token-type:access_token'),
    token_type: z.literal('Bearer'),
    expires_in: z.int(),
    /** The caller that the trust rule leads to. */
    caller: z.strictObject({ id: idSchema('key'), name: z.string() }),
  })
  .meta({ id: 'ExchangedToken' });

/** Key and secret are shown at once, and count from when the change is approved. */
export const pendingApiKeySchema = pendingChangeSchema
  .extend({ key: z.string().nullable().optional(), webhook_secret: z.string().nullable().optional() })
  .meta({ id: 'PendingApiKey' });
