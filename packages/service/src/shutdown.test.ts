import { EventEmitter } from 'node:events';

import { expect, test } from '@jest/globals';

import { createLogger, createShutdown } from './index.js';
import { keptLines } from './testing/raw-http.js';

/** A process to end: takes signals, and says with what code it ended. */
class FakeProcess extends EventEmitter {
  readonly codes: number[] = [];
  #ended: (() => void) | undefined;
  readonly ended = new Promise<void>((resolve) => (this.#ended = resolve));

  exit(code: number): void {
    this.codes.push(code);
    this.#ended?.();
  }
}

function begin() {
  const { lines, write } = keptLines();
  const terminable = new FakeProcess();
  return { lines, terminable, shutdown: createShutdown(createLogger({ level: 'info', mask: (text) => text, destination: { write } }), terminable) };
}

test('SIGTERM stops the parts one after the other, the last added first, and ends with 0', async () => {
  const { terminable, shutdown } = begin();
  const order: string[] = [];
  for (const name of ['database', 'queue', 'http']) {
    shutdown.add(name, async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`${name} ended`);
    });
  }
  terminable.emit('SIGTERM', 'SIGTERM');
  await terminable.ended;
  expect(order).toEqual(['http begins', 'http ended', 'queue begins', 'queue ended', 'database begins', 'database ended']);
  expect(terminable.codes).toEqual([0]);
});

test('a second signal ends at once', async () => {
  const { terminable, shutdown } = begin();
  let unstick: (() => void) | undefined;
  shutdown.add('stuck', () => new Promise<void>((resolve) => (unstick = resolve)));
  terminable.emit('SIGINT', 'SIGINT');
  expect(terminable.codes).toEqual([]);
  terminable.emit('SIGINT', 'SIGINT');
  expect(terminable.codes).toEqual([130]);
  unstick?.();
  await shutdown.stop('again');
});

test('a part that fails keeps no other from stopping, and the code says so', async () => {
  const { terminable, shutdown, lines } = begin();
  let databaseStopped = false;
  shutdown.add('database', () => void (databaseStopped = true));
  shutdown.add('http', () => {
    throw new Error('busy');
  });
  terminable.emit('SIGTERM', 'SIGTERM');
  await terminable.ended;
  expect(databaseStopped).toBe(true);
  expect(terminable.codes).toEqual([1]);
  expect(lines.some((line) => line.includes('"part":"http"'))).toBe(true);
});

test.each(['uncaughtException', 'unhandledRejection'])('%s is logged and ends with 1, in order', async (event) => {
  const { terminable, shutdown, lines } = begin();
  let stopped = false;
  shutdown.add('database', () => void (stopped = true));
  terminable.emit(event, new Error('nobody caught this'));
  await terminable.ended;
  expect(stopped).toBe(true);
  expect(terminable.codes).toEqual([1]);
  expect(lines.join()).toContain('nobody caught this');
});
