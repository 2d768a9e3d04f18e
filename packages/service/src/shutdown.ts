import type { Logger } from './logging.js';

/** What Shutdown listens to and ends; `process`, except in tests. */
export interface Terminable {
  on(event: 'SIGINT' | 'SIGTERM' | 'uncaughtException' | 'unhandledRejection', listener: (value: unknown) => void): unknown;
  off(event: 'SIGINT' | 'SIGTERM' | 'uncaughtException' | 'unhandledRejection', listener: (value: unknown) => void): unknown;
  exit(code: number): void;
}

export interface Shutdown {
  /** Adds a part; parts stop in the order opposite to that in which they were added, one after the other. */
  add(name: string, stop: () => Promise<void> | void): void;
  /** Stops every part, also after one failed, and gives the exit code. Safe to call twice. */
  stop(reason: string): Promise<number>;
  /** Takes the listeners away, for a process that goes on. */
  release(): void;
}

/** How long one part may take to stop before the next one is stopped. */
const PART_MS = 15_000;

/**
 * Ends the process in order on SIGINT and SIGTERM: what answers requests first, what it answers from last. A second signal ends it at once.
 * An uncaught exception or unhandled rejection is logged and ends the process with 1, because nobody knows what state is left; the database has the truth.
 */
export function createShutdown(log: Logger, terminable: Terminable = process): Shutdown {
  const parts: { name: string; stop: () => Promise<void> | void }[] = [];
  let stopping: Promise<number> | undefined;

  const stopAll = async (reason: string): Promise<number> => {
    log.info({ reason }, 'Stopping');
    let code = 0;
    for (const part of parts.toReversed()) {
      try {
        await within(PART_MS, part.name, Promise.resolve(part.stop()));
      } catch (error) {
        code = 1;
        log.error({ err: error, part: part.name }, 'A part did not stop cleanly');
      }
    }
    return code;
  };
  const stop = (reason: string): Promise<number> => (stopping ??= stopAll(reason));

  const onSignal = (signal: unknown): void => {
    if (stopping !== undefined) {
      terminable.exit(130);
      return;
    }
    void stop(String(signal)).then((code) => terminable.exit(code));
  };
  const onFault = (error: unknown): void => {
    log.fatal({ err: error instanceof Error ? error : new Error(String(error)) }, 'A fault that nothing caught');
    if (stopping !== undefined) terminable.exit(1);
    else void stop('fault').then(() => terminable.exit(1));
  };
  terminable.on('SIGINT', onSignal);
  terminable.on('SIGTERM', onSignal);
  terminable.on('uncaughtException', onFault);
  terminable.on('unhandledRejection', onFault);

  return {
    add: (name, stopPart) => void parts.push({ name, stop: stopPart }),
    stop,
    release() {
      terminable.off('SIGINT', onSignal);
      terminable.off('SIGTERM', onSignal);
      terminable.off('uncaughtException', onFault);
      terminable.off('unhandledRejection', onFault);
    },
  };
}

async function within(ms: number, name: string, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} did not stop within ${ms} ms`)), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
