import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from '@countersign/cli';
import { freePort } from '@countersign/dev-env/free-port';
import { type Running, start } from '@countersign/server';
import { readConfig } from '@countersign/service';
import { findEmbeddedServer } from '@countersign/store';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import pg from 'pg';
import { type Api, apiOf, EXPORT } from './support/api.js';
import { exampleFiles } from './support/installation.js';
import { until } from './support/until.js';

/*
 * Who runs Countersign controls it from a terminal: freezes, policies, and changes that a second administrator approves; the workers of the
 * real server put them into effect, and the auditor's check holds all of it against the ledger.
 */
jest.setTimeout(120_000);

let home: string;
let running: Running;
let api: Api;
let owner: pg.Client;
let quickstart: string;

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'countersign-control-'));
  quickstart = await readFile(path.join(exampleFiles, 'policy.yaml'), 'utf8');
  const people = await readFile(path.join(exampleFiles, 'directory.yaml'), 'utf8');
  await writeFile(path.join(home, 'directory.yaml'), people.replace('name: Carol Chen\n', 'name: Carol Chen\n    roles: [administrator]\n'));
  const port = await freePort();
  const read = readConfig({ COUNTERSIGN_HOME: home, PORT: String(port), LOG_LEVEL: 'silent', COUNTERSIGN_POLICY_POLL_SECONDS: '1' });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  running = await start(read.config);
  api = apiOf(port, `localhost:${port}`);
  owner = new pg.Client({ connectionString: (await findEmbeddedServer(home))?.ownerUrl });
  owner.on('error', () => {});
  await owner.connect();
});

afterAll(async () => {
  await owner?.end();
  await running?.shutdown.stop('the test is over');
  running?.shutdown.release();
  await rm(home, { recursive: true, force: true });
});

const key = (): string => running.quickstart?.api_key ?? '';
const as = (name: string): string => running.quickstart?.people[`${name}@example.com`]?.token ?? '';

/** Runs `countersign …` as one of the example people. */
async function countersign(name: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: [string[], string[]] = [[], []];
  const terminal = {
    env: {},
    cwd: home,
    out: (line: string) => void out.push(line),
    err: (line: string) => void err.push(line),
    stdin: () => Promise.resolve(new Uint8Array()),
  };
  const code = await run([...args, '--home', home, ...(name === '' ? [] : ['--as', `${name}@example.com`])], terminal);
  return { code, out: out.join('\n'), err: err.join('\n') };
}
const submit = (members: object = {}) => api.submit(key(), { ...EXPORT, ...members });
const bundle = async (name: string, text: string): Promise<string> => {
  await writeFile(path.join(home, name), text);
  return name;
};
const stricter = (number: number): string => `${quickstart}\n  - id: no-${number}\n    effect: deny\n    actions: [thing.${number}]\n    explain: Never\n`;
const looser = (): string => quickstart.replace('actions: [data.export]', 'actions: [data.export.other]');

describe('A6: freezing from a terminal', () => {
  test('A6: one command freezes, the list shows it, who placed it does not lift it, a second person does', async () => {
    const placed = await countersign('olivia', 'freeze', '--actor', 'retrainer', '--reason', 'It loops', '--for', '1h');
    expect([placed.code, placed.err]).toEqual([0, '']);
    const id = /fz_[0-9a-f-]{36}/.exec(placed.out)?.[0] ?? '';
    expect((await submit()).status).toBe(423);
    expect((await countersign('dana', 'freezes')).out).toContain(`${id}  actor retrainer  (Olivia Owens`);
    const own = await countersign('olivia', 'unfreeze', id);
    expect([own.code, own.err]).toEqual([1, expect.stringContaining('second_person_needed')]);
    const stranger = await countersign('bob', 'unfreeze', id);
    expect([stranger.code, stranger.err]).toEqual([1, expect.stringContaining('forbidden')]);
    const lifted = await countersign('carol', 'unfreeze', id, '--reason', 'Mended');
    expect([lifted.code, lifted.out]).toEqual([0, expect.stringContaining('lifted by Carol Chen')]);
    expect((await countersign('dana', 'freezes')).out).toBe('Nothing is frozen.');
    expect((await submit()).status).toBe(201);
  });

  test.each([
    [['--reason', 'x']],
    [['--everything', '--actor', 'x', '--reason', 'x']],
    [['--everything']],
    [['--everything', '--reason', 'x', '--for', 'soon']],
  ])('A6: a command that does not say what, why or how long is refused: %j', async (args) => {
    const refused = await countersign('olivia', 'freeze', ...args);
    expect([refused.code, refused.out]).toEqual([2, '']);
  });

  test('A6: a freeze whose time is over is ended by the worker', async () => {
    const placed = await countersign('olivia', 'freeze', '--action', 'never.*', '--reason', 'Short', '--for', '1s');
    const id = /fz_[0-9a-f-]{36}/.exec(placed.out)?.[0] ?? '';
    await until(async () => (await api.call('GET', `/v1/freezes/${id}`, { as: as('dana') })).json.lifted_at !== null, 'the worker to end the freeze', 30_000);
    expect((await api.call('GET', `/v1/freezes/${id}`, { as: as('dana') })).json).toMatchObject({ state: 'over', lifted_by: null });
  });
});

