import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld, type Reply } from '../testing/api-world.js';

const pack = readFileSync(new URL('../../../../policies/production-databases/policy.yaml', import.meta.url), 'utf8');
/** More actions with facts, beside those of the pack. */
const ACTIONS = `
    ops.run: { parameters: { command: string }, facts: { shell: { from: parameters.command } } }
    net.fetch: { parameters: { url: string, method: string?, headers: any? }, facts: { http: { url: parameters.url, method: parameters.method, headers: parameters.headers } } }
    file.write: { parameters: { path: string }, facts: { path: { from: parameters.path, root: /srv/app } } }
`;
const RULES = `
  - { id: look, effect: allow, actions: [ops.run], when: '!facts.shell.opaque && !facts.shell.privileged && facts.shell.programs.all(p, p in ["ls", "cat", "grep"])' }
  - { id: no-rm, effect: deny, actions: [ops.run], when: '"rm" in facts.shell.programs' }
  - { id: fetch, effect: allow, actions: [net.fetch], when: 'facts.http.safe && !facts.http.private && facts.http.host == "api.example.com"' }
  - { id: no-inside, effect: deny, actions: [net.fetch], when: facts.http.private }
  - { id: write, effect: allow, actions: [file.write], when: facts.path.inside && !facts.path.sensitive }
  - { id: no-system, effect: deny, actions: [file.write], when: facts.path.system }
`;

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld({
    policy: () =>
      pack
        // The tests decide over the API, which policy has to name.
        .replace('\n  timeout: 4h\n', '\n  timeout: 4h\n  via: [api]\n')
        .replace(/\ncoverage:[\s\S]*$/, '\n')
        .replace('\n  actions:\n', `\n    - { type: host, id: '*' }\n  actions:${ACTIONS}`)
        .replace('\nrules:\n', `\nrules:${RULES}`),
  });
});
afterAll(() => world.close());

const ask = (action: string, parameters: object, more: object = {}): Promise<Reply> =>
  world.submit({ action, resource: { type: 'host', id: 'h1' }, environment: undefined, parameters, ...more });
const query = (statement: unknown, more: object = {}): Promise<Reply> =>
  ask('db.query', { statement }, { resource: { type: 'database', id: 'prod-shop' }, ...more });
const outcomeOf = ({ status, json }: Reply): unknown[] => [status, json.status, json.evaluation?.rules];

describe('B1: facts that our own parsers compute decide on the running product', () => {
  test('B1: a read passes, a change asks an owner by the group that the one of the pack includes, a DROP is denied', async () => {
    expect(outcomeOf(await query('SELECT id FROM orders WHERE id = 7'))).toEqual([201, 'approved', ['reads']]);
    const change = await query("UPDATE orders SET state = 'paid' WHERE id = 7");
    expect(outcomeOf(change)).toEqual([201, 'pending', ['changes']]);
    expect((await world.decide(world.tokens.alice, change.json, 'approve')).status).toBe(201);
    expect((await world.call('GET', `/v1/action-requests/${change.json.id}`, { as: world.key })).json.status).toBe('approved');
    expect(outcomeOf(await query('SELECT 1 /* x */; DROP TABLE orders'))).toEqual([201, 'denied', ['no-destruction']]);
    expect(outcomeOf(await query('WITH d AS (DELETE FROM orders WHERE id = 1 RETURNING *) SELECT * FROM d'))).toEqual([201, 'pending', ['changes']]);
  });

  test('B1: what a caller says beside the statement changes nothing', async () => {
    const said = { reason: 'read only', context: { facts: { sql: { writes: false } }, statement: 'SELECT 1' }, environment: 'production' };
    expect(outcomeOf(await query('DELETE FROM orders', said))).toEqual([201, 'denied', ['no-unfiltered-change']]);
    // Labels that a caller adds are no facts either.
    expect(outcomeOf(await query('DROP TABLE orders', { resource: { type: 'database', id: 'prod-shop', labels: { readonly: 'yes' } } }))).toEqual([
      201,
      'denied',
      ['no-destruction'],
    ]);
  });

  test('A5: what cannot be read for certain never passes', async () => {
    for (const statement of [
      'SELEKT 1',
      '',
      "SELECT '\\'; DROP TABLE orders; --'",
      `SELECT ${'('.repeat(5_000)}1`,
      `SELECT ${'not '.repeat(4_000)}true`,
      'DO $$ BEGIN DELETE FROM orders; END $$',
      null,
      7,
      ['SELECT 1'],
      { toString: 'SELECT 1' },
    ]) {
      const reply = await query(statement);
      expect([statement, reply.json.status === 'approved']).toEqual([statement, false]);
    }
    expect(outcomeOf(await query('SELECT id FROM orders'))).toEqual([201, 'approved', ['reads']]);
  });

  test('B1: command lines, HTTP requests and paths', async () => {
    expect(outcomeOf(await ask('ops.run', { command: 'ls -l | grep x' }))).toEqual([201, 'approved', ['look']]);
    for (const command of ['ls; rm x', 'ls $(rm x)', 'env -S "rm x"', 'sh -c "rm x"', "r''m x", '$cmd x'])
      expect([command, (await ask('ops.run', { command })).json.status]).toEqual([command, 'denied']);
    expect((await ask('ops.run', { command: 'curl x | sh' })).json.status).toBe('pending');
    expect(outcomeOf(await ask('net.fetch', { url: 'https://API.example.com/v1' }))).toEqual([201, 'approved', ['fetch']]);
    expect((await ask('net.fetch', { url: 'https://api.example.com/v1', method: 'DELETE' })).json.status).toBe('pending');
    for (const url of ['http://169.254.169.254/latest', 'http://0x7f.1/', 'http://[::ffff:10.0.0.1]/', 'https://api.example.com\\@evil.example/'])
      expect([url, (await ask('net.fetch', { url })).json.status]).toEqual([url, 'denied']);
    expect((await ask('net.fetch', { url: 'https://api.example.com@evil.example/' })).json.status).toBe('pending');
    expect((await ask('net.fetch', { url: 'https://api.example.com/', headers: { 'X-HTTP-Method-Override': 'DELETE' } })).json.status).toBe('denied');
    expect(outcomeOf(await ask('file.write', { path: 'data/x.csv' }))).toEqual([201, 'approved', ['write']]);
    for (const path of ['/etc/passwd', '../../../etc/passwd', 'a\\..\\..\\b', '．．/x'])
      expect([path, (await ask('file.write', { path })).json.status]).toEqual([path, 'denied']);
  });

  test('B1: the explanation names what was computed, and why it could not be', async () => {
    const denied = await query('SELEKT 1');
    expect(denied.json.evaluation.explanation).toContain('could not be checked: facts.sql cannot be told: the statement is not SQL of PostgreSQL');
    expect(denied.json.evaluation.explanation).not.toContain('SELEKT');
  });
});
