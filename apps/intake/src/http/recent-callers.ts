import { hashOf } from '@countersign/identity';
import type { Caller } from '@countersign/core/ports';

/** How long a look-up is good for, in milliseconds. */
const KEPT_MS = 2_000;
const KEPT = 1_000;

/** A caller, and where it may call from: that is asked each time. */
export interface KnownCaller {
  caller: Caller;
  networks: readonly string[];
}

/**
 * API keys that the database called good a moment ago. Only for a route whose commit asks the database about the key itself, in the same
 * statement: there a revoked key opens nothing all the same, and a caller that submits much saves a look-up for each. Bad keys are
 * never remembered.
 */
export class RecentCallers {
  readonly #now: () => number;
  readonly #callers = new Map<string, { known: KnownCaller; until: number }>();

  /** @param now milliseconds of any clock that only goes forward */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The caller of a bearer, if it was good within the last two seconds. */
  get(bearer: string): KnownCaller | null {
    const found = this.#callers.get(nameOf(bearer));
    return found !== undefined && found.until > this.#now() ? found.known : null;
  }

  add(bearer: string, known: KnownCaller): void {
    if (this.#callers.size >= KEPT) this.#callers.clear();
    this.#callers.set(nameOf(bearer), { known, until: this.#now() + KEPT_MS });
  }
}

/** A key itself is not kept, here as anywhere. */
const nameOf = (bearer: string): string => Buffer.from(hashOf(bearer)).toString('base64');
