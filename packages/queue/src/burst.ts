import { MAX_IDS } from './wakeups.js';

/**
 * Joins announcements into few sends: the first goes out at once, those that follow within `spacingMs` or while a send runs are joined.
 * It holds at most {@link MAX_IDS} ids; past that it forgets them and sends "look everywhere".
 */
export class Burst {
  readonly #spacingMs: number;
  readonly #send: (ids: readonly string[]) => Promise<void>;
  readonly #ids = new Set<string>();
  #everywhere = false;
  #scheduled: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #lastSentAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  /** @param send gets the ids, or none for "look everywhere"; it must not reject. */
  constructor(spacingMs: number, send: (ids: readonly string[]) => Promise<void>) {
    this.#spacingMs = spacingMs;
    this.#send = send;
  }

  add(ids: readonly string[] = []): void {
    if (this.#closed) return;
    if (ids.length === 0 || this.#everywhere) this.#lookEverywhere();
    else {
      for (const id of ids) this.#ids.add(id);
      if (this.#ids.size > MAX_IDS) this.#lookEverywhere();
    }
    this.#schedule();
  }

  /** Forgets what was not sent, and waits for the send that runs. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#scheduled?.();
    this.#scheduled = undefined;
    await this.#running;
  }

  #lookEverywhere(): void {
    this.#everywhere = true;
    this.#ids.clear();
  }

  #schedule(): void {
    if (this.#closed || this.#scheduled !== undefined || this.#running !== undefined) return;
    const waitMs = this.#lastSentAt + this.#spacingMs - performance.now();
    if (waitMs > 0) {
      const timer = setTimeout(() => this.#fire(), waitMs);
      this.#scheduled = () => clearTimeout(timer);
    } else {
      const immediate = setImmediate(() => this.#fire());
      this.#scheduled = () => clearImmediate(immediate);
    }
  }

  #fire(): void {
    this.#scheduled = undefined;
    const ids = [...this.#ids];
    this.#ids.clear();
    this.#everywhere = false;
    this.#lastSentAt = performance.now();
    this.#running = this.#send(ids).finally(() => {
      this.#running = undefined;
      if (this.#ids.size > 0 || this.#everywhere) this.#schedule();
    });
  }
}
