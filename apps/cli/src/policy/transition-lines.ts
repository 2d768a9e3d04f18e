import type { Effect } from '@countersign/contracts';

/** Differences for people, a line each. */
export function transitionLines({
  replayed,
  transitions,
}: {
  replayed: number;
  transitions: readonly { from: Effect; to: Effect; direction: 'looser' | 'stricter'; count: number; examples: readonly string[] }[];
}): string[] {
  const changed = transitions.reduce((sum, { count }) => sum + count, 0);
  return [
    ...transitions
      .toSorted((a, b) => Number(b.direction === 'looser') - Number(a.direction === 'looser') || b.count - a.count)
      .map(({ from, to, direction, count, examples }) => `${direction.padEnd(8)}  ${String(count).padStart(6)}  ${from} → ${to}  ${examples.join(' ')}`),
    `${replayed} requests replayed, ${changed} would have come out otherwise.`,
  ];
}
