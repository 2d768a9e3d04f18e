import { describe, expect, test } from '@jest/globals';

import { createLogger, Secret } from './index.js';
import { keptLines } from './testing/raw-http.js';

/** Stands in for core's masking. */
const mask = (text: string): string => text.replaceAll('hunter2', '****');

function logger(readable = false) {
  const { lines, write } = keptLines();
  return { lines, log: createLogger({ level: 'info', mask, readable, destination: { write } }) };
}

describe('a log line never holds', () => {
  const deep = { a: { b: [{ note: 'it is hunter2' }] } };
  test.each<[string, (log: ReturnType<typeof logger>['log']) => void]>([
    ['a text', (log) => log.info('it is hunter2')],
    ['an inserted text', (log) => log.info('it is %s', 'hunter2')],
    ['a field', (log) => log.info({ note: 'hunter2' }, 'x')],
    ['a deep field', (log) => log.info(deep, 'x')],
    ['an error', (log) => log.error(new Error('hunter2'))],
    ['an error in a field', (log) => log.error({ err: new Error('hunter2', { cause: new Error('hunter2') }) })],
    ['an error with members', (log) => log.error({ err: Object.assign(new Error('x'), { parameters: ['hunter2'], hint: 'hunter2' }) }, 'x')],
    ['a child binding', (log) => log.child({ who: 'hunter2' }).info('x')],
    [
      'a secret name',
      (log) =>
        log.info(
          { authorization: 'hunter2', Cookie: 'hunter2', 'set-cookie': ['hunter2'], api_key: 'hunter2', accessToken: 'hunter2', password: { x: 'hunter2' } },
          'x',
        ),
    ],
    ['a Secret', (log) => log.info({ value: new Secret('hunter2') }, 'x')],
    ['a buffer', (log) => log.info({ bytes: Buffer.from('hunter2') }, 'x')],
    ['a foreign object', (log) => log.info({ thing: new Map([['k', 'hunter2']]) }, 'x')],
  ])('the secret in %s', (_name, write) => {
    const { log, lines } = logger();
    write(log);
    expect(lines).toHaveLength(1);
    expect(lines.join()).not.toContain('hunter2');
    expect(lines.join()).not.toContain(Buffer.from('hunter2').join(','));
  });

  test('payloads, whatever is in them', () => {
    const { log, lines } = logger();
    log.info({ body: { a: 'private' }, parameters: ['private'], headers: { x: 'private' }, payload: 'private' }, 'x');
    expect(lines.join()).not.toContain('private');
  });

  test('credentials, queries and bearers inside a text', () => {
    const { log, lines } = logger();
    log.info(
      { at: 'postgresql://u:p4ss@db/x', to: 'https://h.example/hook?sig=s1g#frag' },
      'sent Authorization: Bearer abcdefgh.ijkl to https://x.example/y?z=s1g',
    );
    expect(lines.join()).not.toMatch(/p4ss|s1g|frag|abcdefgh/u);
    expect(lines.join()).toContain('https://h.example/hook?[omitted]');
  });

  test('a cycle, a line break of a caller in the readable form, or a very long text', () => {
    const { log, lines } = logger(true);
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    log.info({ cycle }, 'two\nlines');
    log.info('x'.repeat(100_000));
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d info {2}two lines cycle=/u);
    expect(lines[1]?.length).toBeLessThan(5_000);
  });
});

test('what came through once is looked at once more where it holds something to mask', () => {
  const { log, lines } = logger();
  for (const _ of [1, 2]) log.info({ route: '/v1/x', request_id: '61893459-5cf2-4365-8165-06946b157974', who: 'hunter2' }, 'request');
  for (const line of lines) {
    expect(line).not.toContain('hunter2');
    expect(JSON.parse(line)).toMatchObject({ route: '/v1/x', request_id: '61893459-5cf2-4365-8165-06946b157974', msg: 'request' });
  }
  expect(lines).toHaveLength(2);
});

test('what is worth knowing stays', () => {
  const { log, lines } = logger();
  log.warn({ err: Object.assign(new Error('boom'), { code: 'E1' }), queue: 'decisions', count: 3, token_count: 4 }, 'It %s', 'broke');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'warn',
    msg: 'It broke',
    queue: 'decisions',
    count: 3,
    token_count: 4,
    err: { type: 'Error', code: 'E1', message: 'boom', stack: expect.stringContaining('boom') },
  });
});
