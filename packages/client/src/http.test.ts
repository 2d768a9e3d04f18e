import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from './client.js';
import type { ActionRequest } from './types.js';

/* What the client does with a service that is away, busy or wrong: a fake server over real HTTP says what it is told to. */
const ID = 'ar_019f0000-0000-7000-8000-000000000001';
const DIGEST = `sha256:${'0'.repeat(64)}`;
const request = (members: Partial<ActionRequest> = {}) => ({
  id: ID,
  status: 'pending',
  action_digest: DIGEST,
  request_digest: DIGEST,
  url: 'http://localhost/requests/x',
  expires_at: '2026-11-21T12:00:00.000Z',
  decisions: [],
  outcome: null,
  ...members,
});
const settled = (status: 'denied' | 'approved', members = {}) =>
  request({
    status,
    outcome: {
      id: ID.replace('ar_', 'out_'),
      action_request: ID,
      sequence: 1,
      status,
      action_digest: DIGEST,
      request_digest: DIGEST,
      policy_digest: DIGEST,
      decisions: [],
      reason: null,
      settled_at: '2026-11-21T12:00:00.000Z',
      ...members,
    },
  });

type Step = (request: IncomingMessage, response: ServerResponse) => void;
let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(null) : server.close(resolve)));
  server = undefined;
});

