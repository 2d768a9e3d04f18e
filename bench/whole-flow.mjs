/** 2. and 6. POST, approve over HTTP, signed callback received: against the naive program. And what memory that took at most. */
import { naiveCaller, productCaller } from './caller.mjs';
import { closedLoop, interleaved, median, quantile, sum } from './load.mjs';
import { clockMs } from './processes.mjs';
import { number } from './report.mjs';

const CONCURRENCY = 32;

export async function measureWholeFlow({ report, product, naive, cluster, receiver, rounds, seconds, warmUp }) {
  report.heading(`Whole flow at c=${CONCURRENCY}: submit, approve over HTTP, signed callback received; against a naive Express + pg program`);
  const sides = [
    { program: product, caller: productCaller(product, receiver.url, CONCURRENCY) },
    { program: naive, caller: naiveCaller(naive, receiver.url, CONCURRENCY) },
  ];
  for (const side of sides) await flows({ ...side, cluster }, receiver, warmUp);
  const [ours, theirs] = await interleaved(
    rounds,
    sides.map((side) => () => flows(side, receiver, seconds)),
  );
  const rate = (results) => median(results.map(({ perSecond }) => perSecond));
  const cpu = (results) => sum(results.map(({ cpuMs }) => cpuMs)) / sum(results.map(({ ended }) => ended));
  report.line('flows/s', rate(ours) / rate(theirs), { atLeast: 0.6 }, { detail: `${number(rate(ours))}/s of ${number(rate(theirs))}/s` });
  report.line(
    "CPU of the server's process per flow",
    cpu(ours) / cpu(theirs),
    { atMost: 1.8 },
    { detail: `${number(cpu(ours))} ms of ${number(cpu(theirs))} ms` },
  );
  const peaks = await Promise.all(sides.map(async ({ program }) => (await program.usage()).peakRssBytes));
  report.line('peak RSS', peaks[0] / peaks[1], { atMost: 1.5 }, { detail: peaks.map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`).join(' of ') });
  const slowest = (results) => results.flatMap(({ times }) => times);
  report.note(
    `a flow took p50 ${number(median(slowest(ours)))} ms, p99 ${number(quantile(slowest(ours), 0.99))} ms; naive ${number(median(slowest(theirs)))} ms, ${number(quantile(slowest(theirs), 0.99))} ms`,
  );
  if (ours[0].serverCpuMs !== null) {
    const server = (results) => number(sum(results.map(({ serverCpuMs }) => serverCpuMs)) / sum(results.map(({ ended }) => ended)));
    report.note(`PostgreSQL took ${server(ours)} ms of CPU per flow; naive ${server(theirs)} ms`);
  }
  if (receiver.unsigned() > 0) throw new Error(`${receiver.unsigned()} callbacks were not signed.`);
  for (const { caller } of sides) await caller.close();
}

/** One round: flows from closed workers, and the CPU time that the server took meanwhile. */
export async function flows({ program, caller, cluster }, receiver, seconds, concurrency = CONCURRENCY) {
  const before = await program.usage();
  const serverBefore = cluster?.cpuMs() ?? null;
  const times = [];
  const { perSecond } = await closedLoop(concurrency, seconds, async () => {
    const started = clockMs();
    const submitted = await caller.submit();
    const arrived = receiver.arrival(submitted.id);
    await caller.approve(submitted);
    await arrived;
    times.push(clockMs() - started);
  });
  const after = await program.usage();
  return {
    perSecond,
    times,
    ended: times.length,
    cpuMs: after.cpuMs - before.cpuMs,
    serverCpuMs: serverBefore === null ? null : cluster.cpuMs() - serverBefore,
  };
}
