import { z } from 'zod';
import { statusSchema } from './outcome.js';
import { digestSchema, idSchema, instantSchema } from './primitives.js';

/**
 * A card before any platform renders it: plain text only, every value already masked and made visible
 * (no control, bidirectional or zero-width character survives unmarked). A renderer may shorten a field only
 * if it says so and offers "Show everything".
 */
export const cardSchema = z
  .strictObject({
    request_id: idSchema('ar'),
    url: z.string(),
    status: statusSchema,
    action_digest: digestSchema,
    request_digest: digestSchema,
    /** Digest of exactly what this card shows of the request; recorded with the decision. */
    view_digest: digestSchema,
    /** Who asks, for whom, to do what to what, in one sentence. */
    headline: z.string(),
    facts: z.array(z.strictObject({ label: z.string(), value: z.string() })),
    reason: z.string().nullable(),
    /** Each parameter by its path, whole. */
    parameters: z.array(z.strictObject({ path: z.string(), value: z.string() })),
    diff: z.string().nullable(),
    links: z.array(z.strictObject({ title: z.string(), url: z.string(), host: z.string() })),
    /** The whole masked action as indented JSON: what "Show everything" leads to. */
    everything: z.string(),
    /** What is hidden, in a sentence; null when nothing is. */
    hidden: z.string().nullable(),
    /** What the approver should beware of: invisible characters, look-alikes, a rule that could not be checked. */
    warnings: z.array(z.string()),
    /** `policy`: the bundles by name and version. */
    rule: z.strictObject({ ids: z.array(z.string()), explanation: z.string(), policy: z.string(), policy_digest: digestSchema }),
    stages: z.array(
      z.strictObject({
        name: z.string(),
        groups: z.array(z.strictObject({ group: z.string(), quorum: z.int(), approved: z.int() })),
        open: z.boolean(),
        satisfied: z.boolean(),
      }),
    ),
    /** Who is still needed, in words; null when nobody is. */
    waiting_for: z.string().nullable(),
    decisions: z.array(
      z.strictObject({
        name: z.string(),
        verdict: z.enum(['approve', 'deny']),
        reason: z.string().nullable(),
        at: instantSchema,
        via: z.string(),
      }),
    ),
    outcome: z.strictObject({ status: statusSchema, text: z.string(), at: instantSchema }).nullable(),
    created_at: instantSchema,
    expires_at: instantSchema,
    /** Whether Approve and Deny are offered. */
    open: z.boolean(),
    /**
     * The request holds what may mislead who reads it in passing: Approve is offered beside the whole of it alone, which is opened first. Why
     * stands among the warnings.
     */
    open_first: z.literal(true).optional(),
    reason_required: z.strictObject({ approve: z.boolean(), deny: z.boolean() }),
    /** An approval takes a passkey: it is made on the request's page, whatever button leads there. */
    passkey_required: z.literal(true).optional(),
    /** What deciding takes besides a press, for those who can ask for it; absent: nothing. In words it stands among the facts. */
    demands: z
      .strictObject({
        /** RE2 patterns, whole text, of a ticket that the approver enters: it has to match all. */
        tickets: z.array(z.string()),
        /** Texts that the approver confirms, word for word. */
        acknowledge: z.array(z.string()),
        /** The approver opens everything first, which is recorded. */
        must_open: z.boolean(),
      })
      .optional(),
    /** Who may let it pass in an emergency, and what that takes; absent: nobody. */
    break_glass: z
      .strictObject({
        group: z.string(),
        quorum: z.int(),
        only: z.boolean(),
        tickets: z.array(z.string()),
        acknowledge: z.array(z.string()),
        must_open: z.boolean(),
      })
      .optional(),
    /** Whether approvers may decide in the stead of who is away. */
    stand_ins: z.literal(true).optional(),
    /** An approver may approve others like it too, with at least these parameters as they are, within these bounds. */
    alike: z.strictObject({ pin: z.array(z.string()), max_uses: z.int(), max_ttl_seconds: z.int() }).optional(),
    /** Paths of parameters for which other values may be proposed. */
    counter: z.array(z.string()).optional(),
    questions: z
      .array(
        z.strictObject({
          id: idSchema('q'),
          name: z.string(),
          text: z.string(),
          at: instantSchema,
          answer: z.strictObject({ by: z.string(), text: z.string() }).nullable(),
        }),
      )
      .optional(),
    proposals: z
      .array(z.strictObject({ id: idSchema('pr'), name: z.string(), text: z.string(), reason: z.string().nullable(), accepted_as: z.string().nullable() }))
      .optional(),
    /** Of an approval by break-glass. */
    reviews: z
      .array(z.strictObject({ id: idSchema('rv'), groups: z.array(z.string()), due_at: instantSchema, text: z.string(), open: z.boolean() }))
      .optional(),
    /** The standing notice of a quickstart; null otherwise. */
    notice: z.string().nullable(),
  })
  .meta({ id: 'Card' });
export type Card = z.infer<typeof cardSchema>;
