/** 1. Durable intake over HTTP against the statement that it comes down to. */
import { productCaller } from './caller.mjs';
import { closedLoop, interleaved, median } from './load.mjs';
import { hasPgbench, pgbenchRound, pgbenchScript, pgLoop } from './open-statement.mjs';
import { number } from './report.mjs';

export async function measureIntake({ report, product, cluster, world, receiver, rounds, seconds, evaluateMs }) {
  report.heading('Durable intake over HTTP: requests/s against the same open statement in a tight prepared loop');
  const script = (await hasPgbench()) ? await pgbenchScript(world.statement, world.folder) : null;
  for (const concurrency of [1, 8, 32]) {
    const caller = productCaller(product, receiver.url, concurrency);
    const loop = await pgLoop(world.statement, cluster.appUrl('baseline'), concurrency);
    await closedLoop(concurrency, 0.5, caller.submit);
    await loop.round(0.5);
    const sides = [() => closedLoop(concurrency, seconds, caller.submit), () => loop.round(seconds)];
    if (script !== null) sides.push(() => pgbenchRound(script, cluster, concurrency, seconds));
    const [intake, loops, bench = []] = (await interleaved(rounds, sides)).map((results) => median(results.map(({ perSecond }) => perSecond)));
    const detail = `${number(intake)}/s`;
    report.line(`c=${concurrency}, against a pg loop`, intake / loops, { atLeast: 0.2 }, { detail: `${detail} of ${number(loops)}/s` });
    if (script !== null) report.line(`c=${concurrency}, against pgbench`, intake / bench, { atLeast: 0.2 }, { detail: `${detail} of ${number(bench)}/s` });
    if (concurrency === 1 && evaluateMs !== null)
      report.note(
        `an evaluation of 100 rules takes ${number((100 * evaluateMs * intake) / 1000)} % of the time of a request (${number(1000 / intake)} ms at c=1)`,
      );
    await caller.close();
    await loop.end();
  }
  if (script === null) report.note('pgbench is not on the PATH; the pg loop stands for it.');
}
