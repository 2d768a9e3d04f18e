/** A hint is not worth more time than the check itself. */
const MAX_CANDIDATES = 300;

/** The known name that was probably meant by `name`, or undefined where none is near. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.slice(0, 64).toLowerCase();
  let best: { name: string; distance: number } | undefined;
  let tried = 0;
  for (const candidate of known) {
    if (++tried > MAX_CANDIDATES) break;
    const distance = editDistance(wanted, candidate.slice(0, 64).toLowerCase());
    if (best === undefined || distance < best.distance) best = { name: candidate, distance };
  }
  return best !== undefined && best.distance <= Math.max(wanted.length < 4 ? 1 : 2, Math.floor(wanted.length / 3)) ? best.name : undefined;
}

/** What helps to mend a problem: its text, or how to find it. Only problems that are told have theirs looked for: a hostile file has 100,000. */
export type Hint = string | (() => string | undefined);

/** `did you mean "…"?`, as a member to spread; nothing is said where nothing is near. */
export function didYouMean(name: string, known: () => Iterable<string>): { hint: Hint } {
  return {
    hint: () => {
      const nearest = nearestName(name, known());
      return nearest === undefined ? undefined : `did you mean "${nearest}"?`;
    },
  };
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
