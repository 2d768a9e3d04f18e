import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  type Action,
  type ActionRequest,
  type Client,
  type ClientError,
  createClient,
  type GuardOptions,
  verifyGrant,
  verifyOutcome,
} from '@countersign/client';
import { freePort } from '@countersign/dev-env/free-port';
import { needs } from '@countersign/dev-env/needs';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { actionOf, EXPORT } from './support/api.js';
import { type CallbackReceiver, startCallbackReceiver } from './support/callback-receiver.js';
import { root, type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/*
 * What a caller installs, against the real server: it runs what was approved, once, and under attack it runs nothing.
 */
jest.setTimeout(60_000);

let server: RunningServer;
let receiver: CallbackReceiver;
let client: Client;
let apiKey: string;
let home: string;
let port: number;
const folder = mkdtempSync(path.join(tmpdir(), 'countersign-caller-'));

beforeAll(async () => {
  receiver = await startCallbackReceiver();
  home = mkdtempSync(path.join(tmpdir(), 'countersign-client-'));
  port = await freePort();
  server = await startServer({ home, port });
  apiKey = server.quickstart().api_key;
  client = createClient({ url: server.url, apiKey });
}, 90_000);
afterAll(async () => {
  await server?.stop();
  await receiver?.close();
  for (const made of [home, folder]) if (made !== undefined) rmSync(made, { recursive: true, force: true });
});

/** The gated example, with these parameters besides. */
const action = (parameters: object = {}) => ({ ...(actionOf(EXPORT) as Action), parameters: { ...EXPORT.parameters, ...parameters } });
const FREE: Action = { action: 'data.export', resource: { type: 'postgres_table', id: 'prod.weather' }, actor: { type: 'agent', id: 'retrainer' } };

async function decide(request: Pick<ActionRequest, 'id' | 'request_digest'>, verdict: 'approve' | 'deny', reason?: string): Promise<void> {
  const { status, text } = await server.decide(server.token('alice'), request, verdict, reason);
  if (status !== 201) throw new Error(`the decision was answered ${status}: ${text}`);
}
/** Decides as soon as it was asked. */
const deciding = (verdict: 'approve' | 'deny', reason?: string): Pick<GuardOptions, 'onSubmitted'> => ({
  onSubmitted: (request) => void decide(request, verdict, reason),
});
const denyingFor = (ask_again: 'never' | 'changed' | 'later'): Pick<GuardOptions, 'onSubmitted'> => ({
  onSubmitted: ({ id, request_digest }) =>
    void server.call('POST', `/v1/action-requests/${id}/decisions`, { as: server.token('alice'), body: { verdict: 'deny', request_digest, ask_again } }),
});
async function approved(asked: Action, options = {}): Promise<ActionRequest & { outcome: { grant: string } }> {
  const request = await client.submit(asked, options);
  await decide(request, 'approve');
  // An approval has its outcome, and the outcome its grant, until it is spent.
  return (await client.wait(request.id)) as ActionRequest & { outcome: { grant: string } };
}
/** A `run` that remembers what it was given. */
function recorder() {
  const ran: unknown[] = [];
  return { ran, run: (given: Action) => ran.push(given) };
}
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    (value) => `no fault: ${JSON.stringify(value)}`,
    // Whatever else it was, it has no code and the expectation fails.
    (error: ClientError) => (error.code === 'refused' ? `refused ${error.problem?.code}` : error.code),
  );

