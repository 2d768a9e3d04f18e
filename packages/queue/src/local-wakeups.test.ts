import { describe, expect, test } from '@jest/globals';

import { combineWakeups, createLocalWakeups, QueueError } from './index.js';
import { eventually, recordingLog, WakeupRecorder } from './testing/wakeup-recorder.js';

describe('wake-ups inside one process', () => {
  test('announcements of one turn are joined into one call', async () => {
    const wakeups = createLocalWakeups(recordingLog());
    const seen = new WakeupRecorder();
    wakeups.on('decisions', seen.handler);
    wakeups.announce('decisions', ['ar_1']);
    wakeups.announce('decisions', ['ar_2', 'ar_1']);
    await seen.untilId('ar_1');
    expect(seen.calls).toEqual([['ar_1', 'ar_2']]);
  });

  test('what is announced while the handler runs is handled after it, never beside it', async () => {
    const wakeups = createLocalWakeups(recordingLog());
    let running = 0;
    let most = 0;
    let release: (() => void) | undefined;
    const calls: (readonly string[])[] = [];
    wakeups.on('deliveries', async (ids) => {
      calls.push(ids);
      most = Math.max(most, ++running);
      if (calls.length === 1) await new Promise<void>((resolve) => (release = resolve));
      running -= 1;
    });
    wakeups.announce('deliveries', ['a']);
    await eventually(() => release !== undefined);
    wakeups.announce('deliveries', ['b']);
    wakeups.announce('deliveries', ['c']);
    release?.();
    await eventually(() => calls.length === 2 && running === 0);
    expect(calls).toEqual([['a'], ['b', 'c']]);
    expect(most).toBe(1);
  });

  test('a large burst becomes "look everywhere" instead of a long list', async () => {
    const wakeups = createLocalWakeups(recordingLog());
    const seen = new WakeupRecorder();
    wakeups.on('decisions', seen.handler);
    for (let n = 0; n < 10_000; n++) wakeups.announce('decisions', [`ar_${n}`]);
    await seen.untilEverywhere();
    expect(seen.calls).toEqual([[]]);
  });

  test('cards wakes every platform, and an announcement that nobody listens to is nothing', async () => {
    const wakeups = createLocalWakeups(recordingLog());
    const slack = new WakeupRecorder();
    const teams = new WakeupRecorder();
    wakeups.on('cards-slack', slack.handler);
    wakeups.on('cards-teams', teams.handler);
    wakeups.announce('cards', ['ar_1']);
    wakeups.announce('decisions', ['ar_1']);
    await Promise.all([slack.untilId('ar_1'), teams.untilId('ar_1')]);
  });

  test('a handler that throws is logged and counted, and wakes again', async () => {
    const { log, meter, said, counts } = recordingLog();
    const wakeups = createLocalWakeups({ log, meter });
    const seen = new WakeupRecorder();
    wakeups.on('decisions', (ids) => {
      seen.handler(ids);
      if (seen.calls.length === 1) throw new Error('database away');
    });
    wakeups.announce('decisions', ['ar_1']);
    await seen.untilId('ar_1');
    wakeups.announce('decisions', ['ar_2']);
    await seen.untilId('ar_2');
    await eventually(() => counts.handled === 1);
    expect(counts.failed).toBe(1);
    expect(said).toHaveLength(1);
  });

  test('closing waits for the handler that runs, and nothing is handled after it', async () => {
    const wakeups = createLocalWakeups(recordingLog());
    let release: (() => void) | undefined;
    let done = false;
    wakeups.on('decisions', async () => {
      await new Promise<void>((resolve) => (release = resolve));
      done = true;
    });
    wakeups.announce('decisions', ['ar_1']);
    await eventually(() => release !== undefined);
    const closing = wakeups.close();
    wakeups.announce('decisions', ['ar_2']);
    release?.();
    await closing;
    expect(done).toBe(true);
    await wakeups.close();
  });

  test('a queue has one handler per process', () => {
    const wakeups = createLocalWakeups(recordingLog());
    wakeups.on('decisions', () => undefined);
    expect(() => wakeups.on('decisions', () => undefined)).toThrow(QueueError);
  });
});

describe('both ways combined', () => {
  test('a queue with a handler here is dispatched here; the others travel; what travels in is handled once at a time', async () => {
    // Another process is a second instance of the local kind: what matters here is which way an announcement goes.
    const shared = createLocalWakeups(recordingLog());
    const elsewhere = new WakeupRecorder();
    shared.on('cards-slack', elsewhere.handler);
    const here = new WakeupRecorder();
    const combined = combineWakeups(createLocalWakeups(recordingLog()), shared);
    combined.on('decisions', here.handler);

    combined.announce('decisions', ['ar_1']);
    combined.announce('cards', ['ar_1']);
    await Promise.all([here.untilId('ar_1'), elsewhere.untilId('ar_1')]);
    expect(here.calls).toHaveLength(1);

    shared.announce('decisions', ['ar_2']);
    await here.untilId('ar_2');
    await combined.close();
  });
});
