import { describe, expect, test } from '@jest/globals';
import { signGrant } from '@countersign/core/outcome';
import type { Clock } from '@countersign/core/ports';
import { canonicalJson, formatInstant } from '@countersign/core/request';
import { calculateJwkThumbprint } from 'jose';
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { signerOf } from './ed25519.js';
import { grantVerifier } from './grant-verifier.js';
import { Keyring } from './keyring.js';
import { signingPurposes } from './signing-purposes.js';
import { parseMasterKeyring } from './master-keyring.js';
import { EnvelopeSealer } from './sealer.js';
import type { SigningKeyStore, StoredSigningKey } from '@countersign/core/ports';

const newSealer = (): EnvelopeSealer => new EnvelopeSealer(parseMasterKeyring(`k1:${randomBytes(32).toString('base64')}`));

/** The port's contract in memory: an insert does nothing where its purpose has a key that is not retired. */
class Rows implements SigningKeyStore {
  rows: StoredSigningKey[] = [];
  async list(): Promise<StoredSigningKey[]> {
    return this.rows.map((row) => ({ ...row }));
  }
  async insert(key: StoredSigningKey): Promise<void> {
    if (!this.rows.some((row) => row.purpose === key.purpose && row.retired_at === null)) this.rows.push(key);
  }
  async rotate({ retired, successor }: Parameters<SigningKeyStore['rotate']>[0]): Promise<{ changed: boolean }> {
    const old = this.rows.find((row) => row.kid === retired && row.purpose === successor.purpose && row.retired_at === null);
    if (old === undefined) return { changed: false };
    old.retired_at = successor.created_at;
    this.rows.push(successor);
    return { changed: true };
  }
  retire(purpose: string): void {
    for (const row of this.rows) if (row.purpose === purpose) row.retired_at ??= '2026-11-21T13:00:00.000Z';
  }
}

function clockAt(start: number): Clock & { ms: number } {
  return {
    ms: start,
    now() {
      return formatInstant(this.ms);
    },
  };
}

const NOON = Date.UTC(2026, 10, 21, 12);

