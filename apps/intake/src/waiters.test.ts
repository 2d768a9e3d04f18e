import { describe, expect, test } from '@jest/globals';
import { Waiters } from './waiters.js';

const never = new AbortController().signal;
const LONG = 60_000;

describe('waiters', () => {
  test('are woken by their own request, and not by another', async () => {
    const waiters = new Waiters();
    const watch = waiters.watch('ar_1');
    const woken = watch.next(LONG, never);
    waiters.notify('ar_2');
    waiters.notify('ar_1');
    expect([...(await woken)]).toEqual(['ar_1']);
    watch.end();
  });

  test('lose nothing that happened between looking and waiting', async () => {
    const waiters = new Waiters();
    const watch = waiters.watch();
    waiters.notify('ar_1');
    waiters.notify('ar_2');
    waiters.notify('ar_1');
    expect([...(await watch.next(LONG, never))]).toEqual(['ar_1', 'ar_2']);
    watch.end();
  });

  test('stop waiting when the client goes, and when the time is over', async () => {
    const waiters = new Waiters();
    const watch = waiters.watch('ar_1');
    const gone = new AbortController();
    const waiting = watch.next(LONG, gone.signal);
    gone.abort();
    expect((await waiting).size).toBe(0);
    expect((await watch.next(LONG, gone.signal)).size).toBe(0);
    expect((await watch.next(1, never)).size).toBe(0);
    watch.end();
    expect(waiters.size).toBe(0);
  });

  test('that take nothing hold a bounded list, and then hear that anything may have changed', async () => {
    const waiters = new Waiters();
    const watch = waiters.watch();
    for (let index = 0; index < 10_000; index++) waiters.notify(`ar_${index}`);
    const told = await watch.next(LONG, never);
    expect(told.size).toBeLessThanOrEqual(500);
    expect(told.has(null)).toBe(true);
    watch.end();
  });
});
