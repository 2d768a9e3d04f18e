import type { RequestStore } from '@countersign/core/ports';

/**
 * Wakes those in this process who wait for a request to change: held GETs and event streams. It is a hint, never the truth:
 * whoever is woken reads the row again, and whoever waits reads it now and then anyway, since another process may have
 * changed it.
 */
export class Waiters {
  readonly #watches = new Set<Watch>();

  /** Something happened to that request; null: to one that is not known here, so streams should look again. */
  notify(requestId: string | null): void {
    for (const watch of this.#watches) watch.tell(requestId);
  }

  /** Begins to watch one request, or all. What happens from now on is kept until it is taken, so read the row after this. */
  watch(requestId?: string): Watch {
    const watch = new Watch(requestId, () => this.#watches.delete(watch));
    this.#watches.add(watch);
    return watch;
  }

  /** How many wait now. */
  get size(): number {
    return this.#watches.size;
  }
}

/** How many different requests a slow stream keeps apart; beyond that it hears that anything may have changed. */
const KEPT = 500;

/** One who waits. End it in a `finally`. */
export class Watch {
  readonly #only: string | undefined;
  readonly #end: () => void;
  #told = new Set<string | null>();
  #wake: (() => void) | null = null;

  constructor(only: string | undefined, end: () => void) {
    this.#only = only;
    this.#end = end;
  }

  tell(requestId: string | null): void {
    if (this.#only !== undefined && requestId !== this.#only) return;
    if (this.#told.size >= KEPT) this.#told = new Set([null]);
    this.#told.add(requestId);
    this.#wake?.();
  }

  /** What was told since the last call, at once if there is something, else after the time or the signal at the latest. */
  async next(timeoutMs: number, signal: AbortSignal): Promise<ReadonlySet<string | null>> {
    if (this.#told.size === 0 && !signal.aborted && timeoutMs > 0) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          this.#wake = null;
          resolve();
        };
        const timer = setTimeout(done, timeoutMs);
        signal.addEventListener('abort', done, { once: true });
        this.#wake = done;
      });
    }
    const told = this.#told;
    this.#told = new Set();
    return told;
  }

  end(): void {
    this.#end();
  }
}

/** The store, telling the waiters of each commit on a request. Everything in the process that runs flows should use this one. */
export function watchedStore(store: RequestStore, waiters: Waiters): RequestStore {
  return {
    openingContext: (query) => store.openingContext(query),
    async open(commit) {
      const result = await store.open(commit);
      if (result.kind === 'committed') waiters.notify(commit.request.id);
      return result;
    },
    decidingContext: (query) => store.decidingContext(query),
    async change(commit) {
      const result = await store.change(commit);
      if (result.kind === 'committed') waiters.notify(commit.request_id);
      return result;
    },
    usedUp: (tenant, limits) => store.usedUp(tenant, limits),
    record: (tenant, leaves) => store.record(tenant, leaves),
    opened: (opening, leaf) => store.opened(opening, leaf),
    state: (tenant, id) => store.state(tenant, id),
    list: (tenant, filter) => store.list(tenant, filter),
    timeline: (tenant, id) => store.timeline(tenant, id),
    subscription: (query) => store.subscription(query),
    due: (limit) => store.due(limit),
  };
}