/** Answers with one step after the other; the last one stays. */
async function serve(...steps: Step[]) {
  const asked: { url: string; headers: IncomingMessage['headers'] }[] = [];
  server = createServer((request, response) => {
    const step = steps[Math.min(asked.length, steps.length - 1)];
    asked.push({ url: request.url ?? '', headers: request.headers });
    request.resume().on('end', () => step?.(request, response));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const pauses: number[] = [];
  const client = createClient({
    url: `http://127.0.0.1:${port}/`,
    apiKey: 'cs_key_test',
    pause: async (ms) => void pauses.push(ms),
  });
  return { client, asked, pauses };
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Step =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  json(status, { type: `https://x/problems/${code}`, code, title: code, status, detail: `It is ${code}.` }, headers);
const reset: Step = (incoming) => incoming.socket.destroy();
const hang: Step = () => undefined;

const ACTION = { action: 'a.b', resource: { type: 't', id: 'i' }, actor: { type: 'agent', id: 'x' } };

describe('A2: waiting survives what happens to services', () => {
  test('resets, 503 with Retry-After and an empty 502 are waited through', async () => {
    const { client, asked, pauses } = await serve(
      reset,
      problem(503, 'unavailable', { 'retry-after': '7' }),
      (_, response) => response.writeHead(502).end(),
      json(200, settled('denied')),
    );
    await expect(client.wait(ID, { timeoutSeconds: 600 })).resolves.toMatchObject({ status: 'denied' });
    expect(asked).toHaveLength(4);
    expect(pauses).toHaveLength(3);
    expect(pauses[1]).toBe(7000);
    expect(pauses[2]).toBeLessThan(7000);
  });

  test('it asks again as long as it is pending, holds each time, and never asks without pause', async () => {
    const { client, asked, pauses } = await serve(json(200, request()), json(200, request()), json(200, settled('denied')));
    let told = 0;
    await client.wait(ID, { timeoutSeconds: 600, onPending: () => (told += 1) });
    expect(asked.map(({ url }) => url)).toEqual(Array(3).fill(`/v1/action-requests/${ID}?wait=50`));
    expect(told).toBe(2);
    expect(pauses.every((ms) => ms > 0)).toBe(true);
    expect(pauses).toHaveLength(2);
  });

  test('time over is no error: the request comes back as it stands', async () => {
    const { client } = await serve(json(200, request()));
    await expect(client.wait(ID, { timeoutSeconds: 0 })).resolves.toMatchObject({ status: 'pending' });
  });

  test('an aborted signal ends a held call', async () => {
    const { client } = await serve(hang);
    const controller = new AbortController();
    const waiting = client.wait(ID, { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'ClientError', code: 'aborted' });
  });
});

describe('A1: asking is safe to repeat', () => {
  test('each try of a submission carries the same key, derived from the name or sent as given', async () => {
    const { client, asked } = await serve(reset, problem(409, 'idempotency_in_progress', { 'retry-after': '1' }), problem(403, 'actor_not_allowed'));
    await expect(client.submit(ACTION, { key: 'nightly export of 21 Nov. ☃' })).rejects.toMatchObject({
      code: 'refused',
      status: 403,
      problem: { code: 'actor_not_allowed' },
    });
    const keys = asked.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(1);
    expect(keys).toHaveLength(3);
    expect(keys[0]).toMatch(/^guard-[0-9a-f]{64}$/);
    await client.submit(ACTION, { idempotencyKey: 'mine' }).catch(() => undefined);
    expect(asked.at(-1)?.headers['idempotency-key']).toBe('mine');
  });

  test('a fault that stays is said after the patience, with its cause', async () => {
    const { client, pauses } = await serve(problem(503, 'unavailable', { 'retry-after': '50' }));
    // The injected pauses take no time, so patience is measured in what would have to be waited.
    await expect(client.wait(ID, { timeoutSeconds: 20 })).rejects.toMatchObject({ code: 'unreachable', status: 503 });
    expect(pauses).toEqual([]);
  });
});

describe('A5: what answers wrongly approves nothing', () => {
  test.each<[string, Step, string]>([
    ['a redirect', (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), 'unexpected_answer'],
    ['a page of a proxy', (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>approved</html>'), 'unexpected_answer'],
    [
      'members twice',
      (_, response) => response.writeHead(200).end(JSON.stringify(settled('denied')).replace('"status"', '"status":"approved","status"')),
      'unexpected_answer',
    ],
    ['another request', json(200, settled('approved', { action_request: ID.replace('1', '2') })), 'digest_mismatch'],
    ['an outcome that says something else', json(200, { ...settled('denied'), status: 'approved' }), 'digest_mismatch'],
    ['approved without an outcome', json(200, { ...request(), status: 'approved' }), 'unexpected_answer'],
    ['a status that is none', json(200, { ...request(), status: 'sure' }), 'unexpected_answer'],
    ['null', json(200, null), 'unexpected_answer'],
  ])('%s', async (_name, step, code) => {
    const { client } = await serve(step);
    await expect(client.get(ID)).rejects.toMatchObject({ name: 'ClientError', code });
  });

  test('A4: an answer about another action than the one that was sent is refused', async () => {
    const { client } = await serve(json(201, request()));
    await expect(client.submit(ACTION)).rejects.toMatchObject({ code: 'digest_mismatch' });
  });

  test('no key is repeated in an error, and none is sent in a redirect', async () => {
    const { client } = await serve(problem(401, 'unauthenticated'));
    const error = await client.get(ID).catch((thrown: unknown) => thrown);
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain('cs_key_test');
  });

  test('options that cannot work are said at once', () => {
    for (const options of [
      { url: 'not a url', apiKey: 'k' },
      { url: 'ftp://x', apiKey: 'k' },
      { url: 'http://x', apiKey: '' },
      { url: 'http://x', apiKey: 'a\nb' },
    ]) {
      expect(() => createClient(options)).toThrow(expect.objectContaining({ code: 'invalid_options' }));
    }
  });
});

describe('A4: what cannot be digested in one way is not sent', () => {
  test.each<[string, unknown]>([
    ['undefined inside', { a: undefined }],
    ['NaN', { a: Number.NaN }],
    ['a date', { a: new Date(0) }],
    ['a function', { a: () => 1 }],
    ['a number beyond 2^53', { a: 2 ** 53 }],
    ['half a surrogate pair', { a: '\ud800' }],
    ['null at the top', null],
  ])('%s', async (_name, parameters) => {
    const { client, asked } = await serve(hang);
    // What JavaScript callers may pass, whatever the types say.
    await expect(client.submit({ ...ACTION, parameters: parameters as object })).rejects.toMatchObject({ code: 'invalid_action' });
    expect(asked).toEqual([]);
  });
});
