import { MAX_GRANT_LIFE_SECONDS, viaSchema } from '@countersign/contracts';
import { z } from 'zod';
import { compileRegex } from '../condition/regex.js';
import { address } from './schema-schedule.js';
import { condition, duration, group, MAX_TIMEOUT_SECONDS, paths, path, PARAMETER_PATH, text, VALUE_PATH } from './schema-parts.js';

const MAX_USE_WITHIN_SECONDS = 30 * 86_400;
const MAX_REVIEW_SECONDS = 90 * 86_400;
const MAX_ABSENCE_SECONDS = 90 * 86_400;

const escalation = z.strictObject({ after: duration(MAX_TIMEOUT_SECONDS), to: group });
export type EscalationDocument = z.infer<typeof escalation>;

const stage = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/, 'a stage name has letters, digits, spaces and . _ - only, at most 64')
    .refine((value) => !/^stage \d+$/.test(value), '"stage 1" and the like are the names of stages without a name')
    .optional(),
  all: z
    .array(z.strictObject({ group, quorum: z.int().min(1).max(50).optional(), escalate: z.array(escalation).min(1).max(10).optional() }))
    .min(1)
    .max(20)
    .refine((all) => new Set(all.map((place) => place.group)).size === all.length, 'a stage names each group once')
    .refine((all) => all.reduce((sum, { quorum = 1 }) => sum + quorum, 0) <= 100, 'a stage asks for at most 100 people'),
  distinct_humans: z.int().min(1).max(100).optional(),
  /** Left out where it is certainly false. */
  when: condition.optional(),
  veto: z.array(group).min(1).max(20).optional(),
});
export type StageDocument = z.infer<typeof stage>;

const destinations = {
  slack: text(256).optional(),
  teams: text(512).optional(),
  email: group.optional(),
  direct: group.optional(),
  person: address.optional(),
  on_call: group.optional(),
};
const oneDestination = (written: { [member in keyof typeof destinations]?: string | undefined }): boolean =>
  Object.keys(destinations).filter((kind) => written[kind as keyof typeof destinations] !== undefined).length === 1;
const ONE_DESTINATION = 'a channel is one of slack: "#name", teams: "team/channel", email: group, direct: group, person: address, on_call: schedule';
const channel = z.strictObject({ ...destinations, when: condition.optional() }).refine(oneDestination, ONE_DESTINATION);
export const plainChannel = z.strictObject(destinations).refine(oneDestination, ONE_DESTINATION);
export type ChannelDocument = z.infer<typeof channel>;

const ticket = z.strictObject({
  pattern: text(256).refine(
    (value) => typeof compileRegex(value) !== 'string',
    'this is no regular expression of RE2, which has neither look-around nor back references, or it repeats too much',
  ),
  field: path(VALUE_PATH, 'context.ticket').optional(),
});

const proofs = {
  passkey: z.strictObject({ fresh: duration(86_400) }).optional(),
  ticket: z.union([ticket, z.array(ticket).min(1).max(10)]).optional(),
  acknowledge: z.array(text(500)).min(1).max(10).optional(),
  must_open: z.literal(true).optional(),
};

/** How long a grant lives, under its name and its old one, and how long the approval may be used at all. */
export const usage = {
  ttl: duration(MAX_GRANT_LIFE_SECONDS).optional(),
  grant_ttl: duration(MAX_GRANT_LIFE_SECONDS).optional(),
  use_within: duration(MAX_USE_WITHIN_SECONDS).optional(),
};
const oneTtl = ({ ttl, grant_ttl }: { ttl?: string | undefined; grant_ttl?: string | undefined }): boolean => ttl === undefined || grant_ttl === undefined;
export const TWO_TTLS = { message: 'ttl and grant_ttl are the same thing: write ttl alone', path: ['grant_ttl'] };
export { oneTtl };

const reason = z.enum(['approve', 'deny', 'both']);

const obligations = z.strictObject({
  ...proofs,
  reason: reason.optional(),
  ttl: usage.ttl,
  use_within: usage.use_within,
  /** A grant is always redeemed once; writing it out changes nothing. */
  use: z.literal('once').optional(),
});

export const breakGlass = z.strictObject({
  group,
  quorum: z.int().min(1).max(50).optional(),
  obligations: z.strictObject(proofs).optional(),
  review_by: group.optional(),
  review_within: duration(MAX_REVIEW_SECONDS, 60),
  notify: z.array(plainChannel).min(1).max(10).optional(),
});
export type BreakGlassDocument = z.infer<typeof breakGlass>;

export const via = z
  .array(viaSchema)
  .min(1)
  .refine((all) => new Set(all).size === all.length, 'each channel stands here once');

export const delegation = z.strictObject({
  within: z.enum(['same-group', 'same_group', 'anyone']).optional(),
  max_duration: duration(MAX_ABSENCE_SECONDS, 60),
});

export const channels = z.array(channel).min(1).max(20);

/** From so many alike on that were opened within the time, one message lists them. */
export const batch = z.strictObject({ at_least: z.int().min(2).max(100), within: duration(86_400) });

const timeout = z.union([
  duration(MAX_TIMEOUT_SECONDS),
  z.strictObject({
    after: duration(MAX_TIMEOUT_SECONDS).optional(),
    reminders: z.array(duration(MAX_TIMEOUT_SECONDS)).min(1).max(10).optional(),
    /** For every place of every stage. */
    escalate: z.array(escalation).min(1).max(10).optional(),
    on_timeout: z.enum(['deny', 'expire']).optional(),
  }),
]);

export const require = z
  .strictObject({
    stages: z
      .array(stage)
      .min(1)
      .max(20)
      .refine((stages) => {
        const names = stages.flatMap((each) => (each.name === undefined ? [] : [each.name]));
        return new Set(names).size === names.length;
      }, 'two stages have the same name')
      .refine((stages) => stages.some((each) => each.when === undefined), 'at least one stage has no `when`, so that somebody is always asked')
      .optional(),
    deny_threshold: z.int().min(1).max(50).optional(),
    veto: z.array(group).min(1).max(20).optional(),
    reason: reason.optional(),
    timeout: timeout.optional(),
    ...usage,
    obligations: obligations.optional(),
    via: via.optional(),
    delegation: delegation.optional(),
    channels: channels.optional(),
    batch: batch.optional(),
    solo: z.strictObject({ after: duration(MAX_TIMEOUT_SECONDS) }).optional(),
    alike: z
      .strictObject({
        pin: z.array(path(PARAMETER_PATH, 'parameters.table')).max(50).optional(),
        max_uses: z.int().min(1).max(1000),
        max_ttl: duration(90 * 86_400, 60),
      })
      .optional(),
    counter: paths(PARAMETER_PATH).min(1).max(50).optional(),
    bulk: z.boolean().optional(),
    urgent: z.boolean().optional(),
  })
  .refine(oneTtl, TWO_TTLS)
  .refine(({ obligations: inner, ttl, grant_ttl }) => inner?.ttl === undefined || (ttl === undefined && grant_ttl === undefined), {
    message: 'ttl stands twice: here and in obligations',
    path: ['ttl'],
  })
  .refine(({ obligations: inner, use_within }) => inner?.use_within === undefined || use_within === undefined, {
    message: 'use_within stands twice: here and in obligations',
    path: ['use_within'],
  })
  .refine((written) => written.obligations?.reason === undefined || written.reason === undefined, {
    message: 'reason stands twice: here and in obligations',
    path: ['reason'],
  });
export type RequireDocument = z.infer<typeof require>;
