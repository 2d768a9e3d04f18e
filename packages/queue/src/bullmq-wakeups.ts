import { randomBytes } from 'node:crypto';

import { Burst } from './burst.js';
import { runHandler } from './local-wakeups.js';
import { QueueError } from './queue-error.js';
import { type RawWorker, SteadyWorker } from './steady-worker.js';
import { cardQueue, type WakeupLog, type WakeupMeter, type WakeupQueue, type Wakeups } from './wakeups.js';

/** The shortest time between two jobs of one queue from one process. */
const SPACING_MS = 20;
/**
 * Job ids rotate through this many slots per process. BullMQ ignores an id that still exists, so a queue whose worker is away holds at most
 * this many jobs of each producer instead of growing until it comes back. None is missed: if slot k is still taken, then either it has not started
 * yet, or it runs and the slots after it wait; in both cases a later job looks again. (An id must not contain ':' in BullMQ.)
 */
const SLOTS = 16;
/** Left-overs of producers that died; past this they are dropped for one "look everywhere". */
const MAX_LEFT_OVER = 256;
/** After an announcement that failed, when "look everywhere" is tried for it. */
const RETRY_MS = 1_000;
/** How long closing waits for a worker whose backend does not answer. */
const CLOSE_WAIT_MS = 5_000;

/** The part of BullMQ's Queue that is used here, the same over both backends. */
export interface JobQueue {
  waitUntilReady(): Promise<unknown>;
  getWaitingCount(): Promise<number>;
  drain(): Promise<unknown>;
  add(
    name: string,
    data: { ids: readonly string[] },
    options: { jobId: string; attempts: number; removeOnComplete: boolean; removeOnFail: boolean },
  ): Promise<unknown>;
  close(): Promise<unknown>;
}
/** Redis or PostgreSQL beneath BullMQ. */
export interface WakeupBackend {
  readonly name: 'redis' | 'postgres';
  /** Why no job can be added right now; undefined when one can. */
  problem(): string | undefined;
  /** Calls back each time the backend becomes usable, the first time included. */
  onUsable(callback: () => void): void;
  ping(): Promise<void>;
  openQueue(queue: WakeupQueue): JobQueue;
  /** A worker that does not run yet. */
  openWorker(queue: WakeupQueue, process: (data: unknown) => Promise<void>): RawWorker;
  close(): Promise<void>;
}

/** Wake-ups through BullMQ; see {@link createWakeups} for the options. */
export function createBullmqWakeups(
  backend: WakeupBackend,
  options: { readonly platforms: readonly string[]; readonly log: WakeupLog; readonly meter?: WakeupMeter },
): Wakeups {
  const { log, meter } = options;
  const senders = new Map<WakeupQueue, Sender>();
  const processors = new Map<WakeupQueue, (data: unknown) => Promise<void>>();
  const workers = new Map<WakeupQueue, SteadyWorker>();
  const tally = { lost: 0 };
  let usable = false;
  let closing: Promise<void> | undefined;

  const startWorkers = (): void => {
    if (!usable || closing !== undefined) return;
    for (const [queue, process] of processors) {
      if (!workers.has(queue)) workers.set(queue, new SteadyWorker(() => backend.openWorker(queue, process), queue, log));
    }
  };
  backend.onUsable(() => {
    usable = true;
    startWorkers();
    for (const sender of senders.values()) sender.makeUpForLosses();
  });

  const queuesOf: Wakeups['queuesOf'] = (topic) => (topic === 'cards' ? options.platforms.map(cardQueue) : [topic]);
  const senderOf = (queue: WakeupQueue): Sender => {
    const known = senders.get(queue);
    if (known !== undefined) return known;
    const sender = new Sender(queue, backend, log, () => {
      tally.lost += 1;
      meter?.lost?.(queue);
    });
    senders.set(queue, sender);
    return sender;
  };

  return {
    queuesOf,
    announce(topic, ids) {
      if (closing !== undefined) return;
      for (const queue of queuesOf(topic)) {
        meter?.announced?.(queue);
        senderOf(queue).announce(ids);
      }
    },
    on(queue, handler) {
      if (processors.has(queue)) throw new QueueError('handler_exists', `The queue ${queue} has a handler in this process already.`);
      processors.set(queue, (data) => runHandler(queue, handler, idsOf(data), log, meter));
      startWorkers();
    },
    async health() {
      const problem =
        backend.problem() ??
        (await backend.ping().then(
          () => undefined,
          (error: unknown) => (error instanceof Error ? error.message : 'no answer'),
        ));
      return { backend: backend.name, lost: tally.lost, ...(problem === undefined ? { status: 'up' } : { status: 'down', detail: problem }) };
    },
    close() {
      closing ??= (async () => {
        await Promise.all([...senders.values()].map((sender) => sender.close()));
        // A worker waits for its running job and for its backend; a backend that is gone would be waited for without end.
        const force = backend.problem() !== undefined || !(await answers(backend));
        await Promise.all([...workers.values()].map((worker) => atMost(CLOSE_WAIT_MS, worker.close(force))));
        await backend.close();
      })();
      return closing;
    },
  };
}

