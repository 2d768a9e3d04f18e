import type { Requirement, Stage } from '@countersign/contracts';
import { parseDuration } from './bundle/durations.js';
import type { BundleDocument, RequireDocument, StageDocument } from './bundle/schema.js';
import { compareText, distinctHumans, mergeRequirements, unnamedStage } from './merge-requirements.js';

/** Five minutes: long enough to run what was approved, short enough that little changes meanwhile. */
const DEFAULT_GRANT_TTL_SECONDS = 300;

export const seconds = (duration: string | undefined): number | null => (duration === undefined ? null : (parseDuration(duration) ?? null));

export function defaultGrantTtl(defaults: BundleDocument['defaults']): number {
  return seconds(defaults.grant_ttl) ?? DEFAULT_GRANT_TTL_SECONDS;
}

/** The requirement of `require:`; without stages of its own it is that of the defaults and its own terms. Null where nobody is named. */
export function compileRequirement(written: RequireDocument | undefined, defaults: BundleDocument['defaults']): Requirement | null {
  const stages = written?.stages ?? defaults.require?.stages;
  if (stages === undefined) return null;
  const own = termsOf(stages, written, defaults);
  if (written?.stages !== undefined || defaults.require === undefined || written === defaults.require) return own;
  return mergeRequirements(own, termsOf(stages, defaults.require, defaults));
}

function termsOf(stages: readonly StageDocument[], written: RequireDocument | undefined, defaults: BundleDocument['defaults']): Requirement {
  return {
    stages: stages.map(compileStage),
    deny_threshold: written?.deny_threshold ?? 1,
    reason_required: {
      approve: written?.reason === 'approve' || written?.reason === 'both',
      deny: written?.reason === 'deny' || written?.reason === 'both',
    },
    timeout_seconds: seconds(written?.timeout ?? defaults.timeout),
    grant_ttl_seconds: seconds(written?.grant_ttl) ?? defaultGrantTtl(defaults),
  };
}

function compileStage(written: StageDocument, index: number): Stage {
  const all = [...written.all].sort((a, b) => compareText(a.group, b.group));
  return { name: written.name ?? unnamedStage(index + 1), all, distinct_humans: distinctHumans(all, written.distinct_humans) };
}
