import type { BreakGlass, Channel, Obligations, Requirement, Stage } from '@countersign/contracts';
import { parseDuration } from './bundle/durations.js';
import type { BreakGlassDocument, BundleDocument, ChannelDocument, EscalationDocument, RequireDocument, StageDocument } from './bundle/schema.js';
import type { Condition } from './condition/condition.js';
import { compareText, distinctHumans, mergeRequirements, unnamedStage } from './merge-requirements.js';
import type { Terms } from './merge-terms.js';

/** Five minutes: long enough to run what was approved, short enough that little changes meanwhile. */
const DEFAULT_GRANT_TTL_SECONDS = 300;
/** Of one place; leaving later ones out loosens nothing. */
const MAX_ESCALATIONS = 30;

/** A requirement whose stages and channels may depend on the request. */
export interface RequirementPlan {
  readonly stages: readonly { readonly stage: Stage; readonly veto: readonly string[]; readonly when: Condition | undefined }[];
  readonly channels: readonly { readonly channel: Channel; readonly when: Condition | undefined }[];
  /** What does not depend on it; its stages and channels stand for nothing. */
  readonly terms: Requirement;
  /** Every condition of the plan. */
  readonly conditions: readonly Condition[];
}

/** Compiles a condition that stands at this pointer below the requirement. */
export type CompileCondition = (source: string, pointer: string) => Condition | undefined;

/** The groups whose members are members of this one too. */
export type PartsOf = (group: string) => readonly string[];

/** The requirement for one request: a stage or channel is left out only where its condition is certainly false. */
export function requirementFor(plan: RequirementPlan, isFalse: (condition: Condition) => boolean): Requirement {
  const holds = ({ when }: { readonly when: Condition | undefined }): boolean => when === undefined || !isFalse(when);
  const stages = plan.stages.filter(holds);
  const channels = plan.channels.filter(holds).map(({ channel }) => channel);
  const veto = sorted([...(plan.terms.veto ?? []), ...stages.flatMap((each) => each.veto)]);
  return {
    ...plan.terms,
    stages: stages.map(({ stage }) => stage),
    ...(veto.length === 0 ? {} : { veto }),
    ...(channels.length === 0 ? {} : { channels }),
  };
}

export const seconds = (duration: string | undefined): number | null => (duration === undefined ? null : (parseDuration(duration) ?? null));

/** Seconds of a duration that the schema has read. */
const secondsOf = (duration: string): number => parseDuration(duration) ?? 1;

export function defaultGrantTtl(defaults: BundleDocument['defaults']): number {
  return seconds(ttlOf(defaults)) ?? DEFAULT_GRANT_TTL_SECONDS;
}

/** How long an approval may be used where no requirement says: as long as its first grant lives. */
export function defaultUseWithin(defaults: BundleDocument['defaults']): number {
  return seconds(defaults.use_within) ?? defaultGrantTtl(defaults);
}

/** `grant_ttl` is the old name of `ttl`. */
const ttlOf = (written: { ttl?: string | undefined; grant_ttl?: string | undefined } | undefined): string | undefined => written?.ttl ?? written?.grant_ttl;

type Defaults = BundleDocument['defaults'];

/** The requirement of `require:`; without stages of its own it is that of the defaults and its own terms. Null where nobody is named. */
export function compileRequirement(
  written: RequireDocument | undefined,
  defaults: Defaults,
  breakGlass: BreakGlassDocument | undefined,
  compile: CompileCondition,
  partsOf: PartsOf,
): RequirementPlan | null {
  const inherits = written?.stages === undefined;
  const stages = written?.stages ?? defaults.require?.stages;
  if (stages === undefined) return null;
  const own = termsOf(written, defaults, breakGlass, partsOf);
  const base = inherits && defaults.require !== undefined && written !== defaults.require ? termsOf(defaults.require, defaults, undefined, partsOf) : undefined;
  const escalation = timeoutOf(written).escalate ?? timeoutOf(defaults.require).escalate ?? [];
  const pointer = inherits ? '/defaults/require' : '';
  const channels = written?.channels ?? (inherits ? defaults.require?.channels : undefined) ?? defaults.channels ?? [];
  return planOf(
    stages.map((stage, index) => ({
      stage: compileStage(stage, index, inherits ? escalation : (timeoutOf(written).escalate ?? []), partsOf),
      veto: withParts(stage.veto ?? [], partsOf),
      when: stage.when === undefined ? undefined : compile(stage.when, `${pointer}/stages/${index}/when`),
    })),
    channels.map((channel, index) => ({
      channel: channelOf(channel),
      when:
        channel.when === undefined
          ? undefined
          : compile(
              channel.when,
              `${written?.channels !== undefined ? '' : defaults.require?.channels === channels ? '/defaults/require' : '/defaults'}/channels/${index}/when`,
            ),
    })),
    base === undefined ? own : inherit(own, base, defaults.require?.use_within === undefined && defaults.require?.obligations?.use_within === undefined),
  );
}

