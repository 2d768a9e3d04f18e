import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type PostgresServer, startPostgresServer } from '@countersign/dev-env/postgres-server';
import pg from 'pg';

import { createWakeups, QUEUE_SCHEMA, type Wakeups, type WakeupsOptions } from './index.js';
import { eventually, recordingLog, WakeupRecorder } from './testing/wakeup-recorder.js';

describe('wake-ups between processes on PostgreSQL', () => {
  let server: PostgresServer;
  let admin: pg.Pool;
  const open: Wakeups[] = [];
  const process = async (options: Partial<WakeupsOptions> = {}): Promise<Wakeups> => {
    const wakeups = await createWakeups({ databaseUrl: server.url, platforms: ['slack', 'teams'], ...recordingLog(), ...options });
    open.push(wakeups);
    return wakeups;
  };

  beforeAll(async () => {
    server = await startPostgresServer();
    admin = new pg.Pool({ connectionString: server.url, max: 1 });
    // It loses its connection in the tests that take connections away.
    admin.on('error', () => undefined);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((wakeups) => wakeups.close()));
  });
  afterAll(async () => {
    await admin.end();
    await server.stop();
  });

  test('an announcement in one process wakes the worker of another, with its ids', async () => {
    const [intake, decisions] = [await process(), await process()];
    const seen = new WakeupRecorder();
    decisions.on('decisions', seen.handler);
    intake.announce('decisions', ['ar_1', 'ar_2']);
    await seen.untilId('ar_1');
    expect(seen.calls).toContainEqual(['ar_1', 'ar_2']);
    expect(await intake.health()).toEqual({ backend: 'postgres', status: 'up', lost: 0 });
  });

  test('cards wakes both bots', async () => {
    const [intake, bots] = [await process(), await process()];
    const slack = new WakeupRecorder();
    const teams = new WakeupRecorder();
    bots.on('cards-slack', slack.handler);
    bots.on('cards-teams', teams.handler);
    intake.announce('cards', ['ar_1']);
    await Promise.all([slack.untilId('ar_1'), teams.untilId('ar_1')]);
  });

  test('a burst is one job; jobs hold ids only and are gone once handled', async () => {
    const [intake, decisions] = [await process(), await process()];
    for (let n = 0; n < 50; n++) intake.announce('decisions', [`ar_${n}`]);
    await eventually(async () => (await jobs('decisions')).length > 0);
    const [job, ...more] = await jobs('decisions');
    expect(more).toEqual([]);
    expect(job?.data).toEqual({ ids: Array.from({ length: 50 }, (_, n) => `ar_${n}`) });
    const seen = new WakeupRecorder();
    decisions.on('decisions', seen.handler);
    await seen.untilId('ar_49');
    await eventually(async () => (await jobs('decisions')).length === 0);
  });

  test('a queue whose worker is away stays small, and its worker then looks', async () => {
    const [intake, later] = [await process(), await process()];
    for (let n = 0; n < 40; n++) {
      const before = await events('deliveries');
      intake.announce('deliveries', [`ar_${n}`]);
      await eventually(async () => (await events('deliveries')) > before);
    }
    expect((await jobs('deliveries')).length).toBeLessThanOrEqual(16);
    const seen = new WakeupRecorder();
    later.on('deliveries', seen.handler);
    await eventually(async () => seen.calls.length > 0 && (await jobs('deliveries')).length === 0);
  });

  test('a handler that throws is counted, its job is gone, and the next wake-up is handled', async () => {
    const { log, meter, counts } = recordingLog();
    const decisions = await process({ log, meter });
    const intake = await process();
    const seen = new WakeupRecorder();
    decisions.on('decisions', (ids) => {
      seen.handler(ids);
      if (ids.includes('ar_bad')) throw new Error('no');
    });
    intake.announce('decisions', ['ar_bad']);
    await seen.untilId('ar_bad');
    intake.announce('decisions', ['ar_good']);
    await seen.untilId('ar_good');
    await eventually(async () => (await jobs('decisions')).length === 0);
    expect(counts.failed).toBe(1);
  });

  test('I16: connections that PostgreSQL drops are made again', async () => {
    const [intake, decisions] = [await process(), await process()];
    const seen = new WakeupRecorder();
    decisions.on('decisions', seen.handler);
    intake.announce('decisions', ['ar_before']);
    await seen.untilId('ar_before');
    await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'postgres'`);
    // Each of these may meet a connection that is not known to be dead yet; it is then made up for by "look everywhere".
    for (const id of ['ar_after', 'ar_last']) {
      const handled = seen.calls.length;
      intake.announce('decisions', [id]);
      await eventually(() => seen.calls.slice(handled).some((ids) => ids.includes(id) || ids.length === 0));
    }
  });

  test('I16: PostgreSQL restarts: workers and announcements go on, without a flood of lines', async () => {
    const { log, meter, said } = recordingLog();
    const [intake, decisions] = [await process({ log, meter }), await process({ log, meter })];
    const seen = new WakeupRecorder();
    decisions.on('decisions', seen.handler);
    intake.announce('decisions', ['ar_before']);
    await seen.untilId('ar_before');
    await server.restart();
    await eventually(async () => (await intake.health()).status === 'up');
    intake.announce('decisions', ['ar_after']);
    await eventually(() => seen.calls.some((ids) => ids.includes('ar_after') || ids.length === 0));
    expect(said.length).toBeLessThan(10);
  });

  test('a worker that may not read the queue says so and rests, while the process goes on', async () => {
    await admin.query(`CREATE ROLE stranger LOGIN PASSWORD 'stranger'`);
    await admin.query(`GRANT USAGE ON SCHEMA ${QUEUE_SCHEMA} TO stranger; GRANT SELECT ON ${QUEUE_SCHEMA}.migration TO stranger`);
    const { log, meter, said, counts } = recordingLog();
    const stranger = await process({ databaseUrl: server.url.replace('postgres:postgres@', 'stranger:stranger@'), log, meter });
    stranger.on('decisions', () => undefined);
    stranger.announce('decisions', ['ar_1']);
    await eventually(() => said.some((line) => line.includes('worker')) && counts.lost > 0);
    expect(said.length).toBeLessThan(10);
  });

  test('the service role may use the queue, but cannot change its schema', async () => {
    await admin.query(`CREATE DATABASE split`);
    await admin.query(`CREATE ROLE plain LOGIN PASSWORD 'plain'`);
    const databaseUrl = server.url.replace('postgres:postgres@', 'plain:plain@').replace(/postgres$/u, 'split');
    await expect(createWakeups({ databaseUrl, platforms: [], ...recordingLog() })).rejects.toMatchObject({ code: 'access_denied' });

    const migrateDatabaseUrl = server.url.replace(/postgres$/u, 'split');
    const wakeups = await process({ databaseUrl, migrateDatabaseUrl });
    const seen = new WakeupRecorder();
    wakeups.on('decisions', seen.handler);
    wakeups.announce('decisions', ['ar_1']);
    await seen.untilId('ar_1');
    // A second start needs no owner.
    await process({ databaseUrl });
    const plain = new pg.Client({ connectionString: databaseUrl });
    await plain.connect();
    await expect(plain.query(`CREATE TABLE ${QUEUE_SCHEMA}.mine (a int)`)).rejects.toMatchObject({ code: '42501' });
    await plain.end();
  });

  test('an unreachable or unreadable address is a QueueError without the password', async () => {
    const refused = createWakeups({ databaseUrl: 'postgresql://me:hunter2@127.0.0.1:1/x', platforms: [], ...recordingLog() });
    await expect(refused).rejects.toMatchObject({ name: 'QueueError', code: 'backend_unreachable', message: expect.not.stringContaining('hunter2') });
    await expect(createWakeups({ databaseUrl: 'nonsense', platforms: [], ...recordingLog() })).rejects.toMatchObject({ code: 'invalid_url' });
    await expect(createWakeups({ platforms: [], ...recordingLog() })).rejects.toMatchObject({ code: 'no_backend' });
  });

  test('nothing is announced after closing, and closing twice is fine', async () => {
    const intake = await process();
    await intake.close();
    intake.announce('cards-late', ['ar_late']);
    await intake.close();
    expect(await jobs('cards-late')).toEqual([]);
  });

  async function jobs(queue: string): Promise<{ data: unknown }[]> {
    return (await admin.query<{ data: unknown }>(`SELECT data FROM ${QUEUE_SCHEMA}.job WHERE queue = $1`, [queue])).rows;
  }
  async function events(queue: string): Promise<number> {
    return (
      (await admin.query<{ newest: number }>(`SELECT coalesce(max(id), 0)::int AS newest FROM ${QUEUE_SCHEMA}.event WHERE queue = $1`, [queue])).rows[0]
        ?.newest ?? 0
    );
  }
});
