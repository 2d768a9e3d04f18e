import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EXPORT } from './support/api.js';
import { root, type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/*
 * `countersign` as a pipeline and a person at a terminal use it, in processes of their own, against the real server.
 */
jest.setTimeout(60_000);

let server: RunningServer;
let key: string;
const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'countersign-exec-')));

beforeAll(async () => {
  server = await startServer();
  key = server.quickstart().api_key;
}, 90_000);
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the command; `end` is its exit code. */
function countersign(args: readonly string[], env: Record<string, string> = {}, stdin?: string) {
  const child = spawn(process.execPath, [path.join(root, 'bin/countersign'), ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], COUNTERSIGN_URL: server.url, COUNTERSIGN_API_KEY: key, COUNTERSIGN_ACTOR: 'pipeline/deploy', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
  child.stdin.end(stdin);
  const end = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return {
    end: () => end,
    out: () => out,
    err: () => err,
    signal: (name: NodeJS.Signals) => child.kill(name),
    /** The id of the request that it waits for. */
    waiting: async () => (await until(() => /requests\/(ar_[0-9a-f-]{36})/.exec(err), `the command to wait; it said ${out}${err}`))[1] ?? '',
  };
}
const ended = async (of: ReturnType<typeof countersign>) => ({ code: await of.end(), out: of.out(), err: of.err() });
const read = async (id: string) => (await server.call('GET', `/v1/action-requests/${id}`, { as: key })).json;
const decide = async (id: string, verdict: 'approve' | 'deny', reason?: string) => {
  expect((await server.decide(server.token('alice'), await read(id), verdict, reason)).status).toBe(201);
};
/** Options under which the example policy asks a data owner. */
const GATED = ['--action', 'data.export', '--resource', 'postgres_table/prod.customers'];
const write = (file: string) =>
  `require('node:fs').writeFileSync(${JSON.stringify(path.join(folder, file))}, process.argv.slice(1).join('|') + JSON.stringify(Object.keys(process.env).sort()))`;
const node = process.execPath;

describe('G1, A1, A2: exec asks, waits, runs and reports', () => {
  test('A3: what policy lets pass runs at once, with its output and its exit code', async () => {
    expect(await ended(countersign(['exec', '--', node, '-e', "console.log('done')"]))).toMatchObject({ code: 0, out: 'done\n' });
    expect(await ended(countersign(['exec', '--', node, '-e', 'process.exit(3)']))).toMatchObject({ code: 3 });
    const { data } = (await server.call('GET', '/v1/action-requests?limit=2', { as: key })).json;
    expect(data).toMatchObject([
      { action: 'command.run', report: { result: 'failed', detail: 'exit code 3' } },
      { action: 'command.run', report: { result: 'succeeded' } },
    ]);
  });

  test('A4: people see the program, each argument, the folder and the declared variables; that runs, with no other variable', async () => {
    const command = countersign(
      ['exec', ...GATED, '--env', 'STAGE', '--pass-env', 'DEPLOY_SECRET', '--', node, '-e', write('ran'), 'a b', '$HOME;', '--help'],
      {
        STAGE: 'blue',
        DEPLOY_SECRET: 'not to be shown',
        UNDECLARED: 'x',
        NODE_NO_WARNINGS: '1',
      },
    );
    const id = await command.waiting();
    const request = await read(id);
    expect(request.parameters).toMatchObject({
      argv: [node, '-e', write('ran'), 'a b', '$HOME;', '--help'],
      cwd: folder,
      env: { STAGE: 'blue' },
      pass_env: ['DEPLOY_SECRET'],
    });
    expect(JSON.stringify(request)).not.toContain('not to be shown');
    expect(existsSync(path.join(folder, 'ran'))).toBe(false);
    await decide(id, 'approve');
    expect(await ended(command)).toMatchObject({ code: 0 });
    const { readFileSync } = await import('node:fs');
    const ran = readFileSync(path.join(folder, 'ran'), 'utf8');
    expect(ran).toMatch(/^a b\|\$HOME;\|--help\[/);
    expect(ran).toContain('STAGE');
    expect(ran).toContain('DEPLOY_SECRET');
    expect(ran).not.toMatch(/UNDECLARED|NODE_NO_WARNINGS|COUNTERSIGN/);
    expect((await read(id)).report).toMatchObject({ result: 'succeeded' });
  });

  test('A1: a denial is 77 and a time limit 75: nothing ran, and what waits no more is taken back', async () => {
    const denied = countersign(['exec', ...GATED, '--', node, '-e', write('never')]);
    await decide(await denied.waiting(), 'deny', 'Not today.');
    expect(await ended(denied)).toMatchObject({ code: 77, err: expect.stringMatching(/denied: "Not today\."\. Nothing ran/) });
    const late = countersign(['exec', ...GATED, '--timeout', '1', '--', node, '-e', write('never')]);
    const id = await late.waiting();
    expect(await ended(late)).toMatchObject({ code: 75 });
    expect((await read(id)).status).toBe('cancelled');
    expect(await ended(countersign(['exec', ...GATED, '--expires', '1', '--', node, '-e', write('never')]))).toMatchObject({ code: 75 });
    expect(existsSync(path.join(folder, 'never'))).toBe(false);
  });

  test('A2: Ctrl-C takes the request back', async () => {
    const command = countersign(['exec', ...GATED, '--', node, '-e', write('never')]);
    const id = await command.waiting();
    command.signal('SIGINT');
    expect(await ended(command)).toMatchObject({ code: 130, err: expect.stringContaining('taken back') });
    expect((await read(id)).status).toBe('cancelled');
    expect(existsSync(path.join(folder, 'never'))).toBe(false);
  });

  test('A4: the same key joins its request, another command under it is refused, and a used approval does not run again', async () => {
    const args = ['exec', ...GATED, '--key', 'release-7', '--', node, '-e', write('once')];
    const first = countersign(args);
    const id = await first.waiting();
    first.signal('SIGKILL');
    await first.end();
    const second = countersign(args);
    expect(await second.waiting()).toBe(id);
    await decide(id, 'approve');
    expect(await ended(second)).toMatchObject({ code: 0 });
    expect(await ended(countersign([...args, 'more']))).toMatchObject({ code: 69, err: expect.stringContaining('idempotency_key_reused') });
    rmSync(path.join(folder, 'once'));
    expect(await ended(countersign(args))).toMatchObject({ code: 76, err: expect.stringContaining('used before') });
    expect(existsSync(path.join(folder, 'once'))).toBe(false);
  });

  test('A5: no service, no program, no actor, an undeclared secret: nothing is asked or run, and the code says why', async () => {
    expect(await ended(countersign(['exec', '--', 'no-such-program-here']))).toMatchObject({ code: 127 });
    expect(await ended(countersign(['exec', '--', node, '-e', '1'], { COUNTERSIGN_ACTOR: '' }))).toMatchObject({
      code: 2,
      err: expect.stringContaining('--actor'),
    });
    expect(await ended(countersign(['exec', '--env', 'NOT_SET', '--', node]))).toMatchObject({ code: 2, err: expect.stringContaining('NOT_SET') });
    expect(await ended(countersign(['exec']))).toMatchObject({ code: 2 });
    expect(await ended(countersign(['exec', '--', node], { COUNTERSIGN_API_KEY: 'cs_key_wrong' }))).toMatchObject({
      code: 69,
      err: expect.stringContaining('unauthenticated'),
    });
    expect(await ended(countersign(['exec', '--help']))).toMatchObject({ code: 0, out: expect.stringContaining('77 denied') });
  });

  test('A4: an approved program that cannot be started is 126, and the service is told', async () => {
    const file = path.join(folder, 'broken');
    writeFileSync(file, '#!/no/such/interpreter\n', { mode: 0o755 });
    expect(await ended(countersign(['exec', '--', file]))).toMatchObject({ code: 126, err: expect.stringContaining('could not be started') });
    const { data } = (await server.call('GET', '/v1/action-requests?limit=1', { as: key })).json;
    expect(data[0].report).toMatchObject({ result: 'failed', detail: 'not started' });
  });
});

describe('A1, C1: request, wait, list, show, approve, deny', () => {
  test('a request is asked for, shown, approved by the person with the quickstart’s token, and waited for', async () => {
    const asked = await ended(
      countersign(['request', ...GATED, '--actor', 'agent/retrainer', '--parameters', '{"rows":5}', '--reason', 'Bell \u0007 and \u001B[31mred', '--json']),
    );
    expect(asked.code).toBe(0);
    const { id, action_digest } = JSON.parse(asked.out);
    const waiting = countersign(['wait', id]);
    await waiting.waiting();
    const bare = { COUNTERSIGN_URL: '', COUNTERSIGN_API_KEY: '' };
    const alice = ['--home', server.home, '--as', 'alice@example.com'];
    const shown = await ended(countersign(['show', id, ...alice], bare));
    expect(shown).toMatchObject({ code: 0, out: expect.stringContaining('"rows":5') });
    // Nothing that was asked reaches the terminal as a control character.
    expect(shown.out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(await ended(countersign(['approve', id, ...alice], bare))).toMatchObject({ code: 2, err: expect.stringContaining('--digest') });
    expect(await ended(countersign(['approve', id, '--digest', `sha256:${'0'.repeat(64)}`, ...alice], bare))).toMatchObject({
      code: 1,
      err: expect.stringContaining('action_mismatch'),
    });
    expect(await ended(countersign(['approve', id, '--digest', action_digest, '--home', server.home, '--as', 'dana@example.com'], bare))).toMatchObject({
      code: 1,
      err: expect.stringContaining('self_approval'),
    });
    expect(await ended(countersign(['approve', id, '--digest', action_digest, ...alice], bare))).toMatchObject({
      code: 0,
      out: expect.stringContaining('approved'),
    });
    expect(await ended(waiting)).toMatchObject({ code: 0, out: expect.stringContaining('approve: alice@example.com via api') });
    expect(await ended(countersign(['list', '--status', 'approved', '--limit', '1', '--json']))).toMatchObject({ code: 0, out: expect.stringContaining(id) });
  });

  test('a body from standard input; a denial ends the wait with 77; a person’s token is needed to decide', async () => {
    const command = countersign(['request', '--body', '-', '--wait'], {}, JSON.stringify(EXPORT));
    const id = await command.waiting();
    const { action_digest } = await read(id);
    expect(await ended(countersign(['deny', id, '--digest', action_digest]))).toMatchObject({ code: 2, err: expect.stringContaining('COUNTERSIGN_TOKEN') });
    expect(await ended(countersign(['deny', id, '--digest', action_digest], { COUNTERSIGN_TOKEN: key }))).toMatchObject({
      code: 1,
      err: expect.stringContaining('decider_not_allowed'),
    });
    expect(
      await ended(countersign(['deny', id, '--digest', action_digest, '--reason', 'No.', '--ask-again', 'later'], { COUNTERSIGN_TOKEN: server.token('bob') })),
    ).toMatchObject({
      code: 0,
    });
    expect(await ended(command)).toMatchObject({ code: 77, out: expect.stringContaining('deny: bob@example.com via api, No. (ask again later)') });
  });

  test('D1: redrive is an administrator’s', async () => {
    const message = 'msg_01900000-0000-7000-8000-000000000001';
    expect(await ended(countersign(['redrive', message], { COUNTERSIGN_TOKEN: server.token('alice') }))).toMatchObject({
      code: 1,
      err: expect.stringContaining('forbidden'),
    });
    expect(await ended(countersign(['redrive', message], { COUNTERSIGN_TOKEN: server.token('olivia') }))).toMatchObject({
      code: 1,
      err: expect.stringContaining('not_found'),
    });
  });
});
