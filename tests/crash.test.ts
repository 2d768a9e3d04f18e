import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EXPORT, type Reply } from './support/api.js';
import { type CallbackReceiver, startCallbackReceiver, verifiedByOfficialPackage, verifiedByPublishedKey } from './support/callback-receiver.js';
import { readLog, verifyByCommand } from './support/ledger-check.js';
import { beginServer, type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/* What kill -9 leaves: the built server is killed while it takes requests, and started again on the same home. */

jest.setTimeout(180_000);

const CONNECTIONS = 6;
const ACKNOWLEDGED_BEFORE_THE_KILL = 90;

let home: string;
let receiver: CallbackReceiver;
let server: RunningServer;
beforeEach(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'countersign-crash-'));
  receiver = await startCallbackReceiver();
});
afterEach(async () => {
  await receiver.close();
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
}, 60_000);

/** What a caller knows of what it sent. */
interface Sent {
  key: string;
  body: object;
  /** The answer's id; null where the connection broke before the answer. */
  id: string | null;
}

/** A third each: people decide, policy lets it pass, policy denies. */
function bodyOf(number: number): object {
  const callback = { url: `${receiver.url}/${number % 5}` };
  switch (number % 3) {
    case 0:
      return { ...EXPORT, callback };
    case 1:
      return { ...EXPORT, action: 'model.promote', resource: { type: 'model', id: `m${number}` }, callback };
    default:
      return { ...EXPORT, action: 'backup.delete', resource: { type: 'backup', id: `b${number}` }, callback };
  }
}

/** Posts over several connections at once, and decides what waits, until the server does not answer any more. */
async function load(): Promise<{ sent: Sent[]; decided: Map<string, string>; running: Promise<unknown> }> {
  const { api_key } = server.quickstart();
  const alice = server.token('alice');
  const sent: Sent[] = [];
  const decided = new Map<string, string>();
  const connection = async (name: number): Promise<void> => {
    for (let count = 0; ; count++) {
      const number = count * CONNECTIONS + name;
      const entry: Sent = { key: `crash-${number}`, body: bodyOf(number), id: null };
      sent.push(entry);
      const answer = await server.submit(api_key, entry.body, { key: entry.key }).catch(() => null);
      if (answer === null) return;
      expect(answer.status).toBe(201);
      entry.id = answer.json.id;
      if (answer.json.status !== 'pending') continue;
      const verdict = number % 2 === 0 ? 'approve' : 'deny';
      const decision = await server.decide(alice, answer.json, verdict).catch(() => null);
      if (decision === null) return;
      expect(decision.status).toBe(201);
      decided.set(answer.json.id, verdict === 'approve' ? 'approved' : 'denied');
    }
  };
  const running = Promise.all(Array.from({ length: CONNECTIONS }, (_, name) => connection(name)));
  await until(() => sent.filter(({ id }) => id !== null).length >= ACKNOWLEDGED_BEFORE_THE_KILL, 'enough acknowledged requests', 60_000);
  return { sent, decided, running };
}

/** Every request that there is, by id, as the administrator sees it. */
async function everything(): Promise<Map<string, any>> {
  const found: [string, any][] = [];
  let cursor: string | null = null;
  do {
    const page: Reply = await server.call('GET', `/v1/action-requests?limit=200${cursor === null ? '' : `&cursor=${cursor}`}`, { as: server.token('olivia') });
    found.push(...page.json.data.map((request: any) => [request.id, request]));
    cursor = page.json.next_cursor;
  } while (cursor !== null);
  expect(new Set(found.map(([id]) => id)).size).toBe(found.length);
  return new Map(found);
}

