import type { Requirement, Stage } from '@countersign/contracts';

/** An approval that may fill a place: who, and the groups that the person counts for. */
export interface CountedApproval {
  person_id: string;
  groups: readonly string[];
}

export interface StageProgress {
  stage: Stage;
  /** Per group of the stage: how many of its places are filled, and the groups whose members may fill them as well by now. */
  filled: { group: string; quorum: number; filled: number; escalated: string[] }[];
  distinct: number;
  satisfied: boolean;
  /** The first stage that is not satisfied; only it takes approvals. */
  open: boolean;
}

export interface Progress {
  stages: StageProgress[];
  satisfied: boolean;
}

/** A place to be filled: one of `quorum` places of a group in a stage, by a member of any of these groups. */
interface Place {
  stage: number;
  /** The group that the place is named for; null: any of the stage's. */
  group: string | null;
  takes: readonly string[];
}

/**
 * How far a requirement is met by the approvals. Humans are counted, not accounts and not groups: each place of each
 * group in each stage is filled by another human, so a person who is in two groups fills one place. The assignment is
 * the largest there is (bipartite matching), earlier stages first, so the order of presses changes nothing.
 *
 * `distinct_humans` above the sum of the quorums adds places that any member of the stage's groups may fill.
 *
 * @param elapsedSeconds since the request was opened: what escalates by then lets members of further groups fill a group's places
 */
export function progress(requirement: Requirement, approvals: readonly CountedApproval[], elapsedSeconds = 0): Progress {
  const people = dedupe(approvals);
  const places = placesOf(requirement, elapsedSeconds);
  const holder = assign(places, people);
  let open = true;
  const stages = requirement.stages.map((stage, index): StageProgress => {
    const own = places.map((place, at) => ({ place, at })).filter(({ place }) => place.stage === index);
    const filledCount = own.filter(({ at }) => holder[at] !== undefined).length;
    const satisfied = filledCount === own.length;
    const filled = stage.all.map((part) => ({
      group: part.group,
      quorum: part.quorum,
      filled: own.filter(({ place, at }) => place.group === part.group && holder[at] !== undefined).length,
      escalated: escalatedOf(part, elapsedSeconds),
    }));
    const isOpen = open && !satisfied;
    if (!satisfied) open = false;
    return { stage, filled, distinct: filledCount, satisfied, open: isOpen };
  });
  return { stages, satisfied: stages.every((stage) => stage.satisfied) };
}

/** Whether a member of these groups may decide in the stage that is open now. */
export function mayDecide(current: Progress, groups: readonly string[]): boolean {
  const open = current.stages.find((stage) => stage.open);
  return open !== undefined && open.filled.some(({ group, escalated }) => [group, ...escalated].some((name) => groups.includes(name)));
}

/** The groups whose members the open stage waits for now, with those that may fill their places; empty where it waits for nobody. */
export function neededGroups(current: Progress): string[] {
  const open = current.stages.find((stage) => stage.open);
  if (open === undefined) return [];
  const needed = open.filled.filter(({ quorum, filled }) => filled < quorum);
  return [...new Set((needed.length === 0 ? open.filled : needed).flatMap(({ group, escalated }) => [group, ...escalated]))];
}

/** Whether a member of these groups is an approver in any stage, open or not, by what has escalated so many seconds after opening; by default by all that may. */
export function isApprover(requirement: Requirement, groups: readonly string[], elapsedSeconds = Number.POSITIVE_INFINITY): boolean {
  return requirement.stages.some((stage) => stage.all.some((part) => takenBy(part, elapsedSeconds).some((name) => groups.includes(name))));
}

/** Whether one denial by a member of these groups denies, at any stage. */
export function mayVeto(requirement: Requirement, groups: readonly string[]): boolean {
  return (requirement.veto ?? []).some((name) => groups.includes(name));
}

/** Whether members of these groups may do anything for the request: approve, veto, let it pass in an emergency or review that. */
export function isNamed(requirement: Requirement, groups: readonly string[]): boolean {
  return namedGroups(requirement).some((name) => groups.includes(name));
}

