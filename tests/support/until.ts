import { setTimeout as delay } from 'node:timers/promises';

type Found<T> = Exclude<T, undefined | null | false>;

/** The first value of the probe that is not undefined, null or false, looked for again and again; throws when the time is over. */
export async function until<T>(probe: () => T | Promise<T>, what: string | (() => string), withinMs = 30_000): Promise<Found<T>> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await probe();
    // What is left of T after the comparison; the compiler cannot narrow a type parameter.
    if (found !== undefined && found !== null && found !== false) return found as Found<T>;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${typeof what === 'string' ? what : what()}`);
    await delay(20);
  }
}
