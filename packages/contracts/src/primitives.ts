import { z } from 'zod';

/** Any JSON value, as RFC 8259 has it. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [member: string]: JsonValue };
/** A JSON object. */
export type JsonObject = { [member: string]: JsonValue };

/** An RFC 3339 instant in UTC with milliseconds, `2026-11-21T12:00:00.000Z`. */
export const instantSchema = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
  .meta({ id: 'Instant', description: 'RFC 3339, UTC, milliseconds', example: '2026-11-21T12:00:00.000Z' });

/** A SHA-256 digest, written `sha256:` and 64 lower-case hexadecimal digits. */
export const digestSchema = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'must be "sha256:" followed by 64 lower-case hexadecimal digits')
  .meta({ id: 'Digest', description: 'SHA-256 over RFC 8785 canonical JSON' });

/** The prefixes of our ids and what they name. */
export const idPrefixes = {
  ar: 'action request',
  dec: 'decision',
  out: 'outcome',
  msg: 'delivery message',
  ep: 'endpoint',
  gr: 'grant',
  per: 'person',
  key: 'API key',
  pk: 'passkey',
  pat: 'personal token',
  fz: 'freeze',
  pt: 'approved pattern',
  dg: 'delegation',
  rv: 'review',
  q: 'question',
  pr: 'counter-proposal',
  nt: 'notice',
  cc: 'change of the configuration',
  pl: 'chat place',
  ses: 'session',
} as const;
export type IdPrefix = keyof typeof idPrefixes;

/** A schema for ids of one kind: the prefix, an underscore and a UUIDv7. */
export const idSchema = (prefix: IdPrefix) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`))
    .meta({ description: `The id of a ${idPrefixes[prefix]}` });

/** Text without NUL characters, of 1 to `max` UTF-16 units. */
export const textSchema = (max: number) => z.string().min(1).max(max);

/** Any JSON value; depth, size, and number rules are the strict parser's. */
export const jsonSchema: z.ZodType<JsonValue> = z.json();
export const jsonObjectSchema: z.ZodType<JsonObject> = z.record(z.string().max(256), jsonSchema);

/** The name of a group of the directory. */
export const groupNameSchema = z.string().min(1).max(128);

/** Through which channel a decision came. */
export const viaSchema = z.enum(['slack', 'teams', 'web', 'api', 'email']);
export type Via = z.infer<typeof viaSchema>;
