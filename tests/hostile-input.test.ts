import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { EXPORT, type Reply } from './support/api.js';
import { type RunningServer, startServer } from './support/running-server.js';

/*
 * What a hostile or careless client sends, against the running service: each is refused with a problem that names the place, and
 * none opens, decides or breaks anything. Callbacks may go to nothing private here.
 */

jest.setTimeout(60_000);

let server: RunningServer;
let key: string;
let alice: string;
beforeAll(async () => {
  server = await startServer({ env: { COUNTERSIGN_CALLBACK_ALLOW: '' } });
  key = server.quickstart().api_key;
  alice = server.token('alice');
}, 90_000);
afterAll(() => server?.stop(), 60_000);

const post = (raw: string | Buffer, headers: Record<string, string | string[]> = {}) =>
  server.call('POST', '/v1/action-requests', { as: key, raw, headers: { 'idempotency-key': randomUUID(), ...headers } });
const submit = (members: object) => server.submit(key, { ...EXPORT, ...members });
/** The example with this text in place of the parameters. */
const withParameters = (json: string): string => JSON.stringify({ ...EXPORT, parameters: 'HERE' }).replace('"HERE"', () => json);
const codeOf = (reply: Reply) => `${reply.status} ${reply.json?.code}`;
const pointersOf = (reply: Reply): string[] => (reply.json?.errors ?? []).map((error: any) => error.pointer);

/** How many requests there are; what is refused adds none. */
async function count(): Promise<number> {
  let found = 0;
  for (let cursor = ''; ;) {
    const { data, next_cursor } = (await server.call('GET', `/v1/action-requests?limit=200${cursor}`, { as: server.token('olivia') })).json;
    found += data.length;
    if (next_cursor === null) return found;
    cursor = `&cursor=${next_cursor}`;
  }
}

/** Bytes as they are over a connection of their own; the whole answer. */
async function wire(bytes: string): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('utf8');
}

