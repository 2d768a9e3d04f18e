import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { needs } from '@countersign/dev-env/needs';
import { type RedisServer, startRedisServer } from '@countersign/dev-env/redis-server';

import { createWakeups, type Wakeups, type WakeupsOptions } from './index.js';
import { eventually, recordingLog, WakeupRecorder } from './testing/wakeup-recorder.js';

const program = needs('redis-server', 'packages/queue: wake-ups on Redis, kill -9, FLUSHALL, eviction policy');

(program === undefined ? describe.skip : describe)('wake-ups between processes on Redis', () => {
  const path = program ?? '';
  let redis: RedisServer;
  const open: Wakeups[] = [];
  const process = async (options: Partial<WakeupsOptions> = {}): Promise<Wakeups> => {
    const wakeups = await createWakeups({ redisUrl: redis.url, platforms: ['slack', 'teams'], ...recordingLog(), ...options });
    open.push(wakeups);
    return wakeups;
  };

  beforeAll(async () => {
    redis = await startRedisServer(path);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((wakeups) => wakeups.close()));
  });
  afterAll(async () => {
    await redis.stop();
  });

  // First, because BullMQ's watchdog holds the process for some seconds after its Redis went away.
  test('closing does not wait for a Redis that is gone', async () => {
    const both = await process();
    const seen = new WakeupRecorder();
    both.on('decisions', seen.handler);
    both.announce('decisions', ['ar_1']);
    await seen.untilId('ar_1');
    await redis.kill();
    await eventually(async () => (await both.health()).status === 'down');
    await both.close();
    await redis.restart();
  });

  test('an announcement in one process wakes the worker of another, with its ids', async () => {
    const [intake, decisions] = [await process(), await process()];
    const seen = new WakeupRecorder();
    decisions.on('decisions', seen.handler);
    intake.announce('decisions', ['ar_1', 'ar_2']);
    await seen.untilId('ar_1');
    expect(seen.calls).toContainEqual(['ar_1', 'ar_2']);
    expect(await intake.health()).toEqual({ backend: 'redis', status: 'up', lost: 0 });
  });

  test('I16: after FLUSHALL the workers go on', async () => {
    const [intake, decisions] = [await process(), await process()];
    const seen = new WakeupRecorder();
    decisions.on('decisions', seen.handler);
    intake.announce('decisions', ['ar_before']);
    await seen.untilId('ar_before');
    expect(await redis.command('FLUSHALL')).toBe('+OK');
    intake.announce('decisions', ['ar_after']);
    await seen.untilId('ar_after');
  });

  test('I16: Redis killed and started empty: what was announced meanwhile is counted as lost, and its worker looks everywhere', async () => {
    const { log, meter, counts } = recordingLog();
    const [intake, decisions] = [await process({ log, meter }), await process()];
    const seen = new WakeupRecorder();
    decisions.on('decisions', seen.handler);
    intake.announce('decisions', ['ar_before']);
    await seen.untilId('ar_before');

    await redis.kill();
    for (let n = 0; n < 100_000; n++) intake.announce('decisions', [`ar_${n}`]);
    await eventually(() => counts.lost > 0);
    expect((await intake.health()).status).toBe('down');
    expect(counts.lost).toBeLessThan(100);

    await redis.restart();
    await seen.untilEverywhere();
    await eventually(async () => (await intake.health()).status === 'up');
    intake.announce('decisions', ['ar_after']);
    await seen.untilId('ar_after');
  });

  test('I16: a process starts while Redis is away, and uses it once it is there', async () => {
    await redis.kill();
    const both = await process();
    expect((await both.health()).status).toBe('down');
    const seen = new WakeupRecorder();
    both.on('cards-slack', seen.handler);
    both.announce('cards', ['ar_1']);
    await eventually(async () => (await both.health()).lost > 0);
    await redis.restart();
    await seen.untilEverywhere();
  });

  test('a Redis that may evict jobs is refused at the start', async () => {
    const evicting = await startRedisServer(path, ['--maxmemory-policy', 'allkeys-lru']);
    try {
      await expect(process({ redisUrl: evicting.url })).rejects.toMatchObject({ name: 'QueueError', code: 'eviction_policy' });
    } finally {
      await evicting.stop();
    }
  });

  test('a wrong password is refused at the start, and not shown', async () => {
    const guarded = await startRedisServer(path, ['--requirepass', 'right']);
    try {
      const url = guarded.url.replace('redis://', 'redis://:hunter2@');
      await expect(process({ redisUrl: url })).rejects.toMatchObject({ code: 'access_denied', message: expect.not.stringContaining('hunter2') });
    } finally {
      await guarded.stop();
    }
    await expect(process({ redisUrl: 'http://127.0.0.1' })).rejects.toMatchObject({ code: 'invalid_url' });
  });
});
