import type { Requirement } from '@countersign/contracts';
import { progress } from '../quorum.js';
import type { CompiledBundle } from '../types.js';

/** Somebody who may decide: an active person of the directory, with the groups that the directory says. */
export interface Member {
  /** The person's id or address. */
  id: string;
  groups: readonly string[];
}

/** What a bundle asks that its directory cannot give. */
export interface Unmet {
  /** The rule that asks; null for the bundle's defaults. */
  rule: string | null;
  stage: string;
  /** `never`: all members together do not fill it. `without`: they do, and no longer once one of `people` stands behind the request. */
  kind: 'never' | 'without';
  people: string[];
}

/** However late: all that escalates has escalated. */
const AT_LAST = Number.MAX_SAFE_INTEGER;

/**
 * Stages that nobody can satisfy: quorums held against the members of the groups, each human counted once, and against the members less
 * any one of them, who may stand behind the request and then does not decide.
 */
export function unmetStages(bundle: CompiledBundle, members: readonly Member[]): Unmet[] {
  const people = members.map(({ id, groups }) => ({ person_id: id, groups: bundle.expandGroups(groups) }));
  const asked: [string | null, Requirement | null][] = [
    [null, bundle.defaults.require],
    ...bundle.rules.filter(({ mode }) => mode === 'enforce').map(({ id, requirement }): [string, Requirement | null] => [id, requirement]),
  ];
  return asked.flatMap(([rule, requirement]): Unmet[] => {
    if (requirement === null) return [];
    const named = new Set(requirement.stages.flatMap(({ all }) => all.flatMap(({ group, escalate = [] }) => [group, ...escalate.map(({ to }) => to)])));
    const able = people.filter(({ groups }) => groups.some((group) => named.has(group)));
    const never = openStage(requirement, able);
    if (never !== null) return [{ rule, stage: never, kind: 'never', people: [] }];
    const needed = able.flatMap((one) => {
      const stage = openStage(
        requirement,
        able.filter((other) => other !== one),
      );
      return stage === null ? [] : [{ stage, id: one.person_id }];
    });
    const stages = [...new Set(needed.map(({ stage }) => stage))];
    return stages.map((stage) => ({ rule, stage, kind: 'without' as const, people: needed.filter((each) => each.stage === stage).map(({ id }) => id) }));
  });
}

/** The first stage that stays open though everybody approved; null where none does. */
function openStage(requirement: Requirement, approvals: Parameters<typeof progress>[1]): string | null {
  return progress(requirement, approvals, AT_LAST).stages.find(({ satisfied }) => !satisfied)?.stage.name ?? null;
}