/** A deny rule that lets a group break the glass asks of that group, and knows no other road. */
export function compileEmergency(breakGlass: BreakGlassDocument, defaults: Defaults, compile: CompileCondition, partsOf: PartsOf): RequirementPlan {
  const { group, quorum = 1 } = breakGlass;
  const terms = termsOf(undefined, defaults, breakGlass, partsOf);
  const road = terms.break_glass;
  return planOf(
    [{ stage: { name: 'break glass', all: [{ group, quorum }], distinct_humans: quorum }, veto: [], when: undefined }],
    (defaults.channels ?? []).map((channel, index) => ({
      channel: channelOf(channel),
      when: channel.when === undefined ? undefined : compile(channel.when, `/defaults/channels/${index}/when`),
    })),
    { ...terms, ...(road === undefined ? {} : { break_glass: { ...road, only: true } }) },
  );
}

function planOf(stages: RequirementPlan['stages'], channels: RequirementPlan['channels'], terms: Requirement): RequirementPlan {
  return { stages, channels, terms, conditions: [...stages, ...channels].flatMap(({ when }) => (when === undefined ? [] : [when])) };
}

/** Where a rule takes over the people of the defaults: of what restricts the stricter, of what permits its own word before theirs. */
function inherit(own: Requirement, base: Requirement, defaultUse: boolean): Requirement {
  // The default of use_within is a requirement's own ttl: what defaults.require does not say must not cut down what the rule says.
  const merged = mergeRequirements(own, defaultUse ? { ...base, use_within_seconds: own.use_within_seconds } : base);
  const permitted: { [member in (typeof PERMISSIONS)[number]]?: Requirement[member] } = Object.fromEntries(
    PERMISSIONS.flatMap((member) => {
      const value = own[member] ?? base[member];
      return value === undefined ? [] : [[member, value]];
    }),
  );
  const { delegation: _d, via: _v, break_glass: _g, solo: _s, alike: _a, counter: _c, bulk: _b, batch: _t, ...restricting } = merged;
  return { ...restricting, ...permitted };
}

const PERMISSIONS = ['delegation', 'via', 'break_glass', 'solo', 'alike', 'counter', 'bulk', 'batch'] as const satisfies readonly (keyof Terms)[];

function termsOf(written: RequireDocument | undefined, defaults: Defaults, breakGlass: BreakGlassDocument | undefined, partsOf: PartsOf): Requirement {
  const { obligations } = written ?? {};
  const grant_ttl_seconds = seconds(obligations?.ttl ?? ttlOf(written)) ?? defaultGrantTtl(defaults);
  const reason = obligations?.reason ?? written?.reason;
  const timeout = timeoutOf(written);
  const reminders = [...new Set((timeout.reminders ?? []).map(secondsOf))].sort((a, b) => a - b);
  const delegation = written?.delegation ?? defaults.delegation;
  const via = written?.via ?? defaults.via;
  const demanded = obligationsOf(obligations);
  const batch = written?.batch ?? defaults.batch;
  const terms: { [member in keyof Terms]: Terms[member] | undefined } = {
    veto: written?.veto === undefined ? undefined : sorted(withParts(written.veto, partsOf)),
    on_timeout: timeout.on_timeout === 'deny' ? 'deny' : undefined,
    reminders_seconds: reminders.length === 0 ? undefined : reminders,
    obligations: demanded,
    delegation: delegation && { within: delegation.within === 'anyone' ? 'anyone' : 'same_group', max_seconds: secondsOf(delegation.max_duration) },
    via: via && [...via].sort(compareText),
    break_glass: breakGlass && breakGlassOf(breakGlass),
    solo: written?.solo && { after_seconds: secondsOf(written.solo.after) },
    alike: written?.alike && {
      pin: sorted(written.alike.pin ?? []),
      max_uses: written.alike.max_uses,
      max_ttl_seconds: secondsOf(written.alike.max_ttl),
    },
    counter: written?.counter && sorted(written.counter),
    bulk: written?.bulk === true ? true : undefined,
    urgent: written?.urgent === true ? true : undefined,
    batch: batch && { at_least: batch.at_least, window_seconds: secondsOf(batch.within) },
  };
  return {
    stages: [],
    deny_threshold: written?.deny_threshold ?? 1,
    reason_required: { approve: reason === 'approve' || reason === 'both', deny: reason === 'deny' || reason === 'both' },
    timeout_seconds: seconds(timeout.after ?? defaults.timeout),
    grant_ttl_seconds,
    use_within_seconds: seconds(obligations?.use_within ?? written?.use_within ?? defaults.use_within) ?? grant_ttl_seconds,
    // Members that are undefined are taken away; what is left is Terms.
    ...(Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined)) as Terms),
  };
}