/** Every group that a requirement names, each once: whose members may see the request. */
export function namedGroups({ stages, veto = [], break_glass }: Requirement): string[] {
  return [
    ...new Set([
      ...stages.flatMap((stage) => stage.all.flatMap((part) => takenBy(part, Number.POSITIVE_INFINITY))),
      ...veto,
      ...(break_glass === undefined ? [] : [break_glass.group, ...(break_glass.review_by === undefined ? [] : [break_glass.review_by])]),
    ]),
  ];
}

/** Who reviews what break-glass let pass: the group named for it, else everybody whom the stages name. */
export function reviewGroups({ stages, break_glass }: Requirement): string[] {
  return break_glass?.review_by === undefined ? [...new Set(stages.flatMap((stage) => stage.all.map(({ group }) => group)))] : [break_glass.review_by];
}

/**
 * After how many seconds members of these groups may decide in the stage that is open: 0 at once, null never. A stage that is not
 * open yet says nothing.
 */
export function maySince(current: Progress, groups: readonly string[]): number | null {
  const open = current.stages.find((stage) => stage.open);
  const since = (open?.stage.all ?? []).flatMap((part) => [
    ...(groups.includes(part.group) ? [0] : []),
    ...(part.escalate ?? []).filter(({ to }) => groups.includes(to)).map(({ after_seconds }) => after_seconds),
  ]);
  return since.length === 0 ? null : Math.min(...since);
}

/** The latest escalation that is over by then, in seconds after opening; 0 where none is. */
export function lastEscalation({ stages }: Requirement, elapsedSeconds: number): number {
  const past = stages.flatMap((stage) => stage.all.flatMap(({ escalate = [] }) => escalate.map(({ after_seconds }) => after_seconds)));
  return Math.max(0, ...past.filter((after) => after <= elapsedSeconds));
}

type Part = Stage['all'][number];

const escalatedOf = ({ group, escalate = [] }: Part, elapsedSeconds: number): string[] => [
  ...new Set(escalate.filter(({ after_seconds, to }) => after_seconds <= elapsedSeconds && to !== group).map(({ to }) => to)),
];

const takenBy = (part: Part, elapsedSeconds: number): string[] => [part.group, ...escalatedOf(part, elapsedSeconds)];

/** One approval per human; a second one of the same person adds nothing. */
function dedupe(approvals: readonly CountedApproval[]): CountedApproval[] {
  const byPerson = new Map<string, CountedApproval>();
  for (const approval of approvals) if (!byPerson.has(approval.person_id)) byPerson.set(approval.person_id, approval);
  return [...byPerson.values()];
}

function placesOf(requirement: Requirement, elapsedSeconds: number): Place[] {
  return requirement.stages.flatMap((stage, index) => {
    const named = stage.all.flatMap((part) =>
      Array.from({ length: part.quorum }, () => ({ stage: index, group: part.group, takes: takenBy(part, elapsedSeconds) })),
    );
    const anybody = stage.all.flatMap((part) => takenBy(part, elapsedSeconds));
    const extra = Math.max(0, stage.distinct_humans - named.length);
    return [...named, ...Array.from({ length: extra }, () => ({ stage: index, group: null, takes: anybody }))];
  });
}

/** Kuhn's algorithm over places in stage order: returns per place the index of the person who fills it. */
function assign(places: Place[], people: CountedApproval[]): (number | undefined)[] {
  const holder: (number | undefined)[] = places.map(() => undefined);
  const placeOf: (number | undefined)[] = people.map(() => undefined);
  const fits = (place: Place, person: CountedApproval): boolean => place.takes.some((name) => person.groups.includes(name));
  const fill = (placeIndex: number, seen: Set<number>): boolean => {
    const place = places[placeIndex];
    if (place === undefined) return false;
    for (const [personIndex, person] of people.entries()) {
      if (seen.has(personIndex) || !fits(place, person)) continue;
      seen.add(personIndex);
      const held = placeOf[personIndex];
      if (held === undefined || fill(held, seen)) {
        holder[placeIndex] = personIndex;
        placeOf[personIndex] = placeIndex;
        return true;
      }
    }
    return false;
  };
  for (const index of places.keys()) fill(index, new Set());
  return holder;
}
