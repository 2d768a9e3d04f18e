import type { WakeupLog, WakeupQueue } from './wakeups.js';

/** How long a worker rests after an error. */
const REST_MS = 1_000;
/** The same trouble is said once in this time. */
const SAY_AGAIN_MS = 60_000;

/** The part of BullMQ's Worker that is used here, the same over both backends; made with `autorun: false`. */
export interface RawWorker {
  waitUntilReady(): Promise<unknown>;
  run(): Promise<void>;
  pause(doNotWaitActive: boolean): Promise<void>;
  resume(): Promise<void>;
  close(force?: boolean): Promise<unknown>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * Keeps a BullMQ worker going through whatever its backend does, without burning the processor.
 *
 * BullMQ looks again at once after any error that is not a refused connection (a database that starts up, a Redis replica that is read-only),
 * and after a start that failed it does so without ever giving the event loop a turn. So a worker runs only once it is ready,
 * is made anew when it did not become so, and rests a second after each error.
 */
export class SteadyWorker {
  readonly #create: () => RawWorker;
  readonly #queue: WakeupQueue;
  readonly #log: WakeupLog;
  #worker: RawWorker;
  #rest: NodeJS.Timeout | undefined;
  #closed = false;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(create: () => RawWorker, queue: WakeupQueue, log: WakeupLog) {
    this.#create = create;
    this.#queue = queue;
    this.#log = log;
    this.#worker = this.#begin();
  }

  /** @param force does not wait for the backend. */
  async close(force: boolean): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#rest);
    await this.#worker.close(force);
  }

  #begin(): RawWorker {
    const worker = this.#create();
    let running = false;
    worker.on('error', (error) => {
      this.#say(error);
      if (!running || this.#closed || this.#rest !== undefined) return;
      void worker.pause(true);
      this.#later(() => void worker.resume().catch((failure: unknown) => this.#say(failure)));
    });
    worker.waitUntilReady().then(
      () => {
        if (this.#closed) return;
        running = true;
        worker.run().catch((error: unknown) => this.#say(error));
      },
      (error: unknown) => {
        if (this.#closed) return;
        this.#say(error);
        void worker.close(true).catch(() => undefined);
        this.#later(() => (this.#worker = this.#begin()));
      },
    );
    return worker;
  }

  #later(work: () => void): void {
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      if (!this.#closed) work();
    }, REST_MS);
  }

  #say(error: unknown): void {
    if (this.#closed || performance.now() - this.#saidAt < SAY_AGAIN_MS) return;
    this.#saidAt = performance.now();
    this.#log.warn({ err: error, queue: this.#queue }, 'A queue worker had an error and tries again');
  }
}