describe('the keyring', () => {
  test('makes a key for each purpose, and finds them again', async () => {
    const [store, sealer, clock] = [new Rows(), newSealer(), clockAt(NOON)];
    const first = await Keyring.open({ store, sealer, clock });
    const again = await Keyring.open({ store, sealer, clock });
    expect(store.rows).toHaveLength(signingPurposes.length);
    expect(first.signer('outcome').kid).not.toBe(first.signer('checkpoint').kid);
    for (const purpose of signingPurposes) {
      expect(again.signer(purpose).kid).toBe(first.signer(purpose).kid);
      expect(await again.signer(purpose).sign(Uint8Array.of(1))).toEqual(await first.signer(purpose).sign(Uint8Array.of(1)));
    }
  });

  test('of processes that start at once, whatever their clocks and the order of their steps, all sign with the same keys', async () => {
    const sealer = newSealer();
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(fc.integer({ min: -5_000, max: 5_000 }), { minLength: 2, maxLength: 4 }), async (scheduler, skews) => {
        const rows = new Rows();
        const store: SigningKeyStore = {
          list: scheduler.scheduleFunction(() => rows.list()),
          insert: scheduler.scheduleFunction((key: StoredSigningKey) => rows.insert(key)),
          rotate: (rotation) => rows.rotate(rotation),
        };
        const opening = Promise.all(skews.map((skew) => Keyring.open({ store, sealer, clock: clockAt(NOON + skew) })));
        const keyrings = await scheduler.waitFor(opening);
        for (const purpose of signingPurposes) expect(new Set(keyrings.map((keyring) => keyring.signer(purpose).kid)).size).toBe(1);
      }),
      { numRuns: 40 },
    );
  });

  test('of several keys that are not retired the earliest signs, then the one whose kid comes first', async () => {
    const [sealer, clock] = [newSealer(), clockAt(NOON)];
    const rowsAt = async (ms: number): Promise<StoredSigningKey[]> => {
      const store = new Rows();
      await Keyring.open({ store, sealer, clock: clockAt(ms) });
      return store.rows;
    };
    const store = new Rows();
    const [late, early, alsoEarly] = [await rowsAt(NOON + 1), await rowsAt(NOON), await rowsAt(NOON)];
    store.rows = [...late, ...early, ...alsoEarly];
    const expected = [...early, ...alsoEarly]
      .filter(({ purpose }) => purpose === 'outcome')
      .map(({ kid }) => kid)
      .toSorted()[0];
    expect((await Keyring.open({ store, sealer, clock })).signer('outcome').kid).toBe(expected);
  });

  test('a retired key signs no more, and verifies for ever', async () => {
    const [store, sealer, clock] = [new Rows(), newSealer(), clockAt(NOON)];
    const keyring = await Keyring.open({ store, sealer, clock });
    const old = keyring.signer('outcome');
    store.retire('outcome');
    await keyring.refresh();
    const next = keyring.signer('outcome');
    expect(next.kid).not.toBe(old.kid);
    expect(
      keyring
        .publicKeys('outcome')
        .map(({ kid }) => kid)
        .toSorted(),
    ).toEqual([old.kid, next.kid].toSorted());
    const { keys } = keyring.jwks();
    expect(keys.map(({ kid }) => kid).toSorted()).toEqual([old.kid, next.kid].toSorted());
    for (const key of keys) expect(await calculateJwkThumbprint({ ...key })).toBe(key.kid);
    expect(JSON.stringify(keyring.jwks())).not.toContain('"d"');
  });

  test('refuses to open under another master key', async () => {
    const [store, clock] = [new Rows(), clockAt(NOON)];
    await Keyring.open({ store, sealer: newSealer(), clock });
    await expect(Keyring.open({ store, sealer: newSealer(), clock })).rejects.toMatchObject({ code: 'not_opened' });
    expect(store.rows).toHaveLength(signingPurposes.length);
  });

  test('who can write the rows, but has not the master key, can add no key and change no purpose', async () => {
    const [store, sealer, clock] = [new Rows(), newSealer(), clockAt(NOON)];
    await Keyring.open({ store, sealer, clock });
    const good = store.rows;
    const [outcome, checkpoint] = good;
    if (outcome === undefined || checkpoint === undefined) throw new Error('two rows were made');
    const stranger = signerOf(randomBytes(32));
    const attempts: StoredSigningKey[] = [
      { ...outcome, kid: stranger.kid, public_key: stranger.publicKey, retired_at: outcome.created_at },
      { ...outcome, kid: stranger.kid, public_key: stranger.publicKey, sealed_private_key: randomBytes(120) },
      { ...outcome, public_key: stranger.publicKey },
      { ...checkpoint, purpose: 'outcome' },
      { ...outcome, sealed_private_key: checkpoint.sealed_private_key },
      { ...outcome, algorithm: 'RSA' },
    ];
    for (const attempt of attempts) {
      store.rows = [...good.filter(({ kid }) => kid !== attempt.kid), attempt];
      await expect(Keyring.open({ store, sealer, clock })).rejects.toMatchObject({ name: 'KeysError' });
    }
  });
});