describe('JSON that two parsers would read in two ways is refused, with the place', () => {
  let before: number;
  beforeEach(async () => {
    before = await count();
  });

  test.each<[string, string | Buffer, string]>([
    ['a key twice', JSON.stringify(EXPORT).replace('{', '{"action":"iam.delete",'), '/action'],
    ['a key twice, once escaped', withParameters(String.raw`{"rows":1,"r\u006fws":2}`), '/parameters/rows'],
    ['half a surrogate pair', withParameters(String.raw`{"x":["\ud83d"]}`), '/parameters/x/0'],
    ['half a surrogate pair in a key', withParameters(String.raw`{"\udc00":1}`), '/parameters'],
    ['an integer beyond 2^53', withParameters('{"rows":9007199254740993}'), '/parameters/rows'],
    ['a number that overflows', withParameters('{"rows":1e400}'), '/parameters/rows'],
    ['a number with more digits than a double', withParameters('{"rate":0.1000000000000000055}'), '/parameters/rate'],
    ['U+0000', withParameters(String.raw`{"x":"a\u0000b"}`), '/parameters/x'],
    ['a raw NUL', withParameters('{"x":"a\0b"}'), '/parameters/x'],
    ['depth 65', withParameters(`${'['.repeat(64)}${']'.repeat(64)}`), `/parameters${'/0'.repeat(63)}`],
    ['depth 100,000', withParameters('['.repeat(100_000)), `/parameters${'/0'.repeat(63)}`],
    ['__proto__', withParameters('{"__proto__":{"polluted":true}}'), '/parameters/__proto__'],
    ['__proto__ at the top', JSON.stringify(EXPORT).replace('{', '{"__proto__":{"polluted":true},'), '/__proto__'],
    ['constructor', withParameters('{"a":{"constructor":{"prototype":{"polluted":true}}}}'), '/parameters/a/constructor'],
    ['prototype', withParameters('{"prototype":1}'), '/parameters/prototype'],
    ['text after the value', `${JSON.stringify(EXPORT)}{}`, ''],
    ['NaN', withParameters('{"x":NaN}'), '/parameters/x'],
    ['single quotes', "{'action':'x'}", ''],
    ['a comment', `/* hi */ ${JSON.stringify(EXPORT)}`, ''],
    ['nothing that ends', '{"action":"data.export', '/action'],
    ['a byte order mark', `\u{feff}${JSON.stringify(EXPORT)}`, ''],
    ['UTF-16', Buffer.from(JSON.stringify(EXPORT), 'utf16le'), ''],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from('{"action":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]), ''],
  ])('%s', async (_what, body, pointer) => {
    const reply = await post(body);
    expect(codeOf(reply)).toBe('400 invalid_json');
    expect(reply.headers['content-type']).toContain('application/problem+json');
    expect(reply.json).toMatchObject({ type: expect.stringMatching(/\/problems\/invalid_json$/), detail: expect.stringMatching(/line \d+, column \d+/) });
    if (pointersOf(reply)[0] !== pointer) expect({ pointers: pointersOf(reply) }).toEqual({ pointers: [pointer] });
    expect(await count()).toBe(before);
  });

  test('depth 64, 250 KiB and any script are taken as they are', async () => {
    expect((await post(withParameters(`{"x":${'['.repeat(62)}${']'.repeat(62)}}`))).status).toBe(201);
    expect((await submit({ parameters: { blob: 'x y '.repeat(62_000) } })).status).toBe(201);
    expect((await submit({ reason: 'Ĝis revido, مرحبا, שלום, 你好, 👩‍👩‍👧' })).status).toBe(201);
  });

  test('after all of it no object of the server has grown a member', async () => {
    const { text } = await server.call('POST', '/v1/evaluations', {
      as: key,
      body: { action: 'x', resource: { type: 't', id: 'i' }, actor: { type: 'agent', id: 'a' } },
    });
    expect(text).not.toContain('polluted');
  });
});

describe('bodies that are too large, or not what they say', () => {
  test('257 KiB: refused by its length, and without one as soon as it is too much', async () => {
    const body = withParameters(`{"x":"${'y'.repeat(257 * 1024)}"}`);
    expect(codeOf(await post(body))).toBe('413 body_too_large');
    const chunk = 'y'.repeat(16 * 1024);
    const chunks = `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(20);
    const head = `POST /v1/action-requests HTTP/1.1\r\nHost: localhost:${server.port}\r\nAuthorization: Bearer ${key}\r\nIdempotency-Key: ${randomUUID()}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    expect(await wire(`${head}${chunks}0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"body_too_large"/);
  });

  test.each([
    ['another type', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['another charset', { 'content-type': 'application/json; charset=iso-8859-1' }],
    ['a compressed body', { 'content-encoding': 'gzip' }],
  ])('%s', async (_what, headers) => {
    expect(codeOf(await post(JSON.stringify(EXPORT), headers))).toBe('415 unsupported_media_type');
  });

  test.each([
    ['nothing', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['a text', '"approve"'],
  ])('%s in place of a request', async (_what, body) => {
    const reply = await post(body);
    expect([400, 415, 422]).toContain(reply.status);
    expect(reply.json.errors ?? reply.json.detail).toBeTruthy();
  });

  test('headers beyond all measure', async () => {
    expect(await wire(`GET /v1/me HTTP/1.1\r\nHost: localhost:${server.port}\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect((await server.call('GET', '/healthz')).status).toBe(200);
  });
});

describe('members that do not fit are named by JSON pointer', () => {
  test('every wrong type at once', async () => {
    const reply = await submit({
      action: 7,
      resource: { type: 'postgres_table', id: '', labels: { 'data~class/x': 5 } },
      actor: { type: 'agent' },
      timeout_seconds: '60',
      context: { links: [{ title: 'ok', url: 'javascript:alert(1)' }], risk: 'huge' },
    });
    expect(codeOf(reply)).toBe('422 invalid_body');
    expect(new Set(pointersOf(reply))).toEqual(
      new Set(['/action', '/resource/id', '/resource/labels/data~0class~1x', '/actor/id', '/timeout_seconds', '/context/links/0/url', '/context/risk']),
    );
  });

  test.each([
    ['reasn', '/reasn', { reasn: 'x' }, '"reason"'],
    ['timeout_second', '/timeout_second', { timeout_second: 60 }, '"timeout_seconds"'],
    ['behalf_of, in the actor', '/actor/on_behalf', { actor: { ...EXPORT.actor, on_behalf: 'dana' } }, '"on_behalf_of"'],
    ['approver, a right that nobody has', '/approver', { approver: 'mallory@example.com' }, null],
    ['requester, that only the key says', '/requester', { requester: { id: 'key_1' } }, null],
  ])('an unknown member, %s', async (_what, pointer, members, hint) => {
    const reply = await submit(members);
    expect(codeOf(reply)).toBe('422 invalid_body');
    expect(reply.json.errors).toEqual([{ pointer, detail: expect.stringContaining(hint === null ? 'not known' : `did you mean ${hint}?`) }]);
  });

  test.each<[string, string, object]>([
    ['null is not absent', '/environment', { environment: null }],
    ['null is not absent', '/parameters', { parameters: null }],
    ['no time', '/timeout_seconds', { timeout_seconds: 0 }],
    ['half a second', '/timeout_seconds', { timeout_seconds: 1.5 }],
    ['a year', '/timeout_seconds', { timeout_seconds: 31_536_000 }],
    ['a line in a name', '/action', { action: 'data.export\nApproved by Alice' }],
    ['a bidirectional mark in a name', '/action', { action: 'data\u{202e}.export' }],
    ['a path in an environment', '/environment', { environment: '../production' }],
    ['parameters as a list', '/parameters', { parameters: [1] }],
    ['a reason without end', '/reason', { reason: 'x'.repeat(4001) }],
    ['an actor without end', '/actor/id', { actor: { type: 'agent', id: 'x'.repeat(257) } }],
    ['an agent on behalf of an agent', '/actor/on_behalf_of/type', { actor: { ...EXPORT.actor, on_behalf_of: { type: 'agent', id: 'x' } } }],
  ])('%s: %s', async (_what, pointer, members) => {
    const reply = await submit(members);
    expect({ code: codeOf(reply), pointers: pointersOf(reply) }).toEqual({ code: '422 invalid_body', pointers: [pointer] });
  });

  test('a decision says what it decides on, and nothing else', async () => {
    const { id, request_digest } = (await submit({})).json;
    const decide = (body: object) => server.call('POST', `/v1/action-requests/${id}/decisions`, { as: alice, body });
    expect(pointersOf(await decide({ verdict: 'reject', request_digest }))).toEqual(['/verdict']);
    expect(codeOf(await decide({ verdict: 'approve' }))).toBe('422 invalid_body');
    expect(pointersOf(await decide({ verdict: 'approve', request_digest, person: 'bob@example.com' }))).toEqual(['/person']);
    expect(pointersOf(await decide({ verdict: 'approve', request_digest: 'sha256:00' }))).toEqual(['/request_digest']);
    expect((await server.call('GET', `/v1/action-requests/${id}`, { as: key })).json).toMatchObject({ status: 'pending', decisions: [] });
  });

  test.each([
    ['twice the same name', 'limit=1&limit=2'],
    ['an unknown name', 'decidedby=alice'],
    ['no page', 'limit=0'],
    ['too large a page', 'limit=201'],
    ['a word for a number', 'limit=ten'],
    ['a status that there is not', 'status=rejected'],
    ['a cursor of nobody', 'cursor=AAAA'],
    ['a time without a zone', 'from=2026-01-01T00:00:00'],
    ['U+0000', 'actor=a%00'],
  ])('a query with %s', async (_what, query) => {
    expect(codeOf(await server.call('GET', `/v1/action-requests?${query}`, { as: key }))).toBe('400 invalid_query');
  });

  test.each([['%00'], ['%E0%A4%A'], ['..%2f..%2fetc%2fpasswd'], ["ar_' OR 1=1--"], ['ar_0'], ['x'.repeat(3000)]])('a path with %s', async (id) => {
    const reply = await server.call('GET', `/v1/action-requests/${id.replaceAll(' ', '%20').replaceAll("'", '%27')}`, { as: key });
    expect([400, 404]).toContain(reply.status);
    expect(reply.text).not.toMatch(/node:|\.js:\d|SQLSTATE/);
  });
});

describe('the Idempotency-Key', () => {
  const send = (headers: Record<string, string | string[]>) => server.call('POST', '/v1/action-requests', { as: key, body: EXPORT, headers });
  test.each<[string, Record<string, string | string[]>, string]>([
    ['is missing', {}, '400 idempotency_key_missing'],
    ['is empty', { 'idempotency-key': '' }, '400 idempotency_key_invalid'],
    ['has a space', { 'idempotency-key': 'a b' }, '400 idempotency_key_invalid'],
    ['has 256 characters', { 'idempotency-key': 'k'.repeat(256) }, '400 idempotency_key_invalid'],
    ['is not ASCII', { 'idempotency-key': Buffer.from('schlüssel').toString('latin1') }, '400 idempotency_key_invalid'],
    ['comes twice', { 'idempotency-key': ['one', 'two'] }, '400 idempotency_key_invalid'],
  ])('%s', async (_what, headers, expected) => {
    const before = await count();
    expect(codeOf(await send(headers))).toBe(expected);
    expect(await count()).toBe(before);
  });

  test('may have 255 characters of any visible kind', async () => {
    expect((await send({ 'idempotency-key': `~!"{}${'k'.repeat(250)}` })).status).toBe(201);
  });
});

describe('who asks, and from where', () => {
  test.each([['evil.example'], ['evil.example:8080'], ['localhost'], ['localhost.evil.example'], ['127.0.0.1:1'], ['user@localhost']])(
    'another Host, %s, is told that this service is not that host',
    async (host) => {
      for (const path of ['/', '/v1/me', '/ledger/default/checkpoint', '/.well-known/jwks.json']) {
        expect(codeOf(await server.call('GET', path, { as: key, headers: { host } }))).toBe('421 misdirected_request');
      }
      // Probes come by address.
      expect((await server.call('GET', '/healthz', { headers: { host } })).status).toBe(200);
    },
  );

  test('two Host lines, none, or a whole URL as the target', async () => {
    const ours = `localhost:${server.port}`;
    expect(await wire(`GET /v1/me HTTP/1.1\r\nHost: ${ours}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 4(00|21) /);
    expect(await wire(`GET /v1/me HTTP/1.1\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await wire(`GET http://evil.example/v1/me HTTP/1.1\r\nHost: ${ours}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 4(00|21) /);
  });

  test('C4: a cookie alone does not decide: the page must be ours', async () => {
    const link = new URL(server.quickstart().people['alice@example.com']?.sign_in_url ?? '');
    // Looking at the link, as a preview does, does not spend it; and what a link leads to arrives by POST, from no other site.
    expect((await server.call('GET', '/sign-in')).status).toBe(200);
    const token = link.hash.slice(1);
    expect(codeOf(await server.call('POST', '/v1/sessions', { body: { token }, headers: { origin: 'https://evil.example' } }))).toBe('403 cross_site_request');
    const session = await server.call('POST', '/v1/sessions', { body: { token }, headers: { origin: server.url } });
    expect(session.status).toBe(201);
    const set = session.headers['set-cookie'] ?? '';
    expect(set).toMatch(/HttpOnly/i);
    expect(set).toMatch(/SameSite=(Strict|Lax)/i);
    const cookie = set.split(';')[0] ?? '';

    const { id, request_digest } = (await submit({})).json;
    const decide = (headers: Record<string, string>) =>
      server.call('POST', `/v1/action-requests/${id}/decisions`, { body: { verdict: 'approve', request_digest }, headers: { cookie, ...headers } });
    const foreign: Record<string, string>[] = [
      {},
      { origin: 'null' },
      { origin: 'https://evil.example' },
      { origin: `http://localhost:${server.port + 1}` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' },
    ];
    for (const headers of foreign) expect({ headers, code: codeOf(await decide(headers)) }).toEqual({ headers, code: '403 cross_site_request' });
    // A bad bearer is not made good by a cookie.
    expect(codeOf(await decide({ authorization: 'Bearer cs_pat_wrong', origin: server.url }))).toBe('401 unauthenticated');
    expect((await server.call('GET', `/v1/action-requests/${id}`, { as: key })).json).toMatchObject({ status: 'pending', decisions: [] });
    const preflight = await server.call('OPTIONS', `/v1/action-requests/${id}/decisions`, {
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.headers).not.toHaveProperty('access-control-allow-origin');
    expect((await decide({ 'sec-fetch-site': 'same-origin', origin: server.url })).status).toBe(201);
  });

  test('A5: no GET decides, whatever it looks like', async () => {
    const { id, request_digest } = (await submit({})).json;
    const query = `verdict=approve&request_digest=${request_digest}`;
    const body = JSON.stringify({ verdict: 'approve', request_digest });
    const tries = await Promise.all([
      server.call('GET', `/v1/action-requests/${id}/decisions?${query}`, { as: alice }),
      server.call('HEAD', `/v1/action-requests/${id}/decisions?${query}`, { as: alice }),
      server.call('GET', `/v1/action-requests/${id}/decisions`, { as: alice, raw: body }),
      server.call('GET', `/v1/action-requests/${id}/decisions`, { as: alice, headers: { 'x-http-method-override': 'POST' } }),
      server.call('GET', `/v1/action-requests/${id}/cancel`, { as: key }),
      server.call('GET', `/v1/action-requests/${id}/revoke`, { as: alice }),
      server.call('PUT', `/v1/action-requests/${id}/decisions`, { as: alice, raw: body }),
      server.call('PATCH', `/v1/action-requests/${id}`, { as: alice, raw: '{"status":"approved"}' }),
      server.call('DELETE', `/v1/action-requests/${id}`, { as: key }),
    ]);
    expect(tries.map(({ status }) => status)).toEqual(tries.map(() => 405));
    expect(tries[0]?.headers['allow']).toBe('POST');
    expect((await server.call('GET', `/requests/${id}?${query}`, { as: alice })).status).toBe(200);
    expect((await server.call('GET', `/v1/action-requests/${id}`, { as: key })).json).toMatchObject({ status: 'pending', decisions: [] });
  });

  test.each([
    ['no credential', undefined],
    ['Basic', 'Basic YWxpY2U6YWxpY2U='],
    ['two tokens', 'Bearer a b'],
    ['an empty one', 'Bearer '],
    ['one of another shape', 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.'],
  ])('%s is nobody', async (_what, authorization) => {
    const reply = await server.call('GET', '/v1/me', authorization === undefined ? {} : { headers: { authorization } });
    expect(codeOf(reply)).toBe('401 unauthenticated');
    expect(reply.headers['www-authenticate']).toContain('Bearer');
  });
});

describe('I14: callbacks go nowhere that a caller must not reach', () => {
  test.each([
    ['loopback', ['http://127.0.0.1/', 'https://127.0.0.1:8443/', 'https://localhost/', 'https://x.localhost/', 'https://[::1]/', 'https://127.9.9.9/']],
    [
      'other spellings of it',
      [
        'https://2130706433/',
        'https://0x7f000001/',
        'https://0177.0.0.1/',
        'https://127.1/',
        'https://127.0.0.1./',
        'https://[::ffff:127.0.0.1]/',
        'https://[0:0:0:0:0:ffff:7f00:1]/',
        'https://①②⑦.0.0.1/',
        'https://127。0。0。1/',
        'https://%31%32%37.0.0.1/',
        'https://localhost./',
      ],
    ],
    [
      'metadata services',
      [
        'http://169.254.169.254/latest/meta-data/',
        'https://169.254.169.254/',
        'https://[fd00:ec2::254]/',
        'https://[::ffff:169.254.169.254]/',
        'https://[64:ff9b::a9fe:a9fe]/',
        'https://2852039166/',
        'https://168.63.129.16/',
        'https://100.100.100.200/',
        'https://192.0.0.192/',
      ],
    ],
    [
      'private networks',
      [
        'https://10.0.0.1/',
        'https://172.16.0.1/',
        'https://192.168.1.1/',
        'https://100.64.0.1/',
        'https://[fc00::1]/',
        'https://[fe80::1]/',
        'https://[fe80::1%25eth0]/',
        'https://[2002:7f00:1::]/',
        'https://0.0.0.0/',
        'https://0/',
        'https://[::]/',
        'https://224.0.0.1/',
        'https://255.255.255.255/',
        'https://198.18.0.1/',
      ],
    ],
    [
      'ports of other services',
      [
        'https://hooks.example.com:22/',
        'https://hooks.example.com:25/',
        'https://hooks.example.com:5432/',
        'https://hooks.example.com:6379/',
        'https://hooks.example.com:2375/',
      ],
    ],
    [
      'other schemes',
      [
        'http://hooks.example.com/',
        'ftp://hooks.example.com/',
        'file:///etc/passwd',
        'gopher://hooks.example.com/',
        'javascript:alert(1)',
        'data:text/plain,x',
        'hooks.example.com',
        '//hooks.example.com/',
        'https:///x',
      ],
    ],
    [
      'what another parser reads in another way',
      [
        'https://user:secret@hooks.example.com/',
        'https://hooks.example.com\\@169.254.169.254/',
        'https://hooks.example.com#@169.254.169.254/',
        'https://169.254.169.254#.example.com/',
        ' https://hooks.example.com/',
        'https://hooks.exam\tple.com/',
        'https://hooks.example.com/\r\nHost: x',
        'https://hooks.example.com:80:443/',
        'https://ⓔvil.example/',
      ],
    ],
  ])('%s', async (_what, urls) => {
    for (const url of urls) {
      const reply = await submit({ callback: { url } });
      expect({ url, code: codeOf(reply), pointers: pointersOf(reply) }).toEqual({ url, code: '422 callback_not_allowed', pointers: ['/callback/url'] });
      expect(reply.text).not.toContain('secret@');
    }
  });

  test('a public name over https may be named; both kinds of target at once, or neither, may not', async () => {
    expect((await submit({ callback: { url: 'https://hooks.example.com:8443/countersign?tenant=7' } })).status).toBe(201);
    expect(codeOf(await submit({ callback: {} }))).toBe('422 invalid_body');
    expect(codeOf(await submit({ callback: { url: 'https://hooks.example.com/', endpoint_id: `ep_${randomUUID()}` } }))).toBe('422 invalid_body');
  });
});

describe('C2: text that would lie on a card', () => {
  test('is taken, and shown so that it is visible and harmless', async () => {
    const text =
      'before <!channel> *bold* <https://evil.example|Approve> \u{202e}drowssap\u{202c} zero\u{200b}width **verdict:** approved\r\nApproved by Alice';
    const reply = await submit({
      parameters: { note: text, '**Approved** by': 'Alice' },
      reason: text,
      resource: { ...EXPORT.resource, id: text, labels: { data_class: 'pii' } },
    });
    expect(reply.status).toBe(201);
    for (const platform of ['web', 'slack', 'teams']) {
      const card = await server.call('GET', `/v1/previews/${platform}/${reply.json.id}`, { as: alice });
      expect(card.status).toBe(200);
      // Neither raw nor as a JSON escape.
      expect(card.text).not.toMatch(/[\u{202a}-\u{202e}\u{2066}-\u{2069}\u{200b}]|\\u20(2[a-e]|6[6-9]|0b)/iu);
      expect(card.text).toContain('drowssap');
      if (platform !== 'slack') continue;
      expect(markupOf(card.json)).not.toMatch(/<!channel>|<https:\/\/evil\.example\|/);
      expect(markupOf(card.json)).toContain('&lt;!channel&gt;');
    }
  });

  /** What Slack reads as markup: the message's own text and every mrkdwn text. The texts of rich_text and plain_text are shown as they are. */
  function markupOf(value: unknown, top = true): string {
    if (typeof value !== 'object' || value === null) return '';
    const own = 'text' in value && typeof value.text === 'string' && (top || ('type' in value && value.type === 'mrkdwn')) ? value.text : '';
    return [own, ...Object.values(value).map((inner) => markupOf(inner, false))].join('\n');
  }

  test('two hundred lines stand on the card, or it says that they are elsewhere', async () => {
    const script = Array.from({ length: 200 }, (_, line) => `rm -rf /srv/data/${line}`).join('\n');
    const { id } = (await submit({ parameters: { script } })).json;
    const web = (await server.call('GET', `/v1/previews/web/${id}`, { as: alice })).text;
    expect(web).toContain('/srv/data/199');
    for (const platform of ['slack', 'teams']) {
      const { text } = await server.call('GET', `/v1/previews/${platform}/${id}`, { as: alice });
      expect(text.includes('/srv/data/199') || text.includes('Show everything')).toBe(true);
    }
  });
});

test('after all of it the service is ready, and logged no fault', async () => {
  expect((await server.call('GET', '/readyz')).status).toBe(200);
  expect(server.output()).not.toMatch(/\b(error|fatal)\b.*(failed|fault|nothing caught)/i);
});
