import type { Requirement, Stage } from '@countersign/contracts';

/**
 * The stricter of both: whatever satisfies the result satisfies `a` and `b`. Which comes first does not matter.
 * Stages of one name are joined wherever they stand; between them stages are joined by position. In a joined
 * stage a group keeps its larger quorum, and every place wants another human.
 */
export function mergeRequirements(a: Requirement, b: Requirement): Requirement {
  const [first, second] = compareText(JSON.stringify(a.stages), JSON.stringify(b.stages)) <= 0 ? [a, b] : [b, a];
  return {
    stages: mergeStages(first.stages, second.stages),
    deny_threshold: Math.min(a.deny_threshold, b.deny_threshold),
    reason_required: {
      approve: a.reason_required.approve || b.reason_required.approve,
      deny: a.reason_required.deny || b.reason_required.deny,
    },
    timeout_seconds: smallerTimeout(a.timeout_seconds, b.timeout_seconds),
    grant_ttl_seconds: Math.min(a.grant_ttl_seconds, b.grant_ttl_seconds),
    use_within_seconds: Math.min(a.use_within_seconds, b.use_within_seconds),
  };
}

/** What joins the names of joined stages; a bundle cannot write it in a name. */
export const NAME_JOINT = ' + ';

/** The name of a stage that was given none, by its position from 1. Such names do not tie stages together. */
export const unnamedStage = (position: number): string => `stage ${position}`;

const MAX_NAME = 128;

/** The smallest count of people that a stage can be content with. */
export function distinctHumans(all: Stage['all'], given = 1): number {
  return Math.min(
    100,
    Math.max(
      given,
      all.reduce((sum, part) => sum + part.quorum, 0),
    ),
  );
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function smallerTimeout(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}

/**
 * Each list maps into the result in its own order, one stage to one stage: so nothing that either list demands is lost.
 * Stages that share a name are the anchors; what lies between two anchors is joined position by position.
 */
function mergeStages(a: readonly Stage[], b: readonly Stage[]): Stage[] {
  const merged: Stage[] = [];
  let [fromA, fromB] = [0, 0];
  for (const [toA, toB] of [...anchors(a, b), [a.length, b.length] as const]) {
    for (let step = 0; fromA + step < toA || fromB + step < toB; step++) {
      const left = fromA + step < toA ? a[fromA + step] : undefined;
      const right = fromB + step < toB ? b[fromB + step] : undefined;
      const stage = left !== undefined && right !== undefined ? joinStages(left, right) : (left ?? right);
      if (stage !== undefined) merged.push(stage);
    }
    const [left, right] = [a[toA], b[toB]];
    if (left !== undefined && right !== undefined) merged.push(joinStages(left, right));
    [fromA, fromB] = [toA + 1, toB + 1];
  }
  return merged.map((stage, index) => (isUnnamed(stage.name) ? { ...stage, name: unnamedStage(index + 1) } : stage));
}

/** The longest run of pairs that share a name, in the order of both lists (longest common subsequence). */
function anchors(a: readonly Stage[], b: readonly Stage[]): (readonly [number, number])[] {
  const width = b.length + 1;
  const longest = new Array<number>((a.length + 1) * width).fill(0);
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0;
  const shares = a.map((left) => b.map((right) => shareName(left.name, right.name)));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] = shares[i]?.[j] === true ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: (readonly [number, number])[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (shares[i]?.[j] === true) pairs.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}

function joinStages(a: Stage, b: Stage): Stage {
  const quorums = new Map<string, number>();
  for (const { group, quorum } of [...a.all, ...b.all]) quorums.set(group, Math.max(quorum, quorums.get(group) ?? 0));
  const all = [...quorums].map(([group, quorum]) => ({ group, quorum })).sort((x, y) => compareText(x.group, y.group));
  return { name: joinNames(a.name, b.name), all, distinct_humans: distinctHumans(all, Math.max(a.distinct_humans, b.distinct_humans)) };
}

function joinNames(a: string, b: string): string {
  const names = [...new Set([...namesOf(a), ...namesOf(b)])].sort(compareText);
  if (names.length === 0) return a;
  let joined = '';
  for (const name of names) {
    const longer = joined === '' ? name : joined + NAME_JOINT + name;
    if (longer.length > MAX_NAME) break;
    joined = longer;
  }
  return joined;
}

function shareName(a: string, b: string): boolean {
  const names = namesOf(b);
  return namesOf(a).some((name) => names.includes(name));
}

const namesOf = (name: string): string[] => (isUnnamed(name) ? [] : name.split(NAME_JOINT));
const isUnnamed = (name: string): boolean => /^stage \d+$/.test(name);