describe('A1, A2: the guard asks, waits and runs', () => {
  test('A2: an approved action runs by itself with the arguments that were approved, and its value comes back', async () => {
    const result = await client.guard(action(), ({ parameters }) => ({ exported: parameters }), {
      reason: 'Retraining',
      timeoutSeconds: 30,
      ...deciding('approve'),
    });
    expect(result).toMatchObject({
      kind: 'ran',
      value: { exported: EXPORT.parameters },
      request: { status: 'approved', decisions: [{ verdict: 'approve', via: 'api' }] },
    });
    if (result.kind !== 'ran') throw new Error('it did not run');
    expect((await client.get(result.request.id)).redeemed_at).not.toBeNull();
  });

  test('A3: what policy does not gate runs at once, with the same record', async () => {
    const result = await client.guard(FREE, () => 'exported');
    expect(result).toMatchObject({ kind: 'ran', value: 'exported', request: { evaluation: { effect: 'allow' }, decisions: [] } });
    const { data } = await client.list({ limit: 1 });
    expect(data[0]).toMatchObject({ status: 'approved', redeemed_at: expect.any(String) });
  });

  test('D2: what came of it stands on the request: succeeded, or failed without the error’s words', async () => {
    const digest = `sha256:${'ab'.repeat(32)}`;
    const done = await client.guard(FREE, () => 1, { report: () => ({ result_digest: digest }) });
    expect(done).not.toHaveProperty('reportError');
    expect(await client.get(done.request.id)).toMatchObject({ report: { result: 'succeeded', result_digest: digest } });
    let id = '';
    const failing = client.guard(
      FREE,
      () => {
        throw new RangeError('secret words');
      },
      { onSubmitted: (request) => (id = request.id) },
    );
    await expect(failing).rejects.toThrow('secret words');
    expect(await client.get(id)).toMatchObject({ report: { result: 'failed', detail: 'RangeError' } });
  });

  test('A1: policy that denies, people who deny: typed, with the reason and who said it, and nothing runs', async () => {
    const { ran, run } = recorder();
    const byPolicy = await client.guard(
      { action: 'backup.delete', resource: { type: 'bucket', id: 'b' }, actor: { type: 'agent', id: 'x' }, environment: 'production' },
      run,
    );
    expect(byPolicy).toMatchObject({ kind: 'denied', decisions: [], reason: expect.stringContaining('Backups') });
    const byPeople = await client.guard(action(), run, { timeoutSeconds: 30, ...deciding('deny', 'Not this table.') });
    expect(byPeople).toMatchObject({ kind: 'denied', reason: 'Not this table.', decisions: [{ person: { email: 'alice@example.com' }, verdict: 'deny' }] });
    expect(byPeople).not.toHaveProperty('ask_again');
    expect(await client.guard(action(), run, { timeoutSeconds: 30, ...denyingFor('changed') })).toMatchObject({ ask_again: 'changed', try_again: true });
    expect(await client.guard(action(), run, { timeoutSeconds: 30, ...denyingFor('never') })).toMatchObject({ ask_again: 'never', try_again: false });
    expect(ran).toEqual([]);
  });

  test('A2: expiry, cancellation, revocation and an own time limit are results, and nothing runs', async () => {
    const { ran, run } = recorder();
    expect(await client.guard(action(), run, { timeout_seconds: 1 })).toMatchObject({ kind: 'expired' });
    expect(await client.guard(action(), run, { timeoutSeconds: 0 })).toMatchObject({ kind: 'timed_out', request: { status: 'pending' } });
    expect(await client.guard(action(), run, { timeoutSeconds: 0, cancelOnTimeout: true })).toMatchObject({
      kind: 'timed_out',
      request: { status: 'cancelled' },
    });
    expect(await client.guard(action(), run, { onSubmitted: ({ id }) => void client.cancel(id) })).toMatchObject({ kind: 'cancelled' });
    const { id } = await approved(action());
    await client.revoke(id);
    expect(await client.runApproved(id, action(), run)).toMatchObject({ kind: 'revoked' });
    expect(ran).toEqual([]);
  });

  test('A2: a signal ends the wait, and takes the request back when asked to', async () => {
    const { ran, run } = recorder();
    for (const cancelOnAbort of [true, false]) {
      const controller = new AbortController();
      let id = '';
      const guarded = client.guard(action(), run, {
        signal: controller.signal,
        cancelOnAbort,
        onSubmitted: (request) => {
          id = request.id;
          controller.abort();
        },
      });
      expect(await codeOf(guarded)).toBe('aborted');
      expect((await client.get(id)).status).toBe(cancelOnAbort ? 'cancelled' : 'pending');
    }
    expect(ran).toEqual([]);
  });
});

