import { randomBytes } from 'node:crypto';
import { startFakeVault } from '@countersign/dev-env/fake-kms';
import { createApiWorld, type ApiWorld } from '@countersign/intake/testing';
import { EnvelopeSealer, Keyring, parseMasterKeys, rewrapAll } from '@countersign/keys';
import { loneLeaf } from '@countersign/core/flow';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';

let world: ApiWorld;
let database: pg.Client;
beforeAll(async () => {
  world = await createApiWorld();
  database = new pg.Client({ connectionString: world.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await world.close();
});

/** Every row of every table, as text: what a dump holds. */
async function dump(): Promise<string> {
  const { rows } = await database.query<{ table: string }>(
    `SELECT quote_ident(table_name) AS table FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
  );
  const parts: string[] = [];
  for (const { table } of rows) {
    const all = await database.query<{ row: string }>(`SELECT to_jsonb(t)::text AS row FROM ${table} t`);
    parts.push(`-- ${table}`, ...all.rows.map(({ row }) => row));
  }
  return parts.join('\n');
}

describe('what is at rest', () => {
  test('F1: a dump of the whole database holds none of the secrets of a full story', async () => {
    const admin = (method: string, to: string, body: object = {}) => world.call(method, to, { as: world.tokens.olivia, body });
    const rights = { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: ['*'], redeem: true };
    const made = (await admin('POST', '/v1/api-keys', { name: 'ci', owner: 'dana@example.com', rights })).json;
    const rotated = (await admin('POST', `/v1/api-keys/${made.id}/rotate`, { webhook_secret: true })).json;
    const header = `header-${randomBytes(8).toString('hex')}`;
    const endpoint = (await admin('POST', '/v1/endpoints', { url: 'https://hooks.example.com/x', events: ['outcome.settled'], headers: { 'X-Token': header } }))
      .json;
    const planted = { api_token: `ghp_${randomBytes(18).toString('hex')}`, password: `pw-${randomBytes(8).toString('hex')}` };
    const request = (await world.submit({ parameters: planted, callback: { url: `http://127.0.0.1:45679/hook` } }, { as: rotated.key })).json;
    expect(request.status).toBe('pending');
    await world.decide(world.tokens.alice, request, 'approve');
    const { grant } = (await world.call('GET', `/v1/action-requests/${request.id}`, { as: rotated.key })).json.outcome;
    expect(grant).toMatch(/\./);
    const { cookie } = await world.signIn('bob');
    const link = await world.signInToken('carol');

    const text = await dump();
    expect(text).toContain(request.id);
    const secrets = {
      key: made.key,
      'key after rotation': rotated.key,
      'webhook secret': made.webhook_secret,
      'webhook secret after rotation': rotated.webhook_secret,
      'endpoint secret': endpoint.secret,
      'endpoint header': header,
      'planted token': planted.api_token,
      'planted password': planted.password,
      grant,
      'signature of the grant': String(grant).split('.')[2] ?? '',
      'personal token': world.tokens.alice,
      session: cookie.split('=')[1] ?? '',
      'sign-in link': link,
    };
    for (const [what, secret] of Object.entries(secrets)) {
      expect({ what, length: secret.length > 8 }).toEqual({ what, length: true });
      // As it is, and as bytes are written.
      for (const form of [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64').replace(/=+$/, '')])
        expect({ what, found: text.includes(form) }).toEqual({ what, found: false });
    }
    expect(world.log()).not.toContain(planted.password);
  });

  test('every column of sealed values is one that a change of the master key reaches', async () => {
    const { rows } = await database.query<{ place: string }>(
      `SELECT table_name || '.' || column_name AS place FROM information_schema.columns WHERE table_schema = 'public' AND column_name LIKE 'sealed\\_%' ORDER BY 1`,
    );
    expect(world.store.rewraps.places().toSorted()).toEqual(rows.map(({ place }) => place));
  });
});

describe('a change of the master key', () => {
  test('re-wraps every value, goes on where it was interrupted, and lets the old key go; the service works all the while', async () => {
    // The world's own sealer stands for a replica that was started with the old key alone.
    const story = async () => {
      const request = (await world.submit()).json;
      await world.decide(world.tokens.alice, request, 'approve');
      return request.id as string;
    };
    const before = await story();
    const lone = await loneLeaf(world.flow, {
      tenant: 'default',
      event: 'keys.rewrapped',
      subject: 'x',
      at: world.flow.clock.now(),
      facts: {},
      details: { said: 'so' },
    });
    await world.store.requests.record('default', [lone]);

    const next = `k2:${randomBytes(32).toString('base64')}`;
    const sealer = new EnvelopeSealer(parseMasterKeys(`${next},${world.masterKey}`, {}));
    const stop = new AbortController();
    // Interrupted after the first batch of two.
    const first = await rewrapAll({ store: world.store.rewraps, sealer, batch: 2, signal: stop.signal, pause: async () => stop.abort() });
    expect(first.rewrapped).toBeGreaterThan(0);
    const during = await story();
    const second = await rewrapAll({ store: world.store.rewraps, sealer, batch: 50 });
    expect(second.failed).toEqual([]);
    const census = await world.store.rewraps.census();
    expect(census.filter(({ kid }) => kid !== null && kid !== 'k2')).toEqual([]);
    expect(census.find(({ place }) => place === 'action_requests.sealed_payload')?.count).toBeGreaterThan(1);

    // With the new key alone everything opens; with the old one alone nothing does.
    const alone = new EnvelopeSealer(parseMasterKeys(next, {}));
    for (const id of [before, during]) {
      const state = await world.store.requests.state('default', id);
      const context = { tenant: 'default', table: 'action_requests', row: id, column: 'sealed_payload' };
      expect((await alone.open(context, state?.request.sealed_payload ?? new Uint8Array())).length).toBeGreaterThan(100);
      await expect(world.flow.sealer.open(context, state?.request.sealed_payload ?? new Uint8Array())).rejects.toMatchObject({ code: 'unknown_master_key' });
    }
    const [leaf] = await world.store.requests.timeline('default', 'x');
    const opened = await alone.open(
      { tenant: 'default', table: 'ledger_leaves', row: lone.id, column: 'sealed_private' },
      leaf?.sealed_private ?? new Uint8Array(),
    );
    expect(Buffer.from(opened).toString()).toContain('so');
    expect(Buffer.from(leaf?.bytes ?? [])).toEqual(Buffer.from(lone.bytes));
    // And back, so that the world goes on.
    const back = await rewrapAll({ store: world.store.rewraps, sealer: new EnvelopeSealer(parseMasterKeys(`${world.masterKey},${next}`, {})) });
    expect(back.failed).toEqual([]);
    expect((await world.call('GET', `/v1/action-requests/${before}`, { as: world.key })).json.outcome.grant).toMatch(/\./);
  });
});

describe('a KMS', () => {
  test('I17: while it is gone nothing opens or is approved, and the answer says to try again', async () => {
    const vault = await startFakeVault();
    const kms = await createApiWorld({ sealer: new EnvelopeSealer(parseMasterKeys(vault.key, vault.environment, { keptMs: 0 })) });
    try {
      const request = await kms.pending();
      vault.mood = 'down';
      for (const reply of [
        await kms.submit(),
        await kms.decide(kms.tokens.alice, request, 'approve'),
        await kms.call('POST', '/v1/api-keys', {
          as: kms.tokens.olivia,
          body: { name: 'x', owner: 'dana@example.com', rights: { actors: ['*'], actions: ['*'] } },
        }),
      ]) {
        expect([reply.status, reply.json.code, reply.headers['retry-after']]).toEqual([503, 'unavailable', '2']);
      }
      vault.mood = 'well';
      expect((await kms.call('GET', `/v1/action-requests/${request.id}`, { as: kms.key })).json).toMatchObject({ status: 'pending', decisions: [] });
      expect((await kms.decide(kms.tokens.alice, request, 'approve')).status).toBe(201);
    } finally {
      await kms.close();
      await vault.close();
    }
  });

  test('a start finds a KMS that is gone, a key that is missing and one that is another, each in one line', async () => {
    const vault = await startFakeVault();
    const open = (text: string) =>
      Keyring.open({ store: world.store.signingKeys, sealer: new EnvelopeSealer(parseMasterKeys(text, vault.environment)), clock: world.flow.clock }).then(
        () => 'opened',
        (error: Error) => error.message,
      );
    try {
      expect(await open(world.masterKey)).toBe('opened');
      expect(await open(`k9:${randomBytes(32).toString('base64')}`)).toMatch(/^The master keyring has no key "test", under which this was sealed\.$/);
      expect(await open(`test:${randomBytes(32).toString('base64')}`)).toMatch(/^[^\n]+another key$/);
      expect(await open(vault.key)).toMatch(/^COUNTERSIGN_MASTER_KEY has no key "test"[^\n]*$/);
      // Moved into the KMS, and then it is gone.
      const moved = new EnvelopeSealer(parseMasterKeys(`${vault.key},${world.masterKey}`, vault.environment));
      await rewrapAll({ store: world.store.rewraps, sealer: moved });
      expect(await open(vault.key)).toBe('opened');
      vault.mood = 'down';
      expect(await open(vault.key)).toBe('Vault does not answer.');
      vault.mood = 'well';
      await rewrapAll({ store: world.store.rewraps, sealer: new EnvelopeSealer(parseMasterKeys(`${world.masterKey},${vault.key}`, vault.environment)) });
    } finally {
      await vault.close();
    }
  });
});
