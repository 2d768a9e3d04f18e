/**
 * Runs work one at a time: a call that comes while it runs makes it look once more, and gets the same answer.
 *
 * @param pass works until nothing is due, or until `stopped()`; answers how much was done
 */
export function createRuns(pass: (stopped: () => boolean) => Promise<number>) {
  let running: Promise<number> | null = null;
  let again = false;
  let stopped = false;

  async function passes(): Promise<number> {
    let done = 0;
    for (;;) {
      again = false;
      done += await pass(() => stopped);
      if (!again || stopped) return done;
    }
  }

  return {
    /** Throws what the work throws. */
    run(): Promise<number> {
      if (running !== null) {
        again = true;
        return running;
      }
      running = passes().finally(() => {
        running = null;
      });
      return running;
    },
    /** Ends after the work under way. */
    async stop(): Promise<void> {
      stopped = true;
      await running?.catch(() => 0);
    },
  };
}
