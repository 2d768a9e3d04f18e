import { cardOf, type CardOptions } from '@countersign/core/card';
import type { CardStore, CardTask, PostedCard, RequestState, RequestStore } from '@countersign/core/ports';
import { PlatformError } from './errors.js';
import type { ChatPlatform } from './platform.js';

/** How long a worker may hold a task before another takes it over, in seconds. */
const LEASE_SECONDS = 60;
const BATCH = 16;

export interface CardWorkerDeps {
  platform: ChatPlatform;
  cards: CardStore;
  requests: Pick<RequestStore, 'state'>;
  card: CardOptions;
  /** Told of each fault; the work is tried again by itself. */
  onFault(fault: { request_id: string; attempts: number; error: unknown }): void;
  /** Told of each message that was posted or brought up to date. */
  onShown?(shown: { request_id: string; kind: 'posted' | 'updated' }): void;
}

/**
 * Brings the posted cards of requests up to date: posts where there is none, updates where the request went on. It looks at
 * how things stand, not at what happened, so that a lost wake-up, a crash between post and record, or an hour without
 * the platform heal by themselves.
 */
export function createCardWorker(deps: CardWorkerDeps) {
  let running: Promise<number> | null = null;
  let again = false;
  let stopped = false;

  /** Works until nothing is due; calls that come meanwhile make it look once more. */
  async function run(): Promise<number> {
    if (running !== null) {
      again = true;
      return running;
    }
    running = drain().finally(() => {
      running = null;
    });
    return running;
  }

  async function drain(): Promise<number> {
    let done = 0;
    do {
      again = false;
      for (;;) {
        if (stopped) return done;
        const tasks = await deps.cards.claim(deps.platform.name, BATCH, LEASE_SECONDS);
        if (tasks.length === 0) break;
        await Promise.all(tasks.map((task) => work(task)));
        done += tasks.length;
      }
    } while (again);
    return done;
  }

  async function work(task: CardTask): Promise<void> {
    try {
      const state = await deps.requests.state(task.tenant, task.request_id);
      if (state !== null) await reconcile(state);
      await deps.cards.finish(task);
    } catch (error) {
      deps.onFault({ request_id: task.request_id, attempts: task.attempts, error });
      await deps.cards.retry(task, delayAfter(task.attempts, error));
    }
  }

  async function reconcile(state: RequestState): Promise<void> {
    const { request } = state;
    const known = await deps.cards.posted(request.tenant, deps.platform.name, request.id);
    const faults: unknown[] = [];
    /** Rows of this very run: nothing was posted for them yet, so nothing has to be looked for. */
    const fresh = new Set<string>();
    if (request.status === 'pending') {
      const missing = (await deps.platform.places(request)).filter((place) => !known.some((card) => card.place === place));
      for (const place of missing) {
        const card = await deps.cards.posting({ tenant: request.tenant, platform: deps.platform.name, request_id: request.id, place });
        fresh.add(card.id);
        known.push(card);
      }
    }
    // One place that fails does not keep the others from being shown.
    for (const card of known) await show(card, state, fresh.has(card.id)).catch((error: unknown) => faults.push(error));
    if (faults.length > 0) throw faults[0];
  }

  async function show(posted: PostedCard, state: RequestState, fresh: boolean): Promise<void> {
    const { request } = state;
    const card = cardOf(state, deps.card);
    const closed = request.status !== 'pending';
    if (posted.state === 'posting') {
      const lost = fresh ? null : await deps.platform.find(posted.place, posted.id);
      if (lost === null && closed) return;
      const ref = lost ?? (await deps.platform.post(posted.place, card, posted.id));
      if (lost !== null) await deps.platform.update(lost, card, posted.id);
      await deps.cards.shown(posted, { ref, version: request.version, closed });
      deps.onShown?.({ request_id: request.id, kind: 'posted' });
      return;
    }
    if (posted.shown_version >= request.version || posted.ref === null) return;
    try {
      await deps.platform.update(posted.ref, card, posted.id);
    } catch (error) {
      // Somebody deleted the message: there is nothing left to bring up to date.
      if (!(error instanceof PlatformError && error.code === 'gone')) throw error;
    }
    await deps.cards.shown(posted, { ref: posted.ref, version: request.version, closed });
    deps.onShown?.({ request_id: request.id, kind: 'updated' });
  }

  return {
    run,
    /** Ends after the work under way. */
    async stop(): Promise<void> {
      stopped = true;
      await running;
    },
  };
}

/** 1, 2, 4 … 60 s, or what the platform asks for; what it refuses for good is tried again each 10 minutes, in case an operator mends it. */
function delayAfter(attempts: number, error: unknown): number {
  if (error instanceof PlatformError) {
    if (error.retryAfterSeconds !== null) return Math.min(error.retryAfterSeconds, 600);
    if (error.code === 'refused') return 600;
  }
  return Math.min(60, 2 ** Math.min(attempts, 6));
}
