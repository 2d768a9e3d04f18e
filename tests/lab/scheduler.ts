/** A seeded source of choices: the same seed, the same run. */
export class Choices {
  #state: number;
  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b1 + 0x7f4a7c15) >>> 0;
  }

  /** Evenly spread in [0, 1) (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('nothing to pick from');
    // `below` is within the bounds; the item itself may be undefined.
    return items[this.below(items.length)] as T;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    return items.map(() => {
      const [taken] = left.splice(this.below(left.length), 1);
      // There is one for each of the items.
      return taken as T;
    });
  }
}

/**
 * Lets concurrent actors run one step at a time, in an order that the seed says. Between two `turn`s an actor is alone; whoever waits
 * for a turn for ever has crashed.
 */
export class Scheduler {
  readonly #waiting: (() => void)[] = [];
  steps = 0;

  constructor(
    readonly choices: Choices,
    private readonly onStep: () => void,
  ) {}

  turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends the actor that awaits it: its process is gone, and what it asked of the store before is done or not. */
  crash(): Promise<never> {
    return new Promise(() => {});
  }

  /** Runs until nobody waits for a turn. */
  async run(): Promise<void> {
    for (;;) {
      // Nothing that the actors await is I/O, so after their microtasks each waits for a turn, has ended, or has crashed.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#waiting.length === 0) return;
      this.steps += 1;
      if (this.steps > 20_000) throw new Error('the actors do not come to an end');
      this.onStep();
      this.#waiting.splice(this.choices.below(this.#waiting.length), 1)[0]?.();
    }
  }
}