describe('kill -9 while requests are being accepted', () => {
  test.each([
    ['the server alone, while the receiver takes callbacks', 'server', 204],
    ['the server and its PostgreSQL at once, while the receiver is down', 'everything', 503],
  ] as const)('I1, I4, I5, I6: of %s', async (_what, target, receiverAnswers) => {
    receiver.answerWith(receiverAnswers);
    server = await startServer({ home });
    const before = server.quickstart();
    const { sent, decided, running } = await load();
    await server.kill(target);
    await running;
    receiver.answerWith(204);

    server = await startServer({ home, port: server.port });
    const after = server.quickstart();

    // What people and callers hold stays good; sign-in links are new.
    expect({ ...after, people: tokensOf(after) }).toEqual({ ...before, people: tokensOf(before) });
    for (const [email, { sign_in_url }] of Object.entries(after.people)) expect(sign_in_url).not.toBe(before.people[email]?.sign_in_url);
    const old = new URL(before.people['alice@example.com']?.sign_in_url ?? '').hash.slice(1);
    expect((await server.call('POST', '/v1/sessions', { body: { token: old } })).status).toBe(401);

    // I1: every acknowledged request is there, once per key; what was not acknowledged is there once or not at all, and can be sent again.
    const kept = await everything();
    const acknowledged = sent.flatMap(({ id }) => (id === null ? [] : [id]));
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
    expect(kept.size).toBeLessThanOrEqual(sent.length);
    for (const entry of sent) {
      const again = await server.submit(after.api_key, entry.body, { key: entry.key });
      expect(again.status).toBe(201);
      if (entry.id !== null) expect({ id: again.json.id, replayed: again.headers['idempotent-replayed'] }).toEqual({ id: entry.id, replayed: 'true' });
      entry.id = again.json.id;
    }
    const all = await everything();
    expect(new Set(all.keys())).toEqual(new Set(sent.map(({ id }) => id)));
    expect(all.size).toBe(sent.length);

    // An acknowledged decision holds.
    for (const [id, status] of decided) expect({ id, status: all.get(id)?.status }).toEqual({ id, status });

    // I5: every settled outcome arrives, under one id and with one body however often it comes.
    const { keys } = (await server.call('GET', '/.well-known/jwks.json')).json;
    const settled = [...all.values()].filter(({ status }) => status !== 'pending');
    expect(settled.length).toBeGreaterThan(ACKNOWLEDGED_BEFORE_THE_KILL / 2);
    for (const { id, outcome } of settled) {
      const [attempt] = await receiver.of(id, 1, 60_000);
      if (attempt === undefined) throw new Error('no callback');
      expect(verifiedByOfficialPackage(attempt, after.webhook_secret)).toMatchObject({ data: { id: outcome.id, sequence: 1, status: outcome.status } });
      expect(verifiedByPublishedKey(attempt, keys)).toBe(true);
    }
    await until(async () => (await undelivered(settled)).length === 0, 'every delivery to end delivered', 60_000);

    // I6: nothing was told, before the kill or after it, that is not so.
    for (const { json, headers } of receiver.attempts) {
      const request = all.get(json.data.action_request);
      expect({ status: request?.status, outcome: request?.outcome?.id }).toEqual({ status: json.data.status, outcome: json.data.id });
      const same = receiver.attempts.filter((other) => other.json.data.action_request === json.data.action_request);
      expect(same.every((other) => other.headers['webhook-id'] === headers['webhook-id'])).toBe(true);
    }

    const log = await until(async () => {
      const read = await readLog(server, server.token('olivia'));
      return read.size > all.size && read;
    }, 'the ledger');
    expect(log.verified).toBe(true);
    // I4: what stands in the rows stands in the ledger, and nothing half.
    expect(await verifyByCommand(home)).toMatchObject({ findings: [] });
  });

  /** Ids whose callback has not ended delivered; on the way it is checked that attempts are numbered without gaps (I7). */
  async function undelivered(settled: readonly { id: string }[]): Promise<string[]> {
    const left: string[] = [];
    for (const { id } of settled) {
      const { data } = (await server.call('GET', `/v1/deliveries?action_request=${id}`, { as: server.quickstart().api_key })).json;
      expect(data).toHaveLength(1);
      expect(data[0].attempts.map((attempt: any) => attempt.number)).toEqual(data[0].attempts.map((_: unknown, index: number) => index + 1));
      if (data[0].state !== 'delivered') left.push(id);
    }
    return left;
  }

  const tokensOf = ({ people }: { people: Record<string, { token: string }> }) =>
    Object.fromEntries(Object.entries(people).map(([email, { token }]) => [email, token]));
});

describe('kill -9 at any moment of the first start', () => {
  test.each([['postgres/credentials.json'], ['postgres/server.log'], ['postgres/data/postmaster.pid'], ['master.key'], ['quickstart.json']])(
    'once %s is there: nothing keeps running, and the next start finds its way',
    async (file) => {
      const starting = await beginServer({ home });
      await until(() => existsSync(path.join(home, file)), `${file} to be there`, 60_000);
      starting.signal('SIGKILL');
      expect((await starting.ended()).left).toEqual([]);
      server = await startServer({ home });
      expect((await server.submit(server.quickstart().api_key, EXPORT)).json.status).toBe('pending');
    },
  );
});

test('I1, A5: PostgreSQL alone killed under the server is started again, and nothing was lost', async () => {
  server = await startServer({ home });
  const key = server.quickstart().api_key;
  const { id, ...request } = (await server.submit(key, EXPORT)).json;
  const pidFile = path.join(home, 'postgres', 'data', 'postmaster.pid');
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  process.kill(pid, 'SIGKILL');
  const read = await until(async () => {
    const answer = await server.call('GET', `/v1/action-requests/${id}`, { as: key });
    expect([200, 503]).toContain(answer.status);
    return answer.status === 200 && answer;
  }, 'the server to answer again');
  expect(read.json).toEqual({ id, ...request });
  expect((await server.decide(server.token('alice'), read.json, 'approve')).status).toBe(201);
  expect(Number(readFileSync(pidFile, 'utf8').split('\n')[0])).not.toBe(pid);
});
