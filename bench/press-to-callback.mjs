/** 3. From the press to the callback's arrival, at an even pace, against a bare POST to the same receiver. */
import { Pool } from 'undici';
import { productCaller } from './caller.mjs';
import { interleaved, median, paced, quantile, times } from './load.mjs';
import { clockMs } from './processes.mjs';
import { number } from './report.mjs';

export async function measurePress({ report, product, receiver, rounds, seconds }) {
  for (const perSecond of [20, 50]) {
    report.heading(`Press to callback at ${perSecond}/s: from sending the approval to the callback's arrival; against a bare undici POST to the same receiver`);
    const caller = productCaller(product, receiver.url, 8);
    const bare = new Pool(receiver.url, { connections: 8, pipelining: 1 });
    const count = Math.max(5, Math.round(perSecond * seconds));
    await press({ caller, receiver, perSecond, count: Math.min(count, 20) });
    const [ours, theirs] = await interleaved(rounds, [() => press({ caller, receiver, perSecond, count }), () => posts({ bare, receiver, perSecond, count })]);
    const [presses, bareTimes] = [ours.flat(), theirs.flat()];
    const floor = median(bareTimes);
    report.line('p50 against the bare p50', median(presses) / floor, { atMost: 3 }, { detail: `${number(median(presses))} ms of ${number(floor)} ms` });
    report.line(
      'p99 against the bare p50',
      quantile(presses, 0.99) / floor,
      { atMost: 10 },
      { detail: `${number(quantile(presses, 0.99))} ms, p95 ${number(quantile(presses, 0.95))} ms; the bare p99 is ${number(quantile(bareTimes, 0.99))} ms` },
    );
    await caller.close();
    await bare.close();
  }
}

async function press({ caller, receiver, perSecond, count }) {
  const items = await times(count, 4, caller.submit);
  await settle();
  return paced(perSecond, items, async (submitted) => {
    const arrived = receiver.arrival(submitted.id);
    const started = clockMs();
    await caller.approve(submitted);
    return (await arrived) - started;
  });
}

let posted = 0;

async function posts({ bare, receiver, perSecond, count }) {
  await settle();
  return paced(perSecond, Array.from({ length: count }), async () => {
    posted += 1;
    const id = `bare_${posted}`;
    const arrived = receiver.arrival(id);
    // As long as a callback is.
    const body = JSON.stringify({ type: 'bare', data: { action_request: id, filler: 'x'.repeat(1200) } });
    const started = clockMs();
    const answer = await bare.request({ method: 'POST', path: '/', headers: { 'content-type': 'application/json' }, body });
    await answer.body.dump();
    return (await arrived) - started;
  });
}

/** What the opening left to do (the ledger's sequencer) is no part of a press. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 600));
