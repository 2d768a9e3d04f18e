import type { WakeupLog, WakeupMeter } from '../wakeups.js';

/** A handler that remembers its calls and lets a test wait for one that fits. */
export class WakeupRecorder {
  readonly calls: (readonly string[])[] = [];
  #waiting: { fits: (ids: readonly string[]) => boolean; resolve: () => void }[] = [];

  readonly handler = (ids: readonly string[]): void => {
    this.calls.push(ids);
    this.#waiting = this.#waiting.filter(({ fits, resolve }) => {
      if (!fits(ids)) return true;
      resolve();
      return false;
    });
  };

  /** Resolves at the next call, or at once for one that already was, whose ids fit. */
  async until(fits: (ids: readonly string[]) => boolean): Promise<void> {
    if (this.calls.some(fits)) return;
    await new Promise<void>((resolve) => this.#waiting.push({ fits, resolve }));
  }

  async untilId(id: string): Promise<void> {
    await this.until((ids) => ids.includes(id));
  }

  async untilEverywhere(): Promise<void> {
    await this.until((ids) => ids.length === 0);
  }
}

/** A log that keeps what was said, and a meter that counts. */
export function recordingLog(): { log: WakeupLog; meter: WakeupMeter; said: string[]; counts: Record<'announced' | 'lost' | 'handled' | 'failed', number> } {
  const said: string[] = [];
  const counts = { announced: 0, lost: 0, handled: 0, failed: 0 };
  const note = (fields: object, message: string): void => {
    said.push(`${message} ${JSON.stringify(fields)}`);
  };
  return {
    said,
    counts,
    log: { info: note, warn: note, error: note },
    meter: { announced: () => counts.announced++, lost: () => counts.lost++, handled: () => counts.handled++, failed: () => counts.failed++ },
  };
}

/** Asks again until it holds; the test's own time limit ends it. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
