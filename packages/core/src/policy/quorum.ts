import type { Requirement, Stage } from '@countersign/contracts';

/** An approval that may fill a place: who, and the groups that the person counts for. */
export interface CountedApproval {
  person_id: string;
  groups: readonly string[];
}

export interface StageProgress {
  stage: Stage;
  /** Per group of the stage: how many of its places are filled. */
  filled: { group: string; quorum: number; filled: number }[];
  distinct: number;
  satisfied: boolean;
  /** The first stage that is not satisfied; only it takes approvals. */
  open: boolean;
}

export interface Progress {
  stages: StageProgress[];
  satisfied: boolean;
}

/** A place to be filled: one of `quorum` places of a group in a stage. `group: null` takes anybody of the stage's groups. */
interface Place {
  stage: number;
  group: string | null;
}

/**
 * How far a requirement is met by the approvals. Humans are counted, not accounts and not groups: each place of each
 * group in each stage is filled by another human, so a person who is in two groups fills one place. The assignment is
 * the largest there is (bipartite matching), earlier stages first, so the order of presses changes nothing.
 *
 * `distinct_humans` above the sum of the quorums adds places that any member of the stage's groups may fill.
 */
export function progress(requirement: Requirement, approvals: readonly CountedApproval[]): Progress {
  const people = dedupe(approvals);
  const places = placesOf(requirement);
  const holder = assign(places, people, requirement);
  let open = true;
  const stages = requirement.stages.map((stage, index): StageProgress => {
    const own = places.map((place, at) => ({ place, at })).filter(({ place }) => place.stage === index);
    const filledCount = own.filter(({ at }) => holder[at] !== undefined).length;
    const satisfied = filledCount === own.length;
    const filled = stage.all.map(({ group, quorum }) => ({
      group,
      quorum,
      filled: own.filter(({ place, at }) => place.group === group && holder[at] !== undefined).length,
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
  return open !== undefined && open.stage.all.some(({ group }) => groups.includes(group));
}

/** Whether a member of these groups is an approver in any stage, open or not. */
export function isApprover(requirement: Requirement, groups: readonly string[]): boolean {
  return requirement.stages.some((stage) => stage.all.some(({ group }) => groups.includes(group)));
}

/** One approval per human; a second one of the same person adds nothing. */
function dedupe(approvals: readonly CountedApproval[]): CountedApproval[] {
  const byPerson = new Map<string, CountedApproval>();
  for (const approval of approvals) if (!byPerson.has(approval.person_id)) byPerson.set(approval.person_id, approval);
  return [...byPerson.values()];
}

function placesOf(requirement: Requirement): Place[] {
  return requirement.stages.flatMap((stage, index) => {
    const named = stage.all.flatMap(({ group, quorum }) => Array.from({ length: quorum }, () => ({ stage: index, group })));
    const extra = Math.max(0, stage.distinct_humans - named.length);
    return [...named, ...Array.from({ length: extra }, () => ({ stage: index, group: null }))];
  });
}

/** Kuhn's algorithm over places in stage order: returns per place the index of the person who fills it. */
function assign(places: Place[], people: CountedApproval[], requirement: Requirement): (number | undefined)[] {
  const holder: (number | undefined)[] = places.map(() => undefined);
  const placeOf: (number | undefined)[] = people.map(() => undefined);
  const fits = (place: Place, person: CountedApproval): boolean =>
    place.group === null
      ? (requirement.stages[place.stage]?.all ?? []).some(({ group }) => person.groups.includes(group))
      : person.groups.includes(place.group);
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
