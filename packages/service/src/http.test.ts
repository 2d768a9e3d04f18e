import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';

import { afterEach, describe, expect, test } from '@jest/globals';

import {
  createHttpService,
  createLogger,
  createMetrics,
  type HttpService,
  type HttpServiceOptions,
  requestContext,
  Secret,
  sendProblem,
  ServiceError,
} from './index.js';
import { ask, keptLines, sendRaw } from './testing/raw-http.js';

const services: HttpService[] = [];
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.close()));
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
const says =
  (text: string): Handler =>
  (_request, response) =>
    void response.end(text);

async function start(paths: Record<string, Handler>, options: Partial<HttpServiceOptions> = {}): Promise<HttpService & { lines: string[] }> {
  const { lines, write } = keptLines();
  const service = await createHttpService({
    host: '127.0.0.1',
    port: 0,
    quickstart: true,
    mounts: Object.entries(paths).map(([path, handler]) => ({ name: path, paths: [path], handler })),
    log: createLogger({ level: 'debug', mask: (text) => text, destination: { write } }),
    metrics: createMetrics(),
    readiness: {},
    ...options,
  });
  services.push(service);
  return { ...service, lines };
}

describe('dispatch', () => {
  test('exact paths win over prefixes, longer prefixes over shorter, and / takes the rest', async () => {
    const { port } = await start({
      '/': says('console'),
      '/v1/': says('api'),
      '/v1/token': says('token'),
      '/ledger/*': says('ledger'),
      '/slack/events': says('slack'),
    });
    const said = async (path: string): Promise<string> => (await ask(port, path)).text;
    expect(await said('/v1/action-requests?x=/slack/events')).toBe('api');
    expect(await said('/v1/token?a=b')).toBe('token');
    expect(await said('/ledger/default/checkpoint')).toBe('ledger');
    expect(await said('/slack/events')).toBe('slack');
    expect(await said('/slack/events/more')).toBe('console');
    expect(await said('/v1')).toBe('console');
    expect(await said('/V1/action-requests')).toBe('console');
  });

  test('two mounts that claim one path are a mistake of the program', async () => {
    await expect(start({ '/a/': says('1'), '/a/*': says('2') })).rejects.toThrow('claim /a/');
  });

  test('handlers get the raw body: nothing was parsed before them', async () => {
    const { port } = await start({
      '/slack/events': (request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => response.end(Buffer.concat(chunks)));
      },
    });
    expect((await ask(port, '/slack/events', { method: 'POST', body: '{"a": 1}', headers: { 'content-type': 'application/json' } })).text).toBe('{"a": 1}');
  });

  test('a path that nobody has is a 404 problem', async () => {
    const { port } = await start({ '/v1/': says('api') });
    const { status, headers, text } = await ask(port, '/nothing');
    expect(status).toBe(404);
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(JSON.parse(text)).toMatchObject({ type: `http://localhost:${port}/problems/not_found`, code: 'not_found', status: 404 });
  });

  test('a handler that throws is a 500 problem without the reason; the log has it under the same id', async () => {
    const { port, lines } = await start({
      '/': () => {
        throw new Error('table users is missing');
      },
    });
    const { status, headers, text } = await ask(port, '/');
    expect(status).toBe(500);
    expect(text).not.toContain('users');
    expect(lines.find((line) => line.includes('table users is missing'))).toContain(String(headers['x-request-id']));
  });
});