describe('checking grants', () => {
  const digest = `sha256:${'ab'.repeat(32)}`;
  const id = '0192f0c1-7d3a-7c5e-8a11-2b6f0e9d4c55';
  const claims = {
    iss: 'i',
    aud: 'a',
    jti: `gr_${id}`,
    iat: 1,
    exp: 2,
    tenant: 'default',
    action_request: `ar_${id}`,
    act_digest: digest,
    request_digest: digest,
    policy_digest: digest,
  };

  test('D1: our grants verify, those of retired keys too, and of keys that another process has just made', async () => {
    const [store, sealer, clock] = [new Rows(), newSealer(), clockAt(NOON)];
    const here = await Keyring.open({ store, sealer, clock });
    const check = grantVerifier(here);
    const old = await signGrant(claims, here.signer('outcome'));
    expect(await check(old)).toEqual(claims);

    store.retire('outcome');
    const there = await Keyring.open({ store, sealer, clock });
    const fresh = await signGrant(claims, there.signer('outcome'));
    // Though this keyring looked a moment ago.
    expect(await check(fresh)).toEqual(claims);
    expect(await check(old)).toEqual(claims);
  });

  test('D1: kids that nobody knows do not make it look without end', async () => {
    const [rows, sealer, clock] = [new Rows(), newSealer(), clockAt(NOON)];
    let looks = 0;
    const list = rows.list.bind(rows);
    rows.list = () => {
      looks += 1;
      return list();
    };
    const keyring = await Keyring.open({ store: rows, sealer, clock });
    const check = grantVerifier(keyring);
    const stranger = signerOf(randomBytes(32));
    const before = looks;
    for (let tries = 0; tries < 100; tries++) expect(await check(await signGrant(claims, stranger))).toBeNull();
    expect(looks - before).toBe(10);
    clock.ms += 5_000;
    expect(await check(await signGrant(claims, stranger))).toBeNull();
    expect(looks - before).toBe(11);
  });

  test('I9: what a key signs long after it was retired is no grant, for whoever stole it', async () => {
    const [store, sealer, clock] = [new Rows(), newSealer(), clockAt(NOON)];
    const keyring = await Keyring.open({ store, sealer, clock });
    const check = grantVerifier(keyring);
    const old = keyring.signer('outcome');
    await keyring.rotate('outcome', { tenant: 'default', by: 'per_1', via: 'api' });
    const at = (seconds: number) => ({ ...claims, iat: NOON / 1000 + seconds, exp: NOON / 1000 + seconds + 300 });
    for (const seconds of [-600, 0, 120]) expect(await check(await signGrant(at(seconds), old))).toEqual(at(seconds));
    for (const seconds of [121, 300, 86_400]) expect(await check(await signGrant(at(seconds), old))).toBeNull();
    expect(await check(await signGrant(at(86_400), keyring.signer('outcome')))).toEqual(at(86_400));
  });

  test('there is one spelling of a grant: ours', async () => {
    const keyring = await Keyring.open({ store: new Rows(), sealer: newSealer(), clock: clockAt(NOON) });
    const check = grantVerifier(keyring);
    const signer = keyring.signer('outcome');
    const sign = async (header: string, payload: string): Promise<string> => {
      const signed = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.');
      return `${signed}.${Buffer.from(await signer.sign(Buffer.from(signed))).toString('base64url')}`;
    };
    const header = canonicalJson({ alg: 'EdDSA', kid: signer.kid, typ: 'approval-grant+jwt' });
    expect(await check(await sign(header, canonicalJson(claims)))).toEqual(claims);
    expect(await check(await sign(header, JSON.stringify(claims)))).toBeNull();
    expect(await check(await sign(JSON.stringify(JSON.parse(header), null, 1), canonicalJson(claims)))).toBeNull();
    expect(await check(await sign(header, canonicalJson(claims).replace('"exp":2', '"exp":2.0')))).toBeNull();
  });

  test('a grant signed by the checkpoint key, or with other claims, is none', async () => {
    const keyring = await Keyring.open({ store: new Rows(), sealer: newSealer(), clock: clockAt(NOON) });
    const check = grantVerifier(keyring);
    expect(await check(await signGrant(claims, keyring.signer('checkpoint')))).toBeNull();
    const others = [
      { ...claims, more: 1 },
      { ...claims, jti: 'gr_1' },
      { ...claims, exp: '2' },
      { ...claims, act_digest: 'x' },
    ];
    // The type forbids what a forger with our key could write all the same.
    for (const other of others) expect(await check(await signGrant(other as typeof claims, keyring.signer('outcome')))).toBeNull();
    expect(await check('')).toBeNull();
  });
});
