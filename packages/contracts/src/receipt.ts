import { z } from 'zod';
import { eventNameSchema } from './event.js';
import { outcomeDataSchema, statusSchema } from './outcome.js';
import { digestSchema, idSchema, instantSchema, jsonObjectSchema } from './primitives.js';
import { reportViewSchema } from './report.js';

export const RECEIPT_FORMAT = 'countersign.dev/receipt/v1';

/**
 * `GET /v1/action-requests/{id}/receipt`: all that shows offline, without asking us again, what happened to a request. Each entry
 * proves its own place in the log; `record_key` opens what the entries commit to. Which keys to believe is the reader's to know:
 * those in here are a convenience, and no proof.
 */
export const receiptSchema = z
  .strictObject({
    format: z.literal(RECEIPT_FORMAT),
    action_request: idSchema('ar'),
    tenant: z.string(),
    status: statusSchema,
    action_digest: digestSchema,
    request_digest: digestSchema,
    policy_digest: digestSchema,
    /** Without a grant; null while people are asked. */
    outcome: outcomeDataSchema.nullable(),
    redeemed_at: instantSchema.nullable(),
    report: reportViewSchema.nullable(),
    /** The record's own key, base64url of 32 bytes: HMAC-SHA256 under it over an entry's details is the entry's commitment. */
    record_key: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
    log: z.strictObject({
      origin: z.string(),
      /** How many entries the checkpoint covers. */
      size: z.int().min(1),
      /** The signed checkpoint that every proof leads to (C2SP tlog-checkpoint). */
      checkpoint: z.string(),
      /** Verifier keys (C2SP signed-note), retired ones too. */
      vkeys: z.array(z.string()),
    }),
    /** The keys of grants and callbacks (RFC 7517), retired ones too. */
    jwks: z.strictObject({ keys: z.array(z.record(z.string(), z.string())) }),
    /** In the order of time. */
    entries: z
      .array(
        z.strictObject({
          index: z.int().min(0),
          event: eventNameSchema,
          at: instantSchema,
          /** The exact bytes of the entry, base64. */
          leaf: z.string(),
          /** What the entry commits to. */
          details: jsonObjectSchema,
          /** C2SP tlog-proof, with the checkpoint in it. */
          proof: z.string(),
        }),
      )
      .min(1),
  })
  .meta({ id: 'Receipt' });
export type Receipt = z.infer<typeof receiptSchema>;