describe('B1: policies from a terminal', () => {
  test('B1: what tightens is in force at once; what may loosen waits for another administrator, and the worker puts it in force', async () => {
    await submit();
    const tightened = await countersign('olivia', 'policy', 'activate', await bundle('one.yaml', stricter(1)), '--reason', 'Never that');
    expect([tightened.code, tightened.err]).toEqual([0, '']);
    expect((await submit({ action: 'thing.1' })).json.status).toBe('denied');

    const waits = await countersign('olivia', 'policy', 'activate', await bundle('loose.yaml', looser()));
    expect(waits.code).toBe(1);
    expect(waits.out).toContain('may loosen: The rule no-1 was removed.');
    const change = (await api.call('GET', '/v1/config-changes?state=proposed', { as: as('carol') })).json.data[0];
    const request = (await api.call('GET', `/v1/action-requests/${change.action_request}`, { as: as('carol') })).json;
    expect((await api.decide(as('olivia'), request, 'approve')).json.code).toBe('self_approval');
    expect((await api.decide(as('carol'), request, 'approve')).status).toBe(201);
    await until(
      async () => (await api.call('GET', `/v1/config-changes/${change.id}`, { as: as('carol') })).json.state === 'applied',
      'the worker to apply the change',
      30_000,
    );
    expect((await countersign('carol', 'policy', 'history')).out.split('\n')[0]).toMatch(/olivia@example\.com, approved by carol@example\.com.*\(in force\)/);
    expect((await submit()).json.status).toBe('approved');

    const back = await countersign('carol', 'policy', 'rollback', '--reason', 'Too loose');
    expect([back.code, back.out]).toEqual([1, expect.stringContaining('waits for the approval')]);
  });

  test('B1: a bad bundle is refused with its place, a stranger too', async () => {
    const bad = await countersign('olivia', 'policy', 'activate', await bundle('bad.yaml', quickstart.replace('effect: deny', 'effect: refuse')));
    expect([bad.code, bad.err]).toEqual([1, expect.stringMatching(/policy_invalid.*bad\.yaml:\d+:\d+: /s)]);
    expect((await countersign('dana', 'policy', 'activate', 'one.yaml')).code).toBe(1);
    expect((await countersign('olivia', 'policy', 'activate', 'nowhere.yaml')).code).toBe(2);
  });

  test('B1: the file of the configuration is taken over when it changes; what is wrong with it is shown', async () => {
    await writeFile(path.join(home, 'policy.yaml'), stricter(2));
    await until(async () => (await submit({ action: 'thing.2' })).json.status === 'denied', 'the changed file to be in force', 30_000);
    await writeFile(path.join(home, 'policy.yaml'), 'rules: [');
    await until(async () => (await countersign('olivia', 'policy', 'status')).out.includes('fails since'), 'the bad file to be seen', 30_000);
    const status = await countersign('olivia', 'policy', 'status', '--sync');
    expect([status.code, status.out]).toEqual([1, expect.stringMatching(/policy\.yaml:\d+:\d+: /)]);
    expect((await submit({ action: 'thing.2' })).json.status).toBe('denied');
    await writeFile(path.join(home, 'policy.yaml'), stricter(2));
    expect((await countersign('olivia', 'policy', 'status', '--sync')).code).toBe(0);
  });
});

