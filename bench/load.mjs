/** Closed and paced load, and what is made of the times. */
import { setTimeout as delay } from 'node:timers/promises';
import { clockMs } from './processes.mjs';

/** Runs `work` from `concurrency` workers without a pause. What ends within the time counts. */
export async function closedLoop(concurrency, seconds, work) {
  const started = clockMs();
  const deadline = started + seconds * 1000;
  let done = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async (_, worker) => {
      while (clockMs() < deadline) {
        await work(worker);
        if (clockMs() <= deadline) done += 1;
      }
    }),
  );
  return { done, perSecond: done / seconds };
}

/** Runs `work` that many times from `concurrency` workers, and gives the results. */
export async function times(count, concurrency, work) {
  const results = [];
  let begun = 0;
  const worker = async () => {
    while (begun < count) {
      begun += 1;
      results.push(await work());
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return results;
}

/** Starts `work` for each item at an even pace, however long each takes, and gives all results. */
export async function paced(perSecond, items, work) {
  const started = clockMs();
  const results = [];
  for (const [index, item] of items.entries()) {
    const wait = started + (index * 1000) / perSecond - clockMs();
    if (wait > 0) await delay(wait);
    results.push(work(item));
  }
  return Promise.all(results);
}

/** Runs rounds of both in turn, the other one first each time, so that what else happens on the machine hits both. */
export async function interleaved(rounds, sides) {
  const results = sides.map(() => []);
  for (let round = 0; round < rounds; round++) {
    const order = sides.map((_, index) => index);
    if (round % 2 === 1) order.reverse();
    for (const index of order) results[index].push(await sides[index]());
  }
  return results;
}

export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

export const median = (values) => quantile(values, 0.5);
export const sum = (values) => values.reduce((total, value) => total + value, 0);
