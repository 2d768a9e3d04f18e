/**
 * Runs a task whenever it is woken, one run at a time, and no two starts nearer to each other than `spacingMs`: a burst of
 * wake-ups becomes one run after it. A wake-up during a run makes one more run.
 */
export interface PacedLoop {
  wake(): void;
  /** Resolves when nothing runs and no wake-up is waiting. */
  idle(): Promise<void>;
  /** No run starts any more; waits for the one under way. */
  stop(): Promise<void>;
}

export function pacedLoop(task: () => Promise<void>, options: { spacingMs: number; onFault(error: unknown): void }): PacedLoop {
  let stopped = false;
  let wanted = false;
  let running: Promise<void> | null = null;
  /** Takes back the start that is planned. */
  let unplan: (() => void) | null = null;
  let lastStart = Number.NEGATIVE_INFINITY;
  let idleWaiters: (() => void)[] = [];

  function schedule(): void {
    if (stopped || running !== null || unplan !== null || !wanted) return;
    const wait = lastStart + options.spacingMs - performance.now();
    if (wait > 0) {
      const timer = setTimeout(run, wait);
      unplan = () => clearTimeout(timer);
    } else {
      // A timer takes a millisecond at least, which is what a delivery takes all in all.
      const immediate = setImmediate(run);
      unplan = () => clearImmediate(immediate);
    }
  }

  function run(): void {
    unplan = null;
    if (stopped) return;
    wanted = false;
    lastStart = performance.now();
    running = task()
      .catch(options.onFault)
      .finally(() => {
        running = null;
        if (wanted) schedule();
        else settleIdle();
      });
  }

  function settleIdle(): void {
    const waiters = idleWaiters;
    idleWaiters = [];
    for (const resolve of waiters) resolve();
  }

  return {
    wake() {
      wanted = true;
      schedule();
    },
    idle: () => (running === null && unplan === null && !wanted ? Promise.resolve() : new Promise((resolve) => idleWaiters.push(resolve))),
    async stop() {
      stopped = true;
      wanted = false;
      unplan?.();
      unplan = null;
      await running;
      settleIdle();
    },
  };
}