describe('B6: approving alike on the running server', () => {
  test('B6: an approver lets the same be asked again, and takes it back', async () => {
    const rule = `
  - id: restarts
    effect: require
    actions: [service.restart]
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1 }]
      via: [api]
      alike: { pin: [parameters.service], max_uses: 5, max_ttl: 1d }
`;
    await writeFile(path.join(home, 'policy.yaml'), `${stricter(2)}${rule}`);
    expect((await countersign('olivia', 'policy', 'status', '--sync')).code).toBe(0);
    const ask = () => submit({ action: 'service.restart', resource: { type: 'service', id: 'billing' }, parameters: { service: 'billing' } });
    const first = (await ask()).json;
    const body = { verdict: 'approve', request_digest: first.request_digest, alike: { pin: ['parameters.service'], uses: 3, ttl_seconds: 600 } };
    expect((await api.call('POST', `/v1/action-requests/${first.id}/decisions`, { as: as('alice'), body })).status).toBe(201);
    const again = (await ask()).json;
    expect(again).toMatchObject({ status: 'approved', pattern: { action_request: first.id, use: 1, uses: 3 } });
    expect((await api.call('DELETE', `/v1/patterns/${again.pattern.id}`, { as: as('bob') })).status).toBe(200);
    expect((await ask()).json.status).toBe('pending');
  });
});

describe('E1: the auditor’s check', () => {
  const verify = async () => {
    const { out, err } = await countersign('', 'ledger', 'verify', '--json');
    if (out === '') throw new Error(err);
    return JSON.parse(out);
  };
  test('E1: freezes, activations and changes are as they were logged', async () => {
    await until(async () => (await verify()).waiting === 0, 'every leaf to have its place', 30_000);
    const { findings, rows } = await verify();
    expect(findings).toEqual([]);
    expect(rows).toMatchObject({ freezes: 2, patterns: 1, config_changes: 2, policy_activations: expect.any(Number) });
  });

  test.each([
    ['freezes', `UPDATE freezes SET lifted_by = placed_by WHERE lifted_by IS NOT NULL`, 'lifted_by'],
    ['freezes', `UPDATE freezes SET reason = 'Another'`, 'reason'],
    ['freezes', `UPDATE freezes SET expires_at = NULL`, 'expires_at'],
    ['freezes', `UPDATE freezes SET actor_people = '{per_x}' WHERE actor_fold IS NOT NULL`, 'actor_people'],
    ['freezes', `UPDATE freezes SET action_like = 'nothing' WHERE action_like IS NOT NULL`, 'actor_fold, caller or action_like'],
    ['freezes', `UPDATE freezes SET actor_fold = 'nobody' WHERE actor_fold IS NOT NULL`, 'actor_fold, caller or action_like'],
    ['patterns', `UPDATE patterns SET used = 0`, 'used'],
    ['patterns', `UPDATE patterns SET uses = 100`, 'uses'],
    ['patterns', `UPDATE patterns SET revoked_at = NULL, revoked_by = NULL`, 'revoked_at'],
    ['config_changes', `UPDATE config_changes SET state = 'applied'`, 'state'],
    ['policy_activations', `UPDATE policy_activations SET activated_by = 'somebody'`, 'activated_by'],
  ])('E1: a row of %s that somebody changed is named: %s', async (table, sql, column) => {
    await owner.query('BEGIN');
    await owner.query(`CREATE TEMPORARY TABLE kept ON COMMIT PRESERVE ROWS AS SELECT * FROM ${table}`);
    await owner.query(sql);
    await owner.query('COMMIT');
    try {
      expect((await verify()).findings).toContainEqual(expect.objectContaining({ table, column }));
    } finally {
      // The workers of the running server never see the table empty.
      await owner.query(`BEGIN; DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM kept; DROP TABLE kept; COMMIT`);
    }
    expect((await verify()).findings).toEqual([]);
  });
});
