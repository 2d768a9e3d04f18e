import type { Requirement, Stage } from '@countersign/contracts';
import { parseDuration } from './bundle/durations.js';
import type { BundleDocument, RequireDocument, StageDocument } from './bundle/schema.js';
import { compareText, distinctHumans, mergeRequirements, unnamedStage } from './merge-requirements.js';

/** Five minutes: long enough to run what was approved, short enough that little changes meanwhile. */
const DEFAULT_GRANT_TTL_SECONDS = 300;

export const seconds = (duration: string | undefined): number | null => (duration === undefined ? null : (parseDuration(duration) ?? null));

export function defaultGrantTtl(defaults: BundleDocument['defaults']): number {
  return seconds(ttlOf(defaults)) ?? DEFAULT_GRANT_TTL_SECONDS;
}

/** How long an approval may be used where no requirement says: as long as its first grant lives. */
export function defaultUseWithin(defaults: BundleDocument['defaults']): number {
  return seconds(defaults.use_within) ?? defaultGrantTtl(defaults);
}

/** `grant_ttl` is the old name of `ttl`. */
const ttlOf = (written: { ttl?: string | undefined; grant_ttl?: string | undefined } | undefined): string | undefined => written?.ttl ?? written?.grant_ttl;

/** The requirement of `require:`; without stages of its own it is that of the defaults and its own terms. Null where nobody is named. */
export function compileRequirement(written: RequireDocument | undefined, defaults: BundleDocument['defaults']): Requirement | null {
  const stages = written?.stages ?? defaults.require?.stages;
  if (stages === undefined) return null;
  const own = termsOf(stages, written, defaults);
  if (written?.stages !== undefined || defaults.require === undefined || written === defaults.require) return own;
  const base = termsOf(stages, defaults.require, defaults);
  // The default of use_within is a requirement's own ttl: what defaults.require does not say must not cut down what the rule says.
  return mergeRequirements(own, defaults.require.use_within === undefined ? { ...base, use_within_seconds: own.use_within_seconds } : base);
}

function termsOf(stages: readonly StageDocument[], written: RequireDocument | undefined, defaults: BundleDocument['defaults']): Requirement {
  const grant_ttl_seconds = seconds(ttlOf(written)) ?? defaultGrantTtl(defaults);
  return {
    stages: stages.map(compileStage),
    deny_threshold: written?.deny_threshold ?? 1,
    reason_required: {
      approve: written?.reason === 'approve' || written?.reason === 'both',
      deny: written?.reason === 'deny' || written?.reason === 'both',
    },
    timeout_seconds: seconds(written?.timeout ?? defaults.timeout),
    grant_ttl_seconds,
    use_within_seconds: seconds(written?.use_within ?? defaults.use_within) ?? grant_ttl_seconds,
  };
}

function compileStage(written: StageDocument, index: number): Stage {
  const all = [...written.all].sort((a, b) => compareText(a.group, b.group));
  return { name: written.name ?? unnamedStage(index + 1), all, distinct_humans: distinctHumans(all, written.distinct_humans) };
}
