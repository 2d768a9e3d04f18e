import { createPublicKey, verify } from 'node:crypto';
import { ledgerKeysSchema, rotatedKeySchema } from '@countersign/contracts';
import { open as submit } from '@countersign/core/flow';
import { integrate, verifyCheckpoint } from '@countersign/core/ledger';
import { formatInstant } from '@countersign/core/request';
import { grantVerifier, Keyring } from '@countersign/keys';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { type ApiWorld, createApiWorld, EXPORT, type Reply } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

const { action, resource, parameters, actor, environment } = EXPORT;
const codeOf = ({ status, json }: Reply): string => `${status} ${json?.code ?? ''}`.trim();
const rotate = (purpose: unknown, as = world.tokens.olivia) => world.call('POST', '/v1/keys/rotate', { as, body: { purpose } });
const jwks = async () => (await world.call('GET', '/.well-known/jwks.json')).json;

async function approved(): Promise<string> {
  const request = await world.pending();
  await world.decide(world.tokens.alice, request, 'approve');
  return (await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key })).json.outcome.grant;
}
const redeem = (grant: string) =>
  world.call('POST', '/v1/grants/redeem', { as: world.key, body: { grant, action: { action, resource, parameters, actor, environment } } });

describe('rotating keys', () => {
  test('I8: what the old key signed verifies and is redeemed, and the new one signs', async () => {
    const before = await approved();
    const reply = await rotate('outcome');
    expect(reply.status).toBe(200);
    expect(rotatedKeySchema.parse(reply.json)).toEqual(reply.json);
    const after = await approved();
    const kidOf = (grant: string): string => JSON.parse(Buffer.from(grant.split('.')[0] ?? '', 'base64url').toString()).kid;
    expect([kidOf(before), kidOf(after)]).toEqual([reply.json.retired, reply.json.active]);
    const keys = createLocalJWKSet(await jwks());
    for (const grant of [before, after]) {
      expect((await jwtVerify(grant, keys, { typ: 'approval-grant+jwt', issuer: world.url, audience: world.url })).payload.jti).toMatch(/^gr_/);
      expect(codeOf(await redeem(grant))).toBe('200');
    }
  });

  test('E1: a rotation is in the ledger, with who did it', async () => {
    const { json } = await rotate('outcome');
    const [leaf] = await world.store.requests.timeline('default', json.active);
    const { facts, event } = JSON.parse(Buffer.from(leaf?.bytes ?? []).toString());
    expect({ event, facts }).toEqual({ event: 'key.rotated', facts: { purpose: 'outcome', retired: json.retired, active: json.active, via: 'api' } });
    const opened = await world.flow.sealer.open(
      { tenant: 'default', table: 'ledger_leaves', row: leaf?.id ?? '', column: 'sealed_private' },
      leaf?.sealed_private ?? new Uint8Array(),
    );
    expect(JSON.parse(Buffer.from(opened).toString()).details).toEqual({ by: world.people.olivia.id });
  });

  test('C4: only administrators rotate, by a credential that says so', async () => {
    const active = world.keyring.signer('outcome').kid;
    expect(codeOf(await rotate('outcome', world.tokens.alice))).toBe('403 forbidden');
    expect(codeOf(await rotate('outcome', await world.newToken('alice', ['read', 'decide', 'admin'])))).toBe('403 forbidden');
    expect(codeOf(await rotate('outcome', await world.newToken('olivia', ['read', 'decide'])))).toBe('403 forbidden');
    expect(codeOf(await rotate('outcome', world.key))).toBe('403 forbidden');
    expect(await world.call('POST', '/v1/keys/rotate', { body: { purpose: 'outcome' } })).toMatchObject({ status: 401 });
    for (const purpose of ['master', '', null]) expect(codeOf(await rotate(purpose))).toBe('422 invalid_body');
    expect(world.keyring.signer('outcome').kid).toBe(active);
  });

  test('I8: of rotations at once one happens', async () => {
    const count = (await jwks()).keys.length;
    const sealer = world.flow.sealer;
    const clock = { now: () => formatInstant(Date.now()) };
    const keyrings = await Promise.all(Array.from({ length: 4 }, () => Keyring.open({ store: world.store.signingKeys, sealer, clock })));
    // Each has read the same active key before any writes: the store lets one of them replace it.
    const retired = world.keyring.signer('outcome').kid;
    const made = await Promise.all(keyrings.map((keyring) => keyring.rotate('outcome', { tenant: 'default', by: 'test', via: 'cli' })));
    await world.keyring.refresh();
    expect((await jwks()).keys.length - count).toBe(new Set(made.map(({ active }) => active)).size);
    expect(made.some((each) => each.retired === retired)).toBe(true);
    for (const keyring of keyrings) await keyring.refresh();
    expect(new Set(keyrings.map((keyring) => keyring.signer('outcome').kid)).size).toBe(1);
    const rows = (await world.store.signingKeys.list()).filter(({ purpose }) => purpose === 'outcome');
    expect(rows.filter(({ retired_at }) => retired_at === null)).toHaveLength(1);
  });

  test('I8: while two processes sign and one rotates, every signature verifies in both, and by the published keys', async () => {
    const sealer = world.flow.sealer;
    const clock = { now: () => formatInstant(Date.now()) };
    const open = () => Keyring.open({ store: world.store.signingKeys, sealer, clock });
    const [here, there] = [await open(), await open()];
    const tokens: string[] = [];
    const work = { rotating: true };
    const flows = [here, there].map((keyring) => ({ ...world.flow, signer: () => keyring.signer('outcome'), verifyGrant: grantVerifier(keyring) }));
    const caller = {
      tenant: 'default',
      key_id: (await world.call('GET', '/v1/me', { as: world.key })).json.id as string,
      name: 'pipeline',
      owner: world.people.dana.id,
    }; // meSchema
    const rights = { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: ['*'], redeem: true };
    const authenticated = { issuer: world.url, method: 'api_key' as const, at: clock.now() };
    let number = 0;
    const signing = flows.map(async (flow) => {
      while (work.rotating) {
        number += 1;
        const opened = await submit(flow, {
          caller: { ...caller, rights, authenticated },
          submission: { action: 'docs.read', resource: { type: 'page', id: String(number) }, actor: { type: 'agent', id: 'reader' } },
          idempotency_key: `rotation-${number}-${process.pid}`,
          fingerprint: `sha256:${'0'.repeat(64)}`,
        });
        if (opened.kind === 'opened') tokens.push(opened.answer.outcome?.grant ?? '');
      }
    });
    for (let times = 0; times < 5; times += 1) {
      const enough = tokens.length + 10;
      await here.rotate('outcome', { tenant: 'default', by: 'test', via: 'cli' });
      while (tokens.length < enough) await new Promise((resolve) => setImmediate(resolve));
    }
    work.rotating = false;
    await Promise.all(signing);
    await world.keyring.refresh();
    const keys = createLocalJWKSet(await jwks());
    const kids = new Set<string>();
    for (const token of tokens) {
      kids.add((await jwtVerify(token, keys, { typ: 'approval-grant+jwt' })).protectedHeader.kid ?? '');
      for (const flow of flows) expect(await flow.verifyGrant(token)).not.toBeNull();
    }
    expect(kids.size).toBeGreaterThanOrEqual(5);
  }, 60_000);

  test('I11, E2: a log goes on under a new key, and its checkpoints verify with the keys that are listed', async () => {
    await world.pending();
    await world.sequence();
    const first = (await world.call('GET', '/ledger/default/checkpoint')).text;
    await rotate('checkpoint');
    await world.sequence();
    const second = (await world.call('GET', '/ledger/default/checkpoint')).text;
    expect(second).not.toBe(first);
    const { status, json } = await world.call('GET', '/ledger/default/keys');
    expect(status).toBe(200);
    expect(ledgerKeysSchema.parse(json)).toEqual(json);
    expect(json.keys.map(({ retired }: { retired: boolean }) => retired)).toEqual([true, false]);
    expect((await world.call('GET', '/ledger/default/vkey')).text.trimEnd().split('\n')).toEqual(json.keys.map(({ vkey }: { vkey: string }) => vkey));
    const verifyWith = (note: string, vkeys: string[]) =>
      verifyCheckpoint(note, {
        origin: json.origin,
        vkeys,
        verify: (key, message, signature) =>
          verify(null, message, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') }, format: 'jwk' }), signature),
      });
    const [old, active] = json.keys.map(({ vkey }: { vkey: string }) => vkey);
    for (const note of [first, second]) expect(await verifyWith(note, [old, active])).toMatchObject({ ok: true });
    expect(await verifyWith(first, [old])).toMatchObject({ ok: true });
    expect(await verifyWith(second, [active])).toMatchObject({ ok: true });
    expect(await verifyWith(second, [old])).toMatchObject({ ok: false });
    expect(await world.call('GET', '/ledger/nobody/keys')).toMatchObject({ status: 404 });
    expect(
      await world.store.ledger.sequence('default', 1000, (tail) => integrate(tail, { origin: json.origin, signer: world.keyring.signer('checkpoint') })),
    ).toBe(0);
  });
});