describe('hosts', () => {
  const hostOf = async (port: number, host: string): Promise<number> => (await ask(port, '/', { headers: { host } })).status;

  test('in the quickstart, loopback names with our port and PUBLIC_URL are ours; anything else is 421', async () => {
    const { port } = await start({ '/': says('ok') }, { publicUrl: 'https://countersign.example.com' });
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, 'countersign.example.com', 'COUNTERSIGN.example.com:443'])
      expect(await hostOf(port, host)).toBe(200);
    for (const host of [
      `localhost:${port + 1}`,
      'localhost',
      'evil.example',
      `evil.example:${port}`,
      `countersign.example.com:${port}`,
      `localhost:${port}@evil.example`,
      'localhost.evil.example',
      `127.0.0.1.nip.io:${port}`,
    ]) {
      expect(await hostOf(port, host)).toBe(421);
    }
  });

  test('outside the quickstart, only PUBLIC_URL is ours, and the refusal is a problem', async () => {
    const { port } = await start({ '/': says('ok') }, { publicUrl: 'https://countersign.example.com', quickstart: false });
    expect(await hostOf(port, 'countersign.example.com')).toBe(200);
    expect(await hostOf(port, `localhost:${port}`)).toBe(421);
    expect(JSON.parse((await ask(port, '/')).text)).toMatchObject({
      code: 'misdirected_request',
      type: 'https://countersign.example.com/problems/misdirected_request',
    });
  });

  test('two Host lines, an absolute target and no Host are refused', async () => {
    const { port } = await start({ '/': says('ok') });
    expect(await sendRaw(port, `GET / HTTP/1.1\r\nHost: localhost:${port}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 (400|421) /u,
    );
    expect(await sendRaw(port, `GET http://evil.example/ HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /u);
    expect(await sendRaw(port, `GET / HTTP/1.1\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /u);
  });

  test('health probes come by address', async () => {
    const { port } = await start({}, { readiness: { database: async () => undefined } });
    expect((await ask(port, '/healthz', { headers: { host: '10.0.0.7:8080' } })).status).toBe(200);
    expect((await ask(port, '/readyz', { headers: { host: '10.0.0.7:8080' } })).text).toBe('{"status":"ready","checks":{"database":"ok"}}');
  });
});

describe('probes', () => {
  test('readiness names the part that fails, and not why', async () => {
    const { port } = await start({}, { readiness: { database: () => Promise.reject(new Error('password wrong for hunter2')), keys: async () => undefined } });
    const { status, text } = await ask(port, '/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(text)).toEqual({ status: 'not_ready', checks: { database: 'failed', keys: 'ok' } });
    expect((await ask(port, '/healthz')).status).toBe(200);
    expect((await ask(port, '/healthz', { method: 'POST' })).status).toBe(405);
  });

  test('metrics are open to this machine, but not through a proxy on it or under a foreign name; elsewhere by bearer', async () => {
    const { port } = await start({ '/v1/': says('x') }, { metricsToken: new Secret('a-long-enough-token') });
    await ask(port, '/v1/action-requests/ar_123');
    const { status, text } = await ask(port, '/metrics');
    expect(status).toBe(200);
    expect(text).toMatch(/countersign_http_request_seconds_count\{method="GET",route="\/v1\/",status="200"\} 1/u);
    expect(text).not.toContain('ar_123');
    expect((await ask(port, '/metrics', { headers: { 'x-forwarded-for': '203.0.113.9' } })).status).toBe(401);
    expect((await ask(port, '/metrics', { headers: { host: 'rebound.example' } })).status).toBe(401);
    const behindProxy = { 'x-forwarded-for': '203.0.113.9', authorization: 'Bearer a-long-enough-token' };
    expect((await ask(port, '/metrics', { headers: behindProxy })).status).toBe(200);
    expect((await ask(port, '/metrics', { headers: { ...behindProxy, authorization: 'Bearer a-long-enough-tokeN' } })).status).toBe(401);
  });
});

describe('what every answer has', () => {
  test('security headers and a request id; a sane id of the caller is kept, another is not', async () => {
    const { port } = await start({ '/': says('ok') }, { publicUrl: 'https://c.example' });
    const { headers } = await ask(port, '/', { headers: { 'x-request-id': 'trace-0001' } });
    expect(headers).toMatchObject({
      'x-request-id': 'trace-0001',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'strict-transport-security': 'max-age=31536000',
    });
    for (const id of ['short', 'has space in it', 'x'.repeat(129), 'quote"quote"'])
      expect((await ask(port, '/', { headers: { 'x-request-id': id } })).headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/u);
  });

  test('problems carry code, pointers and further headers', async () => {
    const { port } = await start({
      '/': (_request, response) =>
        sendProblem(response, {
          code: 'rate_limited',
          title: 'Slow down',
          status: 429,
          detail: 'Too many.',
          errors: [{ pointer: '/a', detail: 'b' }],
          headers: { 'retry-after': '3' },
        }),
    });
    const { status, headers, text } = await ask(port, '/');
    expect(status).toBe(429);
    expect(headers['retry-after']).toBe('3');
    expect(JSON.parse(text)).toMatchObject({
      type: `http://localhost:${port}/problems/rate_limited`,
      code: 'rate_limited',
      title: 'Slow down',
      errors: [{ pointer: '/a', detail: 'b' }],
    });
  });

  test('one log line per request, by route template and without the query', async () => {
    const { port, lines } = await start({
      '/v1/': (request, response) => {
        requestContext(request).route = '/v1/action-requests/{id}';
        response.statusCode = 202;
        response.end();
      },
    });
    await ask(port, '/v1/action-requests/ar_123?token=hunter2');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
      level: 'info',
      msg: 'request',
      method: 'GET',
      route: '/v1/action-requests/{id}',
      status: 202,
      ms: expect.any(Number),
      request_id: expect.any(String),
    });
    expect(lines.join()).not.toMatch(/hunter2|ar_123/u);
  });
});

