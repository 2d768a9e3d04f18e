import { z } from 'zod';
import { pendingChangeSchema } from './config-change.js';
import { callbackEventSchema } from './outcome.js';
import { idSchema, instantSchema } from './primitives.js';

/** How callbacks are written: Standard Webhooks' own JSON, or CloudEvents 1.0 in structured mode. Both are signed alike. */
export const endpointFormatSchema = z.enum(['standard', 'cloudevents']);
export type EndpointFormat = z.infer<typeof endpointFormatSchema>;

/**
 * Why an endpoint is disabled: an administrator did it, its receiver answered 410 or asked for it (`webhook-delivery: disable`), or
 * nothing was delivered for 120 hours.
 */
export const disabledReasonSchema = z.enum(['administrator', 'gone', 'receiver_asked', 'failing']);
export type DisabledReason = z.infer<typeof disabledReasonSchema>;

/** RFC 9110, section 5.6.2: token. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
/** Visible ASCII, with spaces and tabs inside: no line end can end the header and begin another (RFC 9110, section 5.5). */
const HEADER_VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]{0,1022}[\x21-\x7e])?$/;
/** What frames the message, belongs to the connection (RFC 9110, section 7.6.1), or is ours to say. */
const OURS = new Set([
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'via',
]);
const OUR_PREFIXES = ['webhook-', 'proxy-', 'ce-', 'x-forwarded-', ':'];
const MAX_HEADERS = 16;

function isOurs(name: string): boolean {
  const lower = name.toLowerCase();
  return OURS.has(lower) || OUR_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

/** Headers that each callback carries besides ours, an `Authorization` of the receiver's for instance. Values are kept sealed. */
export const endpointHeadersSchema = z
  .record(
    z
      .string()
      .regex(HEADER_NAME, 'is not a header name')
      .refine((name) => !isOurs(name), 'this header is not yours to set'),
    z.string().regex(HEADER_VALUE, 'is not a header value: visible ASCII, 1 to 1024 characters, no line ends'),
  )
  .refine((headers) => Object.keys(headers).length <= MAX_HEADERS, `at most ${MAX_HEADERS} headers`)
  .refine((headers) => new Set(Object.keys(headers).map((name) => name.toLowerCase())).size === Object.keys(headers).length, 'a header stands twice')
  .meta({ description: 'Names and values; the values are never shown again' });

const eventsSchema = z
  .array(callbackEventSchema)
  .min(1)
  .max(8)
  .refine((events) => new Set(events).size === events.length, 'an event stands twice');

const members = {
  url: z.string().min(1).max(2048),
  description: z.string().max(500).nullable().optional(),
  events: eventsSchema.optional(),
  headers: endpointHeadersSchema.optional(),
  format: endpointFormatSchema.optional(),
};

/** `POST /v1/endpoints`. */
export const endpointBodySchema = z.strictObject(members).meta({ id: 'EndpointBody' });
export type EndpointBody = z.infer<typeof endpointBodySchema>;

/** `PATCH /v1/endpoints/{id}`: members that are absent stay as they are; `headers` replaces all of them. */
export const endpointPatchSchema = z
  .strictObject({ ...members, url: members.url.optional() })
  .refine((patch) => Object.keys(patch).length > 0, 'say what to change')
  .meta({ id: 'EndpointPatch' });
export type EndpointPatch = z.infer<typeof endpointPatchSchema>;

/**
 * A place that callbacks go to. `registered` by an administrator; or `bare`: an address that a request named itself, one for each API key,
 * origin and path, which is kept from the first time that it fails.
 */
export const endpointSchema = z
  .strictObject({
    id: idSchema('ep'),
    kind: z.enum(['registered', 'bare']),
    url: z.string(),
    description: z.string().nullable(),
    events: z.array(callbackEventSchema),
    format: endpointFormatSchema,
    header_names: z.array(z.string()),
    state: z.enum(['enabled', 'disabled']),
    reason: disabledReasonSchema.nullable(),
    /** Since when it is in this state. */
    since: instantSchema,
    /** The first failure after the last success; null while it is well. */
    failing_since: instantSchema.nullable(),
    /** The API key that named a bare address. */
    api_key_id: z.string().nullable(),
    created_at: instantSchema,
    updated_at: instantSchema,
  })
  .meta({ id: 'Endpoint' });
export type EndpointView = z.infer<typeof endpointSchema>;

const secretSchema = z.string().meta({ description: '`whsec_…`, shown this once' });

export const newEndpointSchema = z.strictObject({ ...endpointSchema.shape, secret: secretSchema }).meta({ id: 'NewEndpoint' });

export const rotatedSecretSchema = z
  .strictObject({
    secret: secretSchema,
    /** Until then the secrets before it sign too. */
    previous_valid_until: instantSchema,
  })
  .meta({ id: 'RotatedSecret' });

export const endpointListSchema = z.strictObject({ data: z.array(endpointSchema), next_cursor: z.string().nullable() }).meta({ id: 'EndpointList' });

export const endpointQuerySchema = z.strictObject({
  kind: z.enum(['registered', 'bare']).optional(),
  state: z.enum(['enabled', 'disabled']).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(512).optional(),
});

/** What enabling and disabling did: how many events it released or holds. */
export const endpointStateSchema = z.strictObject({ endpoint: endpointSchema, deliveries: z.int() }).meta({ id: 'EndpointState' });

export const endpointTestSchema = z
  .strictObject({ delivery: idSchema('msg').meta({ description: 'Read what came of it at /v1/deliveries/{id}' }) })
  .meta({ id: 'EndpointTest' });

/** The secret is shown at once, and counts from when the change is approved. */
export const pendingEndpointSchema = pendingChangeSchema.extend({ secret: z.string() }).meta({ id: 'PendingEndpoint' });
