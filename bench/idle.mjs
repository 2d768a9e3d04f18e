/** 4. What many pending requests cost while nothing happens. */
import { setTimeout as delay } from 'node:timers/promises';
import { productCaller } from './caller.mjs';
import { times } from './load.mjs';
import { clockMs } from './processes.mjs';

export async function measureIdle({ report, product, cluster, receiver, pending, seconds }) {
  report.heading(`${pending} requests pending and nothing happening`);
  const admin = await cluster.admin('postgres');
  const database = await cluster.admin('countersign');
  try {
    const count = async () => Number((await database.query(`SELECT count(*) FROM action_requests WHERE status = 'pending'`)).rows[0].count);
    const caller = productCaller(product, receiver.url, 32);
    await times(Math.max(0, pending - (await count())), 32, caller.submit);
    await caller.close();
    // Autovacuum's work is not the product's; what it has to do now, it does before we look.
    await database.query('VACUUM (ANALYZE)');
    while ((await database.query('SELECT EXISTS (SELECT FROM ledger_unplaced) AS waiting')).rows[0].waiting) await delay(250);
    await database.end();
    // A server process that goes idle tells what it did up to 10 s later (PGSTAT_IDLE_INTERVAL).
    await delay(12_000);
    // Counted at the server, from another database.
    const transactions = async () => {
      const { rows } = await admin.query(
        `SELECT pg_stat_clear_snapshot(), xact_commit + xact_rollback AS count FROM pg_stat_database WHERE datname = 'countersign'`,
      );
      return Number(rows[0].count);
    };
    const before = { count: await transactions(), usage: await product.usage(), at: clockMs() };
    await delay(seconds * 1000);
    const after = { count: await transactions(), usage: await product.usage(), at: clockMs() };
    const elapsed = after.at - before.at;
    report.line(
      'statements per second',
      ((after.count - before.count) * 1000) / elapsed,
      { atMost: 1 },
      { detail: `${after.count - before.count} in ${Math.round(elapsed / 1000)} s` },
    );
    report.line('CPU of one core', (100 * (after.usage.cpuMs - before.usage.cpuMs)) / elapsed, { atMost: 1 }, { unit: ' %' });
  } finally {
    await database.end().catch(() => {});
    await admin.end();
  }
}
