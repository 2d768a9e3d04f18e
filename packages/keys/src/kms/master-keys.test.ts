import { type FakeKms, startFakeAwsKms, startFakeGcpKms, startFakeVault } from '@countersign/dev-env/fake-kms';
import { utf8 } from '@countersign/core/request';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EnvelopeSealer, sealedUnderKid } from '../sealer.js';
import { parseMasterKeys } from './master-keys.js';

const CONTEXT = { tenant: 't', table: 'api_keys', row: 'key_1', column: 'sealed_webhook_secret' };
const local = (): string => `k1:${randomBytes(32).toString('base64')}`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'countersign-kms-'));
});
afterAll(() => rm(folder, { recursive: true }));

const kinds: [string, () => Promise<FakeKms>][] = [
  ['AWS KMS', startFakeAwsKms],
  [
    'Google Cloud KMS',
    async () => {
      const kms = await startFakeGcpKms();
      const file = path.join(folder, 'google.json');
      await writeFile(file, kms.credentials);
      kms.environment['GOOGLE_APPLICATION_CREDENTIALS'] = file;
      return kms;
    },
  ],
  ['Vault Transit', startFakeVault],
];

describe.each(kinds)('%s', (_name, start) => {
  let kms: FakeKms;
  let now = 0;
  const sealer = (text = kms.key, options = {}): EnvelopeSealer => new EnvelopeSealer(parseMasterKeys(text, kms.environment, { now: () => now, ...options }));
  beforeAll(async () => {
    kms = await start();
  });
  beforeEach(() => {
    kms.mood = 'well';
  });
  afterAll(() => kms.close());

  test('seals and opens, in another process too, and asks the KMS seldom', async () => {
    const one = sealer();
    const before = kms.calls.encrypt;
    const sealed = await Promise.all(Array.from({ length: 20 }, (_, at) => one.seal(CONTEXT, utf8(`secret ${at}`))));
    expect(kms.calls.encrypt - before).toBe(1);
    expect(new Set(sealed.map(sealedUnderKid))).toEqual(new Set([kms.key]));
    const other = sealer();
    const decrypts = kms.calls.decrypt;
    for (const [at, value] of sealed.entries()) expect(Buffer.from(await other.open(CONTEXT, value)).toString()).toBe(`secret ${at}`);
    expect(kms.calls.decrypt - decrypts).toBe(1);
  });

  test('opens nothing that was moved or altered', async () => {
    const sealed = await sealer().seal(CONTEXT, utf8('secret'));
    await expect(sealer().open({ ...CONTEXT, row: 'key_2' }, sealed)).rejects.toMatchObject({ code: 'not_opened' });
    for (const at of [sealed.length - 1, sealed.length - 60, 2 + kms.key.length + 2 + 3 + 12]) {
      const bent = Uint8Array.from(sealed);
      bent[at] = (bent[at] ?? 0) ^ 1;
      await expect(sealer().open(CONTEXT, bent)).rejects.toMatchObject({ name: 'KeysError' });
    }
  });

  test('I17: a KMS that is gone or throttles is unavailable, one that refuses is told so; neither opens anything, and nothing secret is said', async () => {
    const sealed = await sealer().seal(CONTEXT, utf8('planted-secret'));
    for (const [mood, code] of [
      ['down', 'kms_unavailable'],
      ['throttled', 'kms_unavailable'],
      ['denied', 'kms_refused'],
    ] as const) {
      kms.mood = mood;
      for (const work of [
        () => sealer().open(CONTEXT, sealed),
        () => sealer().seal(CONTEXT, utf8('planted-secret')),
        () => parseMasterKeys(kms.key, kms.environment).check(),
      ]) {
        const error = await work().then(
          () => null,
          (thrown: Error) => thrown,
        );
        expect(error).toMatchObject({ name: 'KeysError', code });
        expect(String(error?.message)).not.toContain('planted-secret');
      }
    }
  });

  test('a key that the KMS gave is kept for minutes, and no longer; and not more of them than was said', async () => {
    const sealed: Uint8Array[] = [];
    for (let at = 0; at < 3; at++) sealed.push(await sealer().seal(CONTEXT, utf8('secret')));
    const reader = sealer(kms.key, { keptMs: 1000, kept: 2 });
    const asked = async (at: number): Promise<number> => {
      const before = kms.calls.decrypt;
      await reader.open(CONTEXT, sealed[at] ?? new Uint8Array());
      return kms.calls.decrypt - before;
    };
    expect([await asked(0), await asked(0), await asked(1), await asked(2), await asked(0)]).toEqual([1, 0, 1, 1, 1]);
    now += 1000;
    expect([await asked(0), await asked(0)]).toEqual([1, 0]);
    // An outage is not noticed meanwhile, and is afterwards.
    kms.mood = 'down';
    expect(await asked(0)).toBe(0);
    now += 1000;
    await expect(reader.open(CONTEXT, sealed[0] ?? new Uint8Array())).rejects.toMatchObject({ code: 'kms_unavailable' });
  });

  test('an installation moves into it from a key of its own, and back', async () => {
    const mine = local();
    const old = new EnvelopeSealer(parseMasterKeys(mine, {}));
    const sealed = await old.seal(CONTEXT, utf8('secret'));
    const moved = await sealer(`${kms.key},${mine}`).rewrap(CONTEXT, sealed);
    expect(sealedUnderKid(moved)).toBe(kms.key);
    expect(Buffer.from(await sealer().open(CONTEXT, moved)).toString()).toBe('secret');
    const back = await sealer(`${mine},${kms.key}`).rewrap(CONTEXT, moved);
    expect(Buffer.from(await old.open(CONTEXT, back)).toString()).toBe('secret');
    await expect(old.open(CONTEXT, moved)).rejects.toMatchObject({ code: 'unknown_master_key' });
  });

  test('a wrong key of it is found at once', async () => {
    await expect(parseMasterKeys(kms.key.replace(/[a-z0-9]$/, 'x'), kms.environment).check()).rejects.toMatchObject({ code: 'kms_refused' });
  });
});

test.each([
  ['aws-kms:alias/countersign', {}],
  ['aws-kms:arn:aws:kms:eu-central-1:1:key/x', {}],
  ['gcp-kms:projects/p/keys/k', {}],
  ['vault:transit/countersign', {}],
  ['vault:countersign', { VAULT_ADDR: 'https://vault.example.com' }],
  ['vault:a/b,vault:a/b', { VAULT_ADDR: 'https://vault.example.com' }],
  ['', {}],
])('%j is no master key, and is not repeated', (text, environment) => {
  expect(() => parseMasterKeys(text, environment)).toThrow(expect.objectContaining({ code: 'invalid_master_key' }));
});

test('a key of one’s own may be called as a KMS is', () => {
  const keys = parseMasterKeys(`vault:${randomBytes(32).toString('base64')}`, {});
  expect([keys.activeKid, keys.kms]).toEqual(['vault', false]);
});
