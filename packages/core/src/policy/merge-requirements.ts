import type { Requirement, Stage } from '@countersign/contracts';
import { mergeTerms } from './merge-terms.js';

/**
 * The stricter of both: whatever satisfies the result satisfies `a` and `b`. Which comes first does not matter.
 * Stages of one name are joined wherever they stand; between them stages are joined by position. In a joined
 * stage a group keeps its larger quorum, and every place wants another human. What makes deciding harder is kept from
 * either; what makes it easier (stand-ins, an emergency road, other channels) only where both have it.
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
    ...mergeTerms(a, b),
  };
}

/** What joins the names of joined stages; a bundle cannot write it in a name. */
export const NAME_JOINT = ' + ';

/** The name of a stage that was given none, by its position from 1. Such names do not tie stages together. */
export const unnamedStage = (position: number): string => `stage ${position}`;

const MAX_NAME = 128;
const MAX_HUMANS = 100;
const MAX_GROUPS = 20;

/** The smallest count of people that a stage can be content with. */
export function distinctHumans(all: Stage['all'], given = 1): number {
  return Math.min(
    MAX_HUMANS,
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
      merged.push(...joinStages(left, right));
    }
    if (toA < a.length && toB < b.length) merged.push(...joinStages(a[toA], b[toB]));
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

/**
 * One stage in the place of two, or both, one after the other, where one stage could not say what both want: places beyond
 * the quorums may be filled from any group of the stage, so they would be open to the groups of the other one too.
 */
function joinStages(a: Stage | undefined, b: Stage | undefined): Stage[] {
  if (a === undefined || b === undefined) return [a, b].filter((stage) => stage !== undefined);
  if ((hasFreePlaces(a) && !groupsCover(a, b)) || (hasFreePlaces(b) && !groupsCover(b, a))) return [a, b];
  const places = new Map<string, Place>();
  for (const place of [...a.all, ...b.all]) {
    const other = places.get(place.group);
    places.set(place.group, other === undefined ? place : joinPlaces(place, other));
  }
  const all = [...places.values()].sort((x, y) => compareText(x.group, y.group));
  const sum = all.reduce((count, { quorum }) => count + quorum, 0);
  // More people than a stage can name: two stages ask for as many.
  if (sum > MAX_HUMANS || all.length > MAX_GROUPS) return [a, b];
  return [{ name: joinNames(a.name, b.name), all, distinct_humans: distinctHumans(all, Math.max(a.distinct_humans, b.distinct_humans)) }];
}

type Place = Stage['all'][number];

/** Another group fills the place from a time on only where both say so, and at the later time. */
function joinPlaces(a: Place, b: Place): Place {
  const escalate = (a.escalate ?? []).flatMap(({ after_seconds, to }) => {
    const other = b.escalate?.find((each) => each.to === to);
    return other === undefined ? [] : [{ after_seconds: Math.max(after_seconds, other.after_seconds), to }];
  });
  const sorted = escalate.sort((x, y) => x.after_seconds - y.after_seconds || compareText(x.to, y.to));
  return { group: a.group, quorum: Math.max(a.quorum, b.quorum), ...(sorted.length === 0 ? {} : { escalate: sorted }) };
}

const hasFreePlaces = ({ all, distinct_humans }: Stage): boolean => distinct_humans > all.reduce((sum, { quorum }) => sum + quorum, 0);
const groupsCover = (stage: Stage, other: Stage): boolean => other.all.every(({ group }) => stage.all.some((place) => place.group === group));

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
