import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import {
  createExpressApp,
  createHttpService,
  createLogger,
  createMetrics,
  crossSiteProblem,
  type HttpService,
  readJsonBody,
  sendProblem,
  type StrictParser,
} from './index.js';
import { ask, keptLines, sendRaw } from './testing/raw-http.js';

// Stands in for core's parser, which apps pass in; its strictness is tested there.
const parse: StrictParser = (bytes) => {
  try {
    return { ok: true, value: JSON.parse(Buffer.from(bytes).toString('utf8')) };
  } catch {
    return { ok: false, problem: { pointer: '/a', line: 1, column: 2, detail: 'A value was expected' } };
  }
};

const { lines, write } = keptLines();
const log = createLogger({ level: 'info', mask: (text) => text, destination: { write } });
let service: HttpService;

beforeAll(async () => {
  const app = createExpressApp(log, (routes) => {
    routes.post('/v1/echo', async (request, response) => {
      const body = await readJsonBody(request, parse, 1_000);
      if (body.ok) response.json(body.value);
      else sendProblem(response, body.problem);
    });
    routes.get('/v1/faults', async () => {
      throw new Error('hunter2 in the database');
    });
    routes.post('/v1/session', (request, response) => {
      const problem = crossSiteProblem(request, service.origins);
      if (problem === undefined) response.end('changed');
      else sendProblem(response, problem);
    });
    routes.get('/v1/ip', (request, response) => void response.json({ ip: request.ip, secure: request.secure }));
  });
  service = await createHttpService({
    host: '127.0.0.1',
    port: 0,
    quickstart: true,
    mounts: [{ name: 'api', paths: ['/'], handler: app }],
    log,
    metrics: createMetrics(),
    readiness: {},
  });
});
afterAll(() => service.close());

const json = { 'content-type': 'application/json' };
const post = (headers: Record<string, string>, body: string | Uint8Array) => ask(service.port, '/v1/echo', { method: 'POST', headers, body });
const codeOf = (text: string): unknown => (JSON.parse(text) as { code: unknown }).code;

describe('a JSON body', () => {
  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])('arrives as %s', async (type) => {
    expect((await post({ 'content-type': type }, '{"a":"ö"}')).text).toBe('{"a":"ö"}');
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'application/json; charset=utf-16', 'application/problem+json', ''])(
    'is not taken as %p',
    async (type) => {
      const { status, text } = await post(type === '' ? {} : { 'content-type': type }, '{}');
      expect([status, codeOf(text)]).toEqual([415, 'unsupported_media_type']);
    },
  );

  test('is not taken compressed', async () => {
    expect((await post({ ...json, 'content-encoding': 'gzip' }, 'x')).status).toBe(415);
    expect((await post({ ...json, 'content-encoding': 'identity' }, '{}')).status).toBe(200);
  });

  test('has a limit, whether its length is announced or not, and exactly the limit passes', async () => {
    const of = (bytes: number): string => JSON.stringify('x'.repeat(bytes - 2));
    expect((await post(json, of(1_000))).status).toBe(200);
    const announced = await post(json, of(1_001));
    expect([announced.status, codeOf(announced.text)]).toEqual([413, 'body_too_large']);
    const chunk = 'x'.repeat(600);
    const chunked = await sendRaw(
      service.port,
      `POST /v1/echo HTTP/1.1\r\nHost: localhost:${service.port}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n${chunk}\r\n258\r\n${chunk}\r\n`,
    );
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /u);
  });

  test('is counted in bytes, not characters', async () => {
    expect((await post(json, JSON.stringify('ö'.repeat(600)))).status).toBe(413);
  });

  test('that the parser refuses is a problem with a pointer', async () => {
    const { status, text } = await post(json, '{"a":}');
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({
      code: 'invalid_json',
      detail: 'A value was expected (line 1, column 2)',
      errors: [{ pointer: '/a', detail: 'A value was expected' }],
    });
  });
});

describe('the Express application', () => {
  test('never says why it failed, and logs it with the request id', async () => {
    const { status, headers, text } = await ask(service.port, '/v1/faults');
    expect([status, codeOf(text)]).toEqual([500, 'internal']);
    expect(text).not.toContain('hunter2');
    expect(lines.some((line) => line.includes('hunter2 in the database') && line.includes(String(headers['x-request-id'])))).toBe(true);
    expect(headers['x-powered-by']).toBeUndefined();
    expect(headers.etag).toBeUndefined();
  });

  test('takes paths literally and answers what it does not have with a problem', async () => {
    for (const path of ['/v1/Faults', '/v1/faults/', '/v1/%zz', '/']) expect(codeOf((await ask(service.port, path)).text)).toBe('not_found');
  });

  test('believes no forwarding header', async () => {
    expect(JSON.parse((await ask(service.port, '/v1/ip', { headers: { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' } })).text)).toEqual({
      ip: '127.0.0.1',
      secure: false,
    });
  });
});

describe('a change that a cookie authenticates', () => {
  const change = async (headers: Record<string, string>): Promise<number> => (await ask(service.port, '/v1/session', { method: 'POST', headers })).status;

  test('needs to come from a page of ours', async () => {
    expect(await change({ 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await change({ origin: `http://localhost:${service.port}` })).toBe(200);
    expect(await change({ origin: `http://127.0.0.1:${service.port}`, 'sec-fetch-site': 'same-origin' })).toBe(200);
  });

  test.each([
    {},
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { origin: 'null' },
    { origin: 'http://evil.example' },
    { origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' },
    { origin: 'http://localhost' },
  ])('is refused with %j', async (headers) => {
    expect(await change(headers)).toBe(403);
  });

  test('is refused when the site says otherwise, though the origin fits', async () => {
    expect(await change({ origin: `http://localhost:${service.port}`, 'sec-fetch-site': 'cross-site' })).toBe(403);
  });
});
