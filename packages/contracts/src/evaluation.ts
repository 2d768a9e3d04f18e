import { z } from 'zod';
import { digestSchema, groupNameSchema, viaSchema } from './primitives.js';

/** What policy says of an action, from least to most restrictive: allow < require < deny. */
export const effectSchema = z.enum(['allow', 'require', 'deny']);
export type Effect = z.infer<typeof effectSchema>;

/** How easily an action can be undone; a caller cannot lower what the bundle declares. */
export const reversibilitySchema = z.enum(['reversible', 'recoverable', 'irreversible']);
export type Reversibility = z.infer<typeof reversibilitySchema>;

/**
 * One stage: every group in `all` must reach its quorum, each place filled by another human
 * (one person in two groups fills one place). Stages are worked through in order.
 */
export const stageSchema = z.strictObject({
  name: z.string().max(128),
  all: z
    .array(
      z.strictObject({
        group: groupNameSchema,
        quorum: z.int().min(1).max(50),
        /** From so many seconds after opening on, members of `to` may fill this group's places too, and are told; from 0 on: the group includes them. By time. */
        escalate: z
          .array(z.strictObject({ after_seconds: z.int().min(0), to: groupNameSchema }))
          .min(1)
          .max(30)
          .optional(),
      }),
    )
    .min(1)
    .max(20),
  /** How many different people must have approved in this stage; at least the sum of the quorums. */
  distinct_humans: z.int().min(1).max(100),
});
export type Stage = z.infer<typeof stageSchema>;

/** Where cards or notices go, besides what the installation's configuration says. */
export const channelSchema = z.union([
  z.strictObject({ slack: z.string().min(1).max(256) }),
  z.strictObject({ teams: z.string().min(1).max(512) }),
  z.strictObject({ email: groupNameSchema }),
  /** A private message to each member of the group, wherever the member has an account. */
  z.strictObject({ direct: groupNameSchema }),
  /** A private message to one person of the directory, by address. */
  z.strictObject({ person: z.string().min(3).max(320) }),
  /** A private message to whoever is on call by that schedule of the bundle when it is sent. */
  z.strictObject({ on_call: groupNameSchema }),
]);
export type Channel = z.infer<typeof channelSchema>;

/** What an approval must come with. Absent members demand nothing. */
export const obligationsSchema = z.strictObject({
  /** A passkey assertion over this request and verdict, at most so many seconds old. */
  passkey: z.strictObject({ fresh_seconds: z.int().min(1) }).optional(),
  /** A ticket: the request's member at `field` (a dotted path such as `context.ticket`) or, without one, the approver's own entry, which `pattern` (RE2, whole text) matches. */
  tickets: z
    .array(z.strictObject({ pattern: z.string().min(1).max(256), field: z.string().max(256).optional() }))
    .min(1)
    .max(100)
    .optional(),
  /** Texts that the approver confirms, word for word. */
  acknowledge: z.array(z.string().min(1).max(500)).min(1).max(100).optional(),
  /** The approver must have opened everything first. */
  must_open: z.literal(true).optional(),
});
export type Obligations = z.infer<typeof obligationsSchema>;

/** One person of `group` (or `quorum` of them) may let the request pass alone: loudly, with a reason, and reviewed afterwards by somebody else. */
export const breakGlassSchema = z.strictObject({
  group: groupNameSchema,
  quorum: z.int().min(1).max(50),
  obligations: obligationsSchema.optional(),
  /** Who reviews it; absent: whoever the stages name. */
  review_by: groupNameSchema.optional(),
  review_within_seconds: z.int().min(60),
  notify: z.array(channelSchema).max(10).optional(),
  /** There is no other road: the rule denies otherwise. */
  only: z.literal(true).optional(),
});
export type BreakGlass = z.infer<typeof breakGlassSchema>;

/**
 * What people must do before the action may run; part of the request digest. Members that are absent demand, or allow, nothing:
 * a requirement without `delegation` has no stand-ins, one without `break_glass` no emergency road, one without `solo` no self-approval.
 */
export const requirementSchema = z.strictObject({
  stages: z.array(stageSchema).min(1).max(100),
  /** So many denials deny the request. */
  deny_threshold: z.int().min(1).max(50),
  /** Whether a decision of that verdict must carry a reason. */
  reason_required: z.strictObject({ approve: z.boolean(), deny: z.boolean() }),
  /** How long people have, in seconds; null: the server's default. */
  timeout_seconds: z.int().min(1).nullable(),
  /** How long a grant lives, in seconds. */
  grant_ttl_seconds: z.int().min(1).max(900),
  /** How long the approval itself may be used, in seconds from when it was settled: until then the requester gets fresh grants. */
  use_within_seconds: z.int().min(1),
  /** Groups of which one denial denies, whatever the threshold; their members may deny at any stage and fill no place by it. Sorted. */
  veto: z.array(groupNameSchema).min(1).max(200).optional(),
  /** What the end of the time means; absent: the request expires. Both never approve. */
  on_timeout: z.literal('deny').optional(),
  /** When who is still needed is reminded, in seconds after opening; ascending. */
  reminders_seconds: z.array(z.int().min(1)).min(1).max(10).optional(),
  obligations: obligationsSchema.optional(),
  /** Stand-ins of absent approvers. `same_group`: only who is in the group itself. Never deeper than one. */
  delegation: z.strictObject({ within: z.enum(['same_group', 'anyone']), max_seconds: z.int().min(60) }).optional(),
  /** Through which channels one may decide; absent: all but `api`. Sorted; empty where rules leave none, and then nobody can. */
  via: z.array(viaSchema).optional(),
  /** Where the card goes; absent: where the configuration says. */
  channels: z.array(channelSchema).min(1).max(20).optional(),
  break_glass: breakGlassSchema.optional(),
  /** A team of one: who stands behind the request may approve it alone, so many seconds after opening and by passkey; marked everywhere. */
  solo: z.strictObject({ after_seconds: z.int().min(1) }).optional(),
  /** An approver may approve a narrowed pattern, with at least the parameters of these paths pinned. */
  alike: z.strictObject({ pin: z.array(z.string().max(256)).max(500), max_uses: z.int().min(1).max(1000), max_ttl_seconds: z.int().min(60) }).optional(),
  /** Paths of parameters that an approver may propose other values for: a new request, which the caller accepts or not. */
  counter: z.array(z.string().max(256)).min(1).max(50).optional(),
  /** May be decided together with others, by explicit ids. */
  bulk: z.literal(true).optional(),
  /** Quiet hours hold back no message about it. */
  urgent: z.literal(true).optional(),
  /** Where at least so many alike wait that were opened within so many seconds of each other, a place gets one message that lists them. */
  batch: z.strictObject({ at_least: z.int().min(2).max(100), window_seconds: z.int().min(1).max(86_400) }).optional(),
});
export type Requirement = z.infer<typeof requirementSchema>;

/** The evaluation as callers and approvers see it. */
export const evaluationSchema = z.strictObject({
  effect: effectSchema,
  /** Ids of the rules that decided the effect, sorted. */
  rules: z.array(z.string()),
  policy_digest: digestSchema,
  /** One or more sentences; every value in it is masked. */
  explanation: z.string(),
});
export type EvaluationView = z.infer<typeof evaluationSchema>;