describe('A4: under attack nothing else runs', () => {
  test('A4: arguments that are changed while people decide are not what runs', async () => {
    const { ran, run } = recorder();
    const call = action({ to: { account: 'ours' } });
    const result = await client.guard(call, run, {
      timeoutSeconds: 30,
      onSubmitted: (request) => {
        Object.assign(call.parameters, { rows: 999_999, to: { account: 'theirs' } });
        void decide(request, 'approve');
      },
    });
    expect(result.kind).toBe('ran');
    expect(ran).toMatchObject([{ parameters: { rows: EXPORT.parameters.rows, to: { account: 'ours' } } }]);
    expect(() => Object.assign((ran[0] as Action).parameters ?? {}, { rows: 2 })).toThrow(TypeError);
  });

  test('A4: a stored call that was edited after the approval does not run, by any road', async () => {
    const { ran, run } = recorder();
    const key = randomUUID();
    const request = await approved(action(), { key });
    const edited = action({ rows: 999_999 });
    expect(await codeOf(client.runApproved(request.id, edited, run))).toBe('digest_mismatch');
    expect(await codeOf(client.guard(edited, run, { key }))).toBe('refused idempotency_key_reused');
    expect(await codeOf(client.redeem(request.outcome.grant, edited))).toBe('refused action_mismatch');
    for (const changed of [
      { ...action(), actor: { type: 'agent', id: 'other' } },
      { ...action(), environment: 'staging' },
      { ...action(), resource: { type: 'postgres_table', id: 'PROD.CUSTOMERS' } },
    ]) {
      expect(await codeOf(client.redeem(request.outcome.grant, changed))).toBe('refused action_mismatch');
    }
    expect(ran).toEqual([]);
    expect(await client.runApproved(request.id, action(), run)).toMatchObject({ kind: 'ran' });
  });

  test('A4, D2: a grant is spent once: a replay runs nothing', async () => {
    const { ran, run } = recorder();
    const request = await approved(action());
    expect(await client.runApproved(request.id, action(), run)).toMatchObject({ kind: 'ran' });
    expect(await codeOf(client.redeem(request.outcome.grant, action()))).toBe('refused grant_already_redeemed');
    expect(await codeOf(client.runApproved(request.id, action(), run))).toBe('already_redeemed');
    expect(ran).toHaveLength(1);
  });

  test('A4: of many callers with one key, one runs', async () => {
    const { ran, run } = recorder();
    const key = randomUUID();
    await approved(action(), { key });
    const results = await Promise.all(Array.from({ length: 8 }, () => codeOf(client.guard(action(), run, { key }))));
    expect(ran).toHaveLength(1);
    expect(results.filter((code) => code === 'already_redeemed')).toHaveLength(7);
  });

  test.each<[string, (json: any, path: string) => any]>([
    ['the answer is about another action', (json, at) => (at === '/v1/action-requests' ? { ...json, action_digest: `sha256:${'0'.repeat(64)}` } : json)],
    ['the settled request is about another action', (json) => (json.outcome ? { ...json, action_digest: `sha256:${'0'.repeat(64)}` } : json)],
    [
      'the outcome is about another action',
      (json) => (json.outcome ? { ...json, outcome: { ...json.outcome, action_digest: `sha256:${'0'.repeat(64)}` } } : json),
    ],
    [
      'the outcome is of another request',
      (json) =>
        json.outcome ? { ...json, request_digest: `sha256:${'0'.repeat(64)}`, outcome: { ...json.outcome, request_digest: `sha256:${'0'.repeat(64)}` } } : json,
    ],
    [
      'the grant is for another action',
      (json) =>
        json.outcome ? { ...json, outcome: { ...json.outcome, grant: withClaims(json.outcome.grant, { act_digest: `sha256:${'0'.repeat(64)}` }) } } : json,
    ],
    ['the redemption is of another action', (json) => (json.grant_id ? { ...json, action_digest: `sha256:${'0'.repeat(64)}` } : json)],
    ['the redemption is of another grant', (json) => (json.grant_id ? { ...json, grant_id: 'gr_019f0000-0000-7000-8000-000000000001' } : json)],
  ])('A4, A5: somebody between lies: %s: it does not run', async (_name, lie) => {
    const { ran, run } = recorder();
    const proxy = await lyingProxy(lie);
    try {
      const through = createClient({ url: proxy.url, apiKey });
      expect(await codeOf(through.guard(action(), run, { timeoutSeconds: 30, ...deciding('approve') }))).toBe('digest_mismatch');
    } finally {
      await proxy.close();
    }
    expect(ran).toEqual([]);
  });

  test('A4, A5: a denial that is passed off as an approval runs nothing, with forged grants and redemptions too once keys are pinned', async () => {
    const { ran, run } = recorder();
    const grant = (await approved(action())).outcome.grant;
    let asked: any;
    const proxy = await lyingProxy((json, at) => {
      if (at === '/v1/action-requests') asked = json;
      if (json.outcome) {
        const forged = withClaims(grant, { act_digest: json.action_digest, request_digest: json.request_digest, action_request: json.id });
        return { ...json, status: 'approved', outcome: { ...json.outcome, status: 'approved', grant: forged } };
      }
      if (at === '/v1/grants/redeem')
        return { grant_id: 'gr_x', action_request: asked.id, action_digest: asked.action_digest, redeemed_at: new Date().toISOString() };
      return json;
    });
    try {
      const options: GuardOptions = { timeoutSeconds: 30, ...deciding('deny') };
      const pinned = createClient({ url: proxy.url, apiKey, jwks: await client.jwks(), issuer: server.url });
      expect(await codeOf(pinned.guard(action(), run, options))).toBe('invalid_grant');
    } finally {
      await proxy.close();
    }
    expect(ran).toEqual([]);
  });

  test('A4: pinned keys let through what the service signed', async () => {
    const pinned = createClient({ url: server.url, apiKey, jwks: await client.jwks() });
    expect(await pinned.guard(FREE, () => 1)).toMatchObject({ kind: 'ran' });
  });
});