type Timeout = Exclude<RequireDocument['timeout'], string | undefined>;

const timeoutOf = (written: RequireDocument | undefined): Timeout =>
  typeof written?.timeout === 'string' ? { after: written.timeout } : (written?.timeout ?? {});

function obligationsOf(written: RequireDocument['obligations'] | BreakGlassDocument['obligations']): Obligations | undefined {
  if (written === undefined) return undefined;
  const tickets = written.ticket === undefined ? [] : Array.isArray(written.ticket) ? written.ticket : [written.ticket];
  const demanded: Obligations = {
    ...(written.passkey === undefined ? {} : { passkey: { fresh_seconds: secondsOf(written.passkey.fresh) } }),
    ...(tickets.length === 0 ? {} : { tickets: tickets.map(({ pattern, field }) => ({ pattern, ...(field === undefined ? {} : { field }) })) }),
    ...(written.acknowledge === undefined ? {} : { acknowledge: sorted(written.acknowledge) }),
    ...(written.must_open === undefined ? {} : { must_open: true }),
  };
  return Object.keys(demanded).length === 0 ? undefined : demanded;
}

function breakGlassOf({ group, quorum = 1, obligations, review_by, review_within, notify }: BreakGlassDocument): BreakGlass {
  const demanded = obligationsOf(obligations);
  return {
    group,
    quorum,
    ...(demanded === undefined ? {} : { obligations: demanded }),
    ...(review_by === undefined ? {} : { review_by }),
    review_within_seconds: secondsOf(review_within),
    ...(notify === undefined ? {} : { notify: notify.map(channelOf) }),
  };
}

export function channelOf({ slack, teams, email, direct, person, on_call }: Omit<ChannelDocument, 'when'>): Channel {
  if (slack !== undefined) return { slack };
  if (teams !== undefined) return { teams };
  if (email !== undefined) return { email };
  if (person !== undefined) return { person };
  // The schema lets exactly one of them pass.
  return on_call === undefined ? { direct: direct ?? '' } : { on_call };
}

function compileStage(written: StageDocument, index: number, escalation: readonly EscalationDocument[], partsOf: PartsOf): Stage {
  const all = written.all
    .map(({ group, quorum = 1, escalate = [] }) => {
      // Who is included counts from the start.
      const steps = new Map<string, number>(partsOf(group).map((part) => [part, 0]));
      for (const { after, to } of [...escalate, ...escalation])
        if (to !== group) steps.set(to, Math.min(secondsOf(after), steps.get(to) ?? Number.POSITIVE_INFINITY));
      const sortedSteps = [...steps].map(([to, after_seconds]) => ({ after_seconds, to }));
      sortedSteps.sort((a, b) => a.after_seconds - b.after_seconds || compareText(a.to, b.to));
      return { group, quorum, ...(sortedSteps.length === 0 ? {} : { escalate: sortedSteps.slice(0, MAX_ESCALATIONS) }) };
    })
    .sort((a, b) => compareText(a.group, b.group));
  return { name: written.name ?? unnamedStage(index + 1), all, distinct_humans: distinctHumans(all, written.distinct_humans) };
}

const withParts = (groups: readonly string[], partsOf: PartsOf): string[] => groups.flatMap((group) => [group, ...partsOf(group)]);

const sorted = (all: readonly string[]): string[] => [...new Set(all)].sort(compareText);
