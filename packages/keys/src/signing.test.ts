import { describe, expect, test } from '@jest/globals';
import { noteVerifierKey, signCheckpoint, verifyCheckpoint } from '@countersign/core/ledger';
import { signGrant } from '@countersign/core/outcome';
import { calculateJwkThumbprint, compactVerify, CompactSign, createLocalJWKSet, exportJWK, generateKeyPair, importJWK, jwtVerify } from 'jose';
import fc from 'fast-check';
import { createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { generateSeed, publicJwk, signerOf, spkiDer, spkiPem, thumbprint, verifyEd25519 } from './ed25519.js';
import { signJws, verifyJws } from './jws.js';
import { parseWebhookPublicKey, parseWebhookSigningKey, webhookPublicKey, webhookSigningKey } from './webhook-keys.js';

const TYP = 'approval-grant+jwt';
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');
const invalid = expect.objectContaining({ code: 'invalid_key' });

describe('Ed25519 keys', () => {
  test('RFC 8032, test 2: seed, public key and signature', async () => {
    const signer = signerOf(Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex'));
    expect(Buffer.from(signer.publicKey).toString('hex')).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    expect(Buffer.from(await signer.sign(Uint8Array.of(0x72))).toString('hex')).toBe(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
  });

  test('RFC 8037, appendix A.3: the thumbprint', () => {
    const x = Buffer.from('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', 'base64url');
    expect(thumbprint(x)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  });

  test('I8: JWK, thumbprint, SPKI and signatures are those of jose and node:crypto', async () => {
    const signer = signerOf(generateSeed());
    const jwk = publicJwk(signer.publicKey);
    expect(jwk).toMatchObject({ kid: signer.kid, alg: 'EdDSA', use: 'sig' });
    expect(await calculateJwkThumbprint({ ...jwk })).toBe(signer.kid);
    const signature = await signer.sign(utf8('text'));
    for (const key of [
      createPublicKey({ key: { ...jwk }, format: 'jwk' }),
      createPublicKey({ key: Buffer.from(spkiDer(signer.publicKey)), format: 'der', type: 'spki' }),
      createPublicKey(spkiPem(signer.publicKey)),
    ]) {
      expect(verify(null, utf8('text'), key, signature)).toBe(true);
    }
    expect(verifyEd25519(signer.publicKey, utf8('text'), signature)).toBe(true);
    expect(verifyEd25519(signer.publicKey, utf8('texT'), signature)).toBe(false);
    expect(verifyEd25519(signer.publicKey, utf8('text'), signature.slice(1))).toBe(false);
    expect(verifyEd25519(new Uint8Array(3), utf8('text'), signature)).toBe(false);
  });

  test('seeds are random and of their length', () => {
    const seeds = Array.from({ length: 20 }, () => Buffer.from(generateSeed()).toString('hex'));
    expect(new Set(seeds).size).toBe(20);
    expect(seeds.every((seed) => seed.length === 64)).toBe(true);
    expect(() => signerOf(new Uint8Array(31))).toThrow(invalid);
    expect(() => thumbprint(new Uint8Array(33))).toThrow(invalid);
    expect(() => spkiDer(new Uint8Array(0))).toThrow(invalid);
  });

  test('I8: a checkpoint of the ledger verifies with such a key', async () => {
    const signer = signerOf(generateSeed());
    const origin = 'approve.example.com/ledger/default';
    const note = await signCheckpoint({ origin, size: 0, root: new Uint8Array(32) }, signer);
    expect(await verifyCheckpoint(note, { origin, vkeys: noteVerifierKey(origin, signer.publicKey), verify: verifyEd25519 })).toMatchObject({ ok: true });
  });
});

describe('Standard Webhooks keys', () => {
  const whsk = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';
  const whpk = 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=';

  test('D1, I8: the published v1a vector', async () => {
    const signer = parseWebhookSigningKey(whsk);
    const signature = await signer.sign(utf8('msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'));
    expect(Buffer.from(signature).toString('base64')).toBe('hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==');
    expect(webhookPublicKey(signer.publicKey)).toBe(whpk);
    expect(parseWebhookPublicKey(whpk)).toEqual(signer.publicKey);
    expect(webhookSigningKey(Buffer.from(whsk.slice(5), 'base64').subarray(0, 32))).toBe(whsk);
  });

  test('a whsk_ key whose halves disagree is refused, as are other forms', () => {
    const bytes = Buffer.from(whsk.slice(5), 'base64');
    const halves = Buffer.concat([bytes.subarray(0, 32), signerOf(generateSeed()).publicKey]);
    for (const text of [
      `whsk_${halves.toString('base64')}`,
      whsk.slice(5),
      `whsk_${bytes.subarray(0, 32).toString('base64')}`,
      whsk.replace('==', ''),
      `${whsk} `,
      whpk,
    ]) {
      expect(() => parseWebhookSigningKey(text)).toThrow(invalid);
    }
    for (const text of [whsk, whpk.slice(5), `${whpk}A`, 'whpk_']) expect(() => parseWebhookPublicKey(text)).toThrow(invalid);
    expect(() => webhookPublicKey(new Uint8Array(31))).toThrow(invalid);
  });
});

describe('compact JWS', () => {
  const signer = signerOf(generateSeed());
  const keys = [signerOf(generateSeed()), signer].map(({ kid, publicKey }) => ({ kid, publicKey }));
  const claims = { aud: 'https://example.com', jti: 'gr_1', exp: 1_800_000_000, name: 'Zoë' };
  const header = { alg: 'EdDSA', kid: signer.kid, typ: TYP };

  /** A token whose signature is true, whatever its parts say. */
  const forge = async (head: string | object, body: string | object = claims): Promise<string> => {
    const [one, two] = [head, body].map((part) => b64(typeof part === 'string' ? part : JSON.stringify(part)));
    return `${one}.${two}.${b64(await signer.sign(utf8(`${one}.${two}`)))}`;
  };

  test('I8: what we sign, jose verifies with our JWKS', async () => {
    const token = await signJws({ typ: TYP }, claims, signer);
    const jwks = createLocalJWKSet({ keys: keys.map(({ publicKey }) => ({ ...publicJwk(publicKey) })) });
    const { payload, protectedHeader } = await compactVerify(token, jwks, { algorithms: ['EdDSA'] });
    expect(JSON.parse(new TextDecoder().decode(payload))).toEqual(claims);
    expect(protectedHeader).toEqual(header);
    expect((await jwtVerify(token, jwks, { typ: TYP, audience: claims.aud, currentDate: new Date(1_700_000_000_000) })).payload).toEqual(claims);
    expect(verifyJws(token, keys)).toEqual({ ok: true, header, payload: claims });
  });

  test('I8: what jose signs, we verify', async () => {
    const pair = await generateKeyPair('EdDSA', { extractable: true });
    const publicKey = Buffer.from((await exportJWK(pair.publicKey)).x ?? '', 'base64url');
    const kid = thumbprint(publicKey);
    const token = await new CompactSign(utf8(JSON.stringify(claims))).setProtectedHeader({ typ: TYP, kid, alg: 'EdDSA' }).sign(pair.privateKey);
    expect(verifyJws(token, [{ kid, publicKey }])).toEqual({ ok: true, header: { alg: 'EdDSA', kid, typ: TYP }, payload: claims });
    expect(await importJWK({ ...publicJwk(publicKey) }, 'EdDSA')).toBeDefined();
  });

  test("a grant of core's is such a token", async () => {
    const digest = `sha256:${'ab'.repeat(32)}`;
    const id = '0192f0c1-7d3a-7c5e-8a11-2b6f0e9d4c55';
    const grant = {
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
    const token = await signGrant(grant, signer);
    expect(token).toBe(await signJws({ typ: TYP }, grant, signer));
    expect(verifyJws(token, keys)).toEqual({ ok: true, header, payload: grant });
  });

  test('headers that say more, less or something else are refused though the signature is true', async () => {
    const others: object[] = [
      { ...header, crit: ['exp'] },
      { ...header, jku: 'https://evil.example/jwks' },
      { ...header, jwk: publicJwk(signer.publicKey) },
      { ...header, x5u: 'https://evil.example' },
      { ...header, x5c: [] },
      { ...header, b64: false },
      { ...header, cty: 'JWT' },
      { ...header, alg: 'none' },
      { ...header, alg: 'HS256' },
      { ...header, alg: 'ES256' },
      { ...header, alg: 'eddsa' },
      { ...header, alg: 'Ed25519' },
      { ...header, alg: ['EdDSA'] },
      { ...header, typ: 'JWT' },
      { ...header, typ: 'approval-grant+JWT' },
      { ...header, typ: 'application/approval-grant+jwt' },
      { ...header, typ: `${TYP} ` },
      { ...header, typ: null },
      { ...header, kid: [signer.kid] },
      { ...header, kid: 1 },
      { alg: 'EdDSA', kid: signer.kid },
      { alg: 'EdDSA', typ: TYP },
      { kid: signer.kid, typ: TYP },
      {},
    ];
    for (const other of others) expect(verifyJws(await forge(other), keys)).toEqual({ ok: false, reason: 'wrong_header' });
    expect(verifyJws(await forge({ ...header, kid: 'other' }), keys)).toEqual({ ok: false, reason: 'unknown_key' });
    expect(verifyJws(await forge({ ...header, kid: keys[0]?.kid }), keys)).toEqual({ ok: false, reason: 'bad_signature' });
    expect(verifyJws(await forge(header), [])).toEqual({ ok: false, reason: 'unknown_key' });
    expect(verifyJws(await forge(header), keys, 'other+jwt')).toEqual({ ok: false, reason: 'wrong_header' });
  });

  test('JSON that readers could read differently is refused though the signature is true', async () => {
    const head = JSON.stringify(header);
    const bodies = [
      '{"jti":"a","jti":"b"}',
      '{"jti":"a","j\\u0074i":"b"}',
      '[]',
      '"text"',
      'null',
      '',
      '{"a":1}x',
      '\ufeff{}',
      '{"a":1e400}',
      '{"a":9007199254740993}',
      '{"__proto__":{}}',
      '{"a":"\\ud800"}',
    ];
    for (const body of bodies) expect(verifyJws(await forge(head, body), keys)).toEqual({ ok: false, reason: 'malformed' });
    for (const other of [head.replace('{', '{"alg":"none",'), head.replace('}', `,"typ":"${TYP}"}`), `[${head}]`, '', 'null']) {
      expect(verifyJws(await forge(other), keys)).toEqual({ ok: false, reason: 'malformed' });
    }
  });

  test('other spellings of a good token are refused', async () => {
    const token = await signJws({ typ: TYP }, claims, signer);
    const [head = '', body = '', signature = ''] = token.split('.');
    const standard = Buffer.from(signature, 'base64url').toString('base64');
    // 64 bytes leave four bits over in the last letter: sixteen letters mean the same to a careless decoder.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(signature.at(-1) ?? '');
    const sameBytes = `${signature.slice(0, -1)}${alphabet[last + 1] ?? ''}`;
    expect(Buffer.from(sameBytes, 'base64url')).toEqual(Buffer.from(signature, 'base64url'));
    const spellings = [
      `${head}.${body}.${sameBytes}`,
      `${head}.${body}.${standard}`,
      `${token}=`,
      `${token}==`,
      ` ${token}`,
      `${token}\n`,
      `${token}.`,
      `.${token}`,
      `${head}.${body}`,
      `${head}.${body}.`,
      `${head}..${signature}`,
      `${head}.${body}.${signature}.${signature}.x`,
      JSON.stringify({ payload: body, protected: head, signature }),
      '',
      '..',
      'x'.repeat(20_000),
    ];
    for (const spelling of spellings) expect(verifyJws(spelling, keys).ok).toBe(false);
    expect(verifyJws(`${head}.${body}.`, keys)).toEqual({ ok: false, reason: 'bad_signature' });
  });

  test('A4: no changed letter, and no grafted part, verifies', async () => {
    const token = await signJws({ typ: TYP }, claims, signer);
    const other = await signJws({ typ: TYP }, { ...claims, jti: 'gr_2' }, signer);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: token.length - 1 }), fc.constantFrom(...'ABab01-_.='), async (at, letter) => {
        const changed = token.slice(0, at) + letter + token.slice(at + 1);
        if (changed !== token) expect(verifyJws(changed, keys).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
    const [head, body] = token.split('.');
    expect(verifyJws(`${head}.${body}.${other.split('.')[2]}`, keys)).toEqual({ ok: false, reason: 'bad_signature' });
  });

  test('a key that is no Ed25519 key, or random bytes, verifies nothing', async () => {
    const token = await signJws({ typ: TYP }, claims, signer);
    const stranger = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    for (const publicKey of [stranger, randomBytes(31), new Uint8Array(0), new Uint8Array(32)]) {
      expect(verifyJws(token, [{ kid: signer.kid, publicKey }])).toEqual({ ok: false, reason: 'bad_signature' });
    }
  });
});
