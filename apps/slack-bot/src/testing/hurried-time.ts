import type { PaceTimer } from '@countersign/chat';

/** Time that runs ahead by itself whenever somebody waits for it: limits hold in it as in the real one, and cost none of that. */
export function hurriedTime(): PaceTimer & { pass(seconds: number): void } {
  let now = 0;
  const alarms: { at: number; wake: () => void }[] = [];
  const ring = (): void => {
    const next = alarms.toSorted((one, other) => one.at - other.at)[0];
    if (next === undefined) return;
    alarms.splice(alarms.indexOf(next), 1);
    now = Math.max(now, next.at);
    next.wake();
  };
  return {
    now: () => now,
    after(ms, wake) {
      alarms.push({ at: now + ms, wake });
      // What was let through goes on before the next is due.
      setImmediate(ring);
    },
    pass(seconds) {
      now += seconds * 1_000;
    },
  };
}