describe('A2, A4: the caller and the service may be killed at any time', () => {
  const caller = (key: string, hold?: 'redeem' | 'run') => {
    const log = path.join(folder, key);
    const child = spawn(process.execPath, [path.join(root, 'tests/support/guarded-caller.mjs')], {
      env: {
        PATH: process.env['PATH'],
        COUNTERSIGN_URL: server.url,
        COUNTERSIGN_API_KEY: apiKey,
        CALLER_KEY: key,
        CALLER_LOG: log,
        CALLER_ACTION: JSON.stringify(action()),
        ...(hold === undefined ? {} : { HOLD: hold }),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    return {
      said: (what: RegExp) => until(() => what.exec(output), `the caller to say ${String(what)}; it said ${output}`, 30_000),
      kill: () => killed(child),
      runs: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').length : 0),
    };
  };
  const approveAsked = async (of: ReturnType<typeof caller>): Promise<void> => decide(await client.get((await of.said(/asked (\S+)/))[1] ?? ''), 'approve');

  test('A2: killed while it waits, and between approval and run: started again with the same key it joins, and runs once', async () => {
    const key = randomUUID();
    const first = caller(key);
    const id = (await first.said(/asked (\S+)/))[1];
    await first.kill();
    const second = caller(key, 'redeem');
    expect((await second.said(/asked (\S+)/))[1]).toBe(id);
    await approveAsked(second);
    await second.said(/held/);
    await second.kill();
    expect(second.runs()).toBe(0);
    const third = caller(key);
    await third.said(/result ran/);
    expect(third.runs()).toBe(1);
    const fourth = caller(key);
    await fourth.said(/fault already_redeemed/);
    expect(fourth.runs()).toBe(1);
  });

  test('A4: killed after the grant was spent, nobody knows whether it ran: it does not run again', async () => {
    const key = randomUUID();
    const first = caller(key, 'run');
    await approveAsked(first);
    await first.said(/held/);
    await first.kill();
    const second = caller(key);
    await second.said(/fault already_redeemed/);
    expect(second.runs()).toBe(0);
  });

  test('A2: the service killed and started again while a caller waits: the caller goes on waiting and runs', async () => {
    const { ran, run } = recorder();
    let asked: ActionRequest | undefined;
    const guarded = client.guard(action(), run, { timeoutSeconds: 150, onSubmitted: (request) => (asked = request) });
    const request = await until(() => asked, 'the request');
    await server.kill('everything');
    server = await startServer({ home, port, withinMs: 90_000 });
    await decide(request, 'approve');
    expect(await guarded).toMatchObject({ kind: 'ran' });
    expect(ran).toHaveLength(1);
  }, 160_000);
});

describe('D1, D2: what the service signs is verified offline', () => {
  test('D1, D2: a callback verifies by secret and by published key, and its grant for its action alone', async () => {
    const request = await client.submit(action(), { callback: { url: `${receiver.url}/hook` } });
    await decide(request, 'approve', 'Fine.');
    const [attempt] = await receiver.of(request.id);
    if (attempt === undefined) throw new Error('no callback');
    const jwks = await client.jwks();
    const { webhook_secret: secret } = server.quickstart();
    for (const trust of [{ secret }, { jwks }]) {
      const { type, data } = await verifyOutcome(attempt.body, attempt.headers, trust);
      expect({ type, data }).toMatchObject({
        type: 'outcome.settled',
        data: { status: 'approved', action_digest: request.action_digest, decisions: [{ reason: 'Fine.' }] },
      });
      expect(await codeOf(verifyOutcome(attempt.body.replace('Fine', 'fine'), attempt.headers, trust))).toBe('invalid_signature');
      expect(await codeOf(verifyOutcome(attempt.body, attempt.headers, { ...trust, now: Date.now() / 1000 + 400 }))).toBe('stale_message');
    }
    const { data } = await verifyOutcome(attempt.body, attempt.headers, { secret });
    const checks = { jwks, issuer: server.url, audience: server.url };
    await expect(verifyGrant(data.grant ?? '', { ...checks, action: action() })).resolves.toMatchObject({ action_request: request.id });
    expect(await codeOf(verifyGrant(data.grant ?? '', { ...checks, action: action({ rows: 1 }) }))).toBe('action_mismatch');
    expect(await codeOf(verifyGrant(data.grant ?? '', { ...checks, action: action(), now: Date.now() / 1000 + 901 }))).toBe('grant_expired');
    // Told by callback, it runs without a wait.
    expect(await client.runApproved(request.id, action(), () => 'ran')).toMatchObject({ kind: 'ran' });
  });
});

const python = needs('python3', 'the Python client');
(python === undefined ? describe.skip : describe)('A1, A2, A4, D1, D2, G1: the Python client', () => {
  const unittest = async (before: string) => {
    const { stderr } = await promisify(execFile)(python ?? '', ['-B', '-c', `${before}import unittest; unittest.main(module='test_countersign')`], {
      cwd: path.join(root, 'clients/python'),
      timeout: 50_000,
      env: { PATH: process.env['PATH'], COUNTERSIGN_URL: server.url, COUNTERSIGN_API_KEY: apiKey, COUNTERSIGN_TOKEN: server.token('alice') },
    });
    return stderr;
  };

  test('meets the vectors and the running server, under the same attacks', async () => {
    expect(await unittest('')).toMatch(/Ran \d\d tests[\s\S]*OK/);
  });

  test('without the package cryptography it does the same, and verifies nothing that it cannot', async () => {
    expect(await unittest("import sys; sys.modules['cryptography'] = None; sys.modules['cryptography.exceptions'] = None; ")).toMatch(
      /Ran \d\d tests[\s\S]*OK \(skipped=1\)/,
    );
  });
});

/** Between caller and service: passes calls on, and changes the JSON of the answers. */
async function lyingProxy(lie: (json: any, path: string) => any): Promise<{ url: string; close(): Promise<void> }> {
  const at = await freePort();
  const proxy = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { authorization, 'idempotency-key': key } = incoming.headers;
      const where = incoming.url ?? '';
      void server
        .call(incoming.method ?? 'GET', where, {
          headers: {
            ...(authorization === undefined ? {} : { authorization }),
            ...(typeof key === 'string' ? { 'idempotency-key': key } : {}),
            ...(chunks.length > 0 ? { 'content-type': 'application/json' } : {}),
          },
          ...(chunks.length > 0 ? { raw: Buffer.concat(chunks) } : {}),
        })
        .then(({ status, json }) => {
          const answer = lie(json, where);
          outgoing.writeHead(answer === json ? status : 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
        });
    });
  });
  await new Promise<void>((resolve) => proxy.listen(at, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${at}`,
    close: () =>
      new Promise((resolve) => {
        proxy.close(() => resolve());
        proxy.closeAllConnections();
      }),
  };
}

/** A grant with other claims, under the signature that it had. */
function withClaims(grant: string, claims: object): string {
  const [header = '', payload = '', signature = ''] = grant.split('.');
  const changed = { ...JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')), ...claims };
  return `${header}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${signature}`;
}

/** kill -9, and wait until it is gone. */
async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await until(() => child.exitCode !== null || child.signalCode !== null, 'the end of the caller');
}