describe('the end of a service', () => {
  test('a long poll is told to answer early; new connections are refused; a second close is the same', async () => {
    let waiting: (() => void) | undefined;
    const polls = new Promise<void>((resolve) => (waiting = resolve));
    const service = await start({
      '/wait': (request, response) => {
        const { signal } = requestContext(request);
        signal.addEventListener('abort', () => response.end(String(signal.reason)));
        waiting?.();
      },
    });
    const poll = ask(service.port, '/wait');
    await polls;
    await Promise.all([service.close(), service.close()]);
    const answer = await poll;
    expect(answer.text).toBe('shutting_down');
    expect(answer.headers.connection).toBe('close');
    await expect(ask(service.port, '/wait')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('a request in flight ends in peace, an idle keep-alive connection at once', async () => {
    let finish: (() => void) | undefined;
    let arrived: (() => void) | undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const service = await start({
      '/slow': (_request, response) => {
        finish = () => response.end('done');
        arrived?.();
      },
      '/quick': says('quick'),
    });
    const agent = new Agent({ keepAlive: true });
    const idle = httpRequest({ host: '127.0.0.1', port: service.port, path: '/quick', agent, headers: { host: `localhost:${service.port}` } }).end();
    idle.on('response', (response) => response.resume());
    await once(idle, 'close');
    const [socket] = Object.values(agent.freeSockets).flat();
    const idleClosed = new Promise((resolve) => socket?.on('close', resolve));
    const slow = ask(service.port, '/slow');
    await arrival;
    const closed = service.close();
    await idleClosed;
    finish?.();
    expect((await slow).text).toBe('done');
    await closed;
    agent.destroy();
  });

  test('what does not end is cut', async () => {
    let arrived: (() => void) | undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const service = await start({ '/never': () => arrived?.() }, { drainMs: 50 });
    const never = ask(service.port, '/never');
    await arrival;
    await Promise.all([service.close(), expect(never).rejects.toMatchObject({ code: 'ECONNRESET' })]);
  });

  test('a handler learns that its client has gone', async () => {
    let gone: ((reason: unknown) => void) | undefined;
    const reason = new Promise<unknown>((resolve) => (gone = resolve));
    let arrived: (() => void) | undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const { port } = await start({
      '/wait': (request) => {
        const { signal } = requestContext(request);
        signal.addEventListener('abort', () => gone?.(signal.reason));
        arrived?.();
      },
    });
    const sent = httpRequest({ host: '127.0.0.1', port, path: '/wait', headers: { host: `localhost:${port}` } }).end();
    sent.on('error', () => undefined);
    await arrival;
    sent.destroy();
    expect(await reason).toBe('client_gone');
  });
});

test('a taken port is an error with one clear line', async () => {
  const { port } = await start({});
  const second = start({}, { port });
  await expect(second).rejects.toThrow(ServiceError);
  await expect(second).rejects.toMatchObject({
    code: 'port_taken',
    message: `Port ${port} on 127.0.0.1 is taken by another program. Stop it, or set PORT to a free one.`,
  });
  await expect(start({}, { host: '192.0.2.1' })).rejects.toMatchObject({ code: 'address_unknown' });
});
