import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type PostgresServer, startPostgresServer } from '@countersign/dev-env/postgres-server';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { actionOf, EXPORT, type Reply } from './support/api.js';
import { type CallbackReceiver, startCallbackReceiver, verifiedByOfficialPackage } from './support/callback-receiver.js';
import { type Credentials, makeCredentials, newMasterKey, ownFiles } from './support/installation.js';
import { readLog } from './support/ledger-check.js';
import { type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/* The database goes away under the running service and comes back: refused meanwhile, nothing half done, and on by itself. */

jest.setTimeout(180_000);

let folder: string;
let postgres: PostgresServer;
let receiver: CallbackReceiver;
let server: RunningServer;
let held: Credentials;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-gone-'));
  [postgres, receiver] = await Promise.all([startPostgresServer(), startCallbackReceiver()]);
  const masterKey = newMasterKey();
  server = await startServer({
    home: path.join(folder, 'home'),
    env: { ...ownFiles(folder), DATABASE_URL: postgres.url, COUNTERSIGN_MASTER_KEY: masterKey, COUNTERSIGN_CALLBACK_ALLOW: '127.0.0.1' },
  });
  held = await makeCredentials(postgres.url, masterKey);
}, 120_000);
afterEach(async () => {
  await receiver?.close();
  await server?.stop();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const submission = (members: object = {}) => ({ ...EXPORT, callback: { url: `${receiver.url}/hook` }, ...members });
const submit = (members: object = {}, key?: string) => server.submit(held.apiKey, submission(members), key === undefined ? {} : { key });
const read = (id: string) => server.call('GET', `/v1/action-requests/${id}`, { as: held.apiKey });
const redeem = (grant: string) => server.call('POST', '/v1/grants/redeem', { as: held.apiKey, body: { grant, action: actionOf(EXPORT) } });
const back = () => until(async () => (await server.call('GET', '/readyz')).status === 200, 'the service to be ready again', 60_000);
const count = async () => (await server.call('GET', '/v1/action-requests?limit=200', { as: held.apiKey })).json.data.length;

test('I17, A5: while PostgreSQL is gone everything is refused with 503, nothing is half done, and it goes on by itself', async () => {
  const waiting = (await submit()).json;
  const privilege = (await submit({ action: 'iam.grant_role', resource: { type: 'iam_role', id: 'admin' } })).json;
  const approved = (await submit()).json;
  expect((await server.decide(held.tokens.alice, approved, 'approve')).status).toBe(201);
  const { grant } = (await read(approved.id)).json.outcome;
  await receiver.of(approved.id);
  const expiring = (await submit({ timeout_seconds: 2 })).json;
  const before = await count();
  const poll = server.call('GET', `/v1/action-requests/${waiting.id}?wait=60`, { as: held.apiKey });

  await postgres.halt();
  const refused: Record<string, Reply> = Object.fromEntries(
    await Promise.all(
      Object.entries({
        'what policy lets pass': submit({ action: 'model.promote', resource: { type: 'model', id: 'm1' } }, 'gone-1'),
        'what needs people': submit({}, 'gone-2'),
        'an approval': server.decide(held.tokens.alice, waiting, 'approve'),
        'a denial': server.decide(held.tokens.bob, privilege, 'deny'),
        'a grant': redeem(grant),
        'an evaluation': server.call('POST', '/v1/evaluations', { as: held.apiKey, body: actionOf(EXPORT) }),
        'a cancellation': server.call('POST', `/v1/action-requests/${waiting.id}/cancel`, { as: held.apiKey }),
        'a revocation': server.call('POST', `/v1/action-requests/${approved.id}/revoke`, { as: held.tokens.alice }),
        'a look': read(waiting.id),
        'a list': server.call('GET', '/v1/action-requests', { as: held.tokens.alice }),
        'a wait': poll,
      }).map(async ([what, reply]) => [what, await reply] as const),
    ),
  );
  for (const [what, { status, json, headers }] of Object.entries(refused)) {
    expect({ what, status, code: json?.code, retry: headers['retry-after'] }).toEqual({
      what,
      status: 503,
      code: 'unavailable',
      retry: expect.stringMatching(/^[1-9]\d*$/),
    });
    expect(headers['content-type']).toContain('application/problem+json');
    expect(json.type).toMatch(/\/problems\/unavailable$/);
  }
  expect(await server.call('GET', '/readyz')).toMatchObject({ status: 503, json: { status: 'not_ready', checks: { postgresql: 'failed' } } });
  expect((await server.call('GET', '/healthz')).status).toBe(200);

  await postgres.resume();
  await back();
  // Nothing of what was refused happened.
  expect(await count()).toBe(before);
  expect((await read(waiting.id)).json).toMatchObject({ status: 'pending', decisions: [], outcome: null });
  expect((await read(privilege.id)).json).toMatchObject({ status: 'pending', decisions: [], outcome: null });
  expect((await read(approved.id)).json).toMatchObject({ status: 'approved', redeemed_at: null });
  // And all of it works again, under the same keys where there are any.
  const again = await submit({ action: 'model.promote', resource: { type: 'model', id: 'm1' } }, 'gone-1');
  expect(again).toMatchObject({ status: 201, json: { status: 'approved' } });
  expect(again.headers['idempotent-replayed']).toBeUndefined();
  expect((await submit({}, 'gone-2')).json.status).toBe('pending');
  expect((await redeem(grant)).status).toBe(200);
  expect((await server.decide(held.tokens.alice, waiting, 'approve')).status).toBe(201);
  const [attempt] = await receiver.of(waiting.id);
  expect(attempt !== undefined && verifiedByOfficialPackage(attempt, held.webhookSecret)).toMatchObject({ data: { status: 'approved' } });
  // The time that ran out meanwhile is noticed now: expired, not approved.
  const [expired] = await receiver.of(expiring.id, 1, 30_000);
  expect(expired?.json.data).toMatchObject({ status: 'expired', decisions: [] });
  expect(server.output()).not.toContain('postgres:postgres');
});

test('I1, I2, I17: PostgreSQL restarts under load: each key opens one request, and only people approve', async () => {
  const decided: { id: string; status: string }[] = [];
  const phase = { restarted: false };
  let opened = 0;
  /** Until it is answered; a 503 says that it may be sent again. */
  const insist = (send: () => Promise<Reply>, fine: readonly number[]): Promise<Reply> =>
    until(
      async () => {
        const reply = await send();
        if (reply.status === 503) expect(reply.json.code).toBe('unavailable');
        else expect({ status: reply.status, fine: fine.includes(reply.status), detail: reply.json?.detail }).toMatchObject({ fine: true });
        return reply.status !== 503 && reply;
      },
      'an answer',
      60_000,
    );
  const connection = async (name: number): Promise<string[]> => {
    const ids: string[] = [];
    // As long as the restart is under way, and some after it.
    for (let number = 0; !phase.restarted || number < 12; number++) {
      const { json } = await insist(() => submit({}, `load-${name}-${number}`), [201]);
      ids.push(json.id);
      opened += 1;
      const verdict = number % 2 === 0 ? ('approve' as const) : ('deny' as const);
      // A decision whose answer got lost may have been made: then it is settled already, as it was meant.
      if (number % 3 !== 2) {
        await insist(() => server.decide(held.tokens.alice, json, verdict), [201, 409]);
        decided.push({ id: json.id, status: verdict === 'approve' ? 'approved' : 'denied' });
      }
    }
    return ids;
  };
  const load = Promise.all(Array.from({ length: 5 }, (_, name) => connection(name)));
  await until(() => opened >= 20, 'some requests');
  await postgres.restart();
  await back();
  phase.restarted = true;
  const ids = (await load).flat();
  expect(new Set(ids).size).toBe(ids.length);

  const all = new Map<string, any>();
  for (let cursor = ''; ;) {
    const { data, next_cursor } = (await server.call('GET', `/v1/action-requests?limit=200${cursor}`, { as: held.tokens.olivia })).json;
    for (const request of data) all.set(request.id, request);
    if (next_cursor === null) break;
    cursor = `&cursor=${next_cursor}`;
  }
  expect(new Set(all.keys())).toEqual(new Set(ids));
  for (const { id, status } of decided) {
    const request = all.get(id);
    expect({ id, status: request.status, by: request.decisions.map((decision: any) => decision.person.email) }).toEqual({
      id,
      status,
      by: ['alice@example.com'],
    });
    const [attempt] = await receiver.of(id, 1, 60_000);
    expect(attempt?.json.data).toMatchObject({ id: request.outcome.id, status });
  }
  const untouched = [...all.values()].filter(({ id }) => !decided.some((one) => one.id === id));
  expect(untouched.length).toBeGreaterThan(5);
  for (const request of untouched) expect(request).toMatchObject({ status: 'pending', decisions: [] });

  const log = await until(async () => {
    const found = await readLog(server, held.tokens.olivia);
    return found.size > ids.length && found;
  }, 'the ledger');
  expect(log.verified).toBe(true);
});