/** Adds the jobs of one queue. */
class Sender {
  readonly #queue: WakeupQueue;
  readonly #backend: WakeupBackend;
  readonly #log: WakeupLog;
  readonly #onLost: () => void;
  readonly #burst: Burst;
  /** Distinct per process, so that slots of two producers never meet. */
  readonly #producer = randomBytes(6).toString('hex');
  #slot = 0;
  #jobs: JobQueue | undefined;
  #owed = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(queue: WakeupQueue, backend: WakeupBackend, log: WakeupLog, onLost: () => void) {
    this.#queue = queue;
    this.#backend = backend;
    this.#log = log;
    this.#onLost = onLost;
    this.#burst = new Burst(SPACING_MS, (ids) => this.#send(ids));
  }

  announce(ids: readonly string[] | undefined): void {
    this.#burst.add(ids);
  }

  makeUpForLosses(): void {
    if (this.#owed) this.#burst.add();
  }

  async close(): Promise<void> {
    clearTimeout(this.#retry);
    await this.#burst.close();
    clearTimeout(this.#retry);
    if (this.#jobs !== undefined) await atMost(CLOSE_WAIT_MS, this.#jobs.close());
  }

  async #send(ids: readonly string[]): Promise<void> {
    const problem = this.#backend.problem();
    if (problem !== undefined) return this.#lose(problem);
    try {
      const jobs = await this.#open();
      const jobId = `${this.#producer}-${this.#slot}`;
      await jobs.add('wakeup', { ids: this.#owed ? [] : ids }, { jobId, attempts: 1, removeOnComplete: true, removeOnFail: true });
      this.#slot = (this.#slot + 1) % SLOTS;
      this.#owed = false;
    } catch (error) {
      this.#lose(error instanceof Error ? error.message : String(error));
      // A backend that knows when it is back says so; this is for the single connection that broke.
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.makeUpForLosses(), RETRY_MS);
    }
  }

  async #open(): Promise<JobQueue> {
    if (this.#jobs !== undefined) return this.#jobs;
    const jobs = this.#backend.openQueue(this.#queue);
    try {
      // BullMQ remembers a failed start for good, so a queue is kept only once it stood.
      await jobs.waitUntilReady();
      if ((await jobs.getWaitingCount()) > MAX_LEFT_OVER) {
        await jobs.drain();
        this.#owed = true;
      }
    } catch (error) {
      void jobs.close().catch(() => undefined);
      throw error;
    }
    this.#jobs = jobs;
    return jobs;
  }

  #lose(reason: string): void {
    if (!this.#owed) this.#log.warn({ queue: this.#queue, reason }, 'A wake-up was not announced; the sweeper finds the work');
    this.#owed = true;
    this.#onLost();
  }
}

/** Ids of a job, however it was written: whatever is not a list of strings means "look everywhere". */
function idsOf(data: unknown): readonly string[] {
  const ids: unknown = typeof data === 'object' && data !== null && 'ids' in data ? data.ids : undefined;
  return Array.isArray(ids) && ids.every((id) => typeof id === 'string') ? ids : [];
}

async function answers(backend: WakeupBackend): Promise<boolean> {
  let answered = false;
  await atMost(
    CLOSE_WAIT_MS,
    backend.ping().then(() => (answered = true)),
  );
  return answered;
}

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  // A backend that is away may refuse to say good-bye; there is nothing left to lose.
  await Promise.race([
    work.then(
      () => undefined,
      () => undefined,
    ),
    deadline,
  ]);
  clearTimeout(timer);
}
