import { describe, expect, test } from '@jest/globals';
import { createPublicKey, generateKeyPairSync, sign as cryptoSign, verify as cryptoVerify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import {
  decodePublicKey,
  encodeHmacSecret,
  encodePublicKey,
  signerOfPrivateKey,
  signWebhook,
  verifyWebhook,
  type WebhookHeaders,
} from './standard-webhooks.js';

// The vectors of the Standard Webhooks specification and its reference libraries.
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const timestamp = 1_614_265_330;
const body = Buffer.from('{"test": 2432232314}');
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const v1 = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
const privateKey = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';
const publicKey = 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=';
const v1a = 'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==';

describe('signing', () => {
  test('makes the published signatures of both schemes, HMAC first', async () => {
    const headers = await signWebhook({ id, timestamp, body }, { hmacSecrets: [secret], signer: signerOfPrivateKey(privateKey) });
    expect(headers).toEqual({ 'webhook-id': id, 'webhook-timestamp': '1614265330', 'webhook-signature': `${v1} ${v1a}` });
  });

  test('I8: the official library verifies our v1, under the new secret and under the old one while they overlap', async () => {
    const secrets = [encodeHmacSecret(Buffer.alloc(32, 1)), encodeHmacSecret(Buffer.alloc(32, 2))];
    const now = Math.floor(Date.now() / 1000); // The official library has no clock of its own to set.
    const headers = await signWebhook({ id, timestamp: now, body }, { hmacSecrets: secrets, signer: signerOfPrivateKey(privateKey) });
    for (const each of secrets) expect(new Webhook(each).verify(body, { ...headers })).toEqual({ test: 2432232314 });
    expect(() => new Webhook(encodeHmacSecret(Buffer.alloc(32, 3))).verify(body, { ...headers })).toThrow('No matching signature');
  });

  test('I8: node:crypto verifies our v1a over id.timestamp.body', async () => {
    const headers = await signWebhook({ id, timestamp, body }, { hmacSecrets: [], signer: signerOfPrivateKey(privateKey) });
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey.slice(5), 'base64').toString('base64url') };
    const signature = Buffer.from(headers['webhook-signature'].slice(4), 'base64');
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    expect(cryptoVerify(null, Buffer.from(`${id}.${timestamp}.{"test": 2432232314}`), key, signature)).toBe(true);
  });

  test('signs bytes, not text: a body that is not UTF-8 keeps its own signature', async () => {
    const one = await signWebhook({ id, timestamp, body: Uint8Array.of(0xff, 0x00) }, { hmacSecrets: [secret] });
    const other = await signWebhook({ id, timestamp, body: Uint8Array.of(0xfe, 0x00) }, { hmacSecrets: [secret] });
    expect(one['webhook-signature']).not.toBe(other['webhook-signature']);
  });

  test.each([
    ['nothing to sign with', { id, timestamp, body }, { hmacSecrets: [] }, 'unsignable'],
    ['an id with a dot', { id: 'msg_1.2', timestamp, body }, { hmacSecrets: [secret] }, 'unsignable'],
    ['a fraction of a second', { id, timestamp: 1.5, body }, { hmacSecrets: [secret] }, 'unsignable'],
    ['a short secret', { id, timestamp, body }, { hmacSecrets: [`whsec_${Buffer.alloc(23).toString('base64')}`] }, 'invalid_secret'],
    ['a long secret', { id, timestamp, body }, { hmacSecrets: [`whsec_${Buffer.alloc(65).toString('base64')}`] }, 'invalid_secret'],
    ['a secret with no prefix', { id, timestamp, body }, { hmacSecrets: [secret.slice(6)] }, 'invalid_secret'],
    ['a secret that is not base64', { id, timestamp, body }, { hmacSecrets: [`${secret}!`] }, 'invalid_secret'],
    ['twelve secrets', { id, timestamp, body }, { hmacSecrets: Array.from({ length: 12 }, () => secret) }, 'invalid_secret'],
  ])('refuses %s', async (_, content, keys, code) => {
    await expect(signWebhook(content, keys)).rejects.toMatchObject({ code });
  });
});

describe('keys', () => {
  test('a private key whose halves disagree is refused', () => {
    const bytes = Buffer.from(privateKey.slice(5), 'base64');
    bytes[63] = (bytes[63] ?? 0) ^ 1;
    expect(() => signerOfPrivateKey(`whsk_${bytes.toString('base64')}`)).toThrow('disagree');
    expect(() => signerOfPrivateKey(privateKey.slice(0, -8))).toThrow('64 bytes');
  });

  test('public keys are written and read as whpk_', () => {
    expect(encodePublicKey(signerOfPrivateKey(privateKey).publicKey)).toBe(publicKey);
    expect(encodePublicKey(decodePublicKey(publicKey))).toBe(publicKey);
    expect(() => decodePublicKey(privateKey)).toThrow('whpk_');
  });
});

describe('verifying', () => {
  const headers: WebhookHeaders = { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v9,AAAA ${v1} ${v1a}` };
  const byHmac = { hmacSecrets: [encodeHmacSecret(Buffer.alloc(32, 9)), secret] };
  const byKey = { publicKeys: [decodePublicKey(publicKey)] };

  test('accepts either scheme and passes over unknown ones', () => {
    expect(verifyWebhook({ headers: { ...headers }, body }, byHmac, timestamp)).toEqual({ ok: true, id, timestamp, scheme: 'v1' });
    expect(verifyWebhook({ headers: { ...headers }, body }, byKey, timestamp)).toEqual({ ok: true, id, timestamp, scheme: 'v1a' });
  });

  test('accepts what the official library and node:crypto signed', () => {
    const official = new Webhook(secret).sign(id, new Date(timestamp * 1000), body.toString());
    expect(verifyWebhook({ headers: { ...headers, 'webhook-signature': official }, body }, byHmac, timestamp)).toMatchObject({ ok: true });
    const pair = generateKeyPairSync('ed25519');
    const foreign = cryptoSign(null, Buffer.from(`${id}.${timestamp}.${body.toString()}`), pair.privateKey).toString('base64');
    const raw = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    expect(verifyWebhook({ headers: { ...headers, 'webhook-signature': `v1a,${foreign}` }, body }, { publicKeys: [raw] }, timestamp)).toMatchObject({
      ok: true,
    });
  });

  test.each([
    ['another body', {}, '{"test": 2432232315}', timestamp, 'no_matching_signature'],
    ['another id', { 'webhook-id': 'msg_other' }, undefined, timestamp, 'no_matching_signature'],
    ['another time stamp', { 'webhook-timestamp': String(timestamp + 1) }, undefined, timestamp, 'no_matching_signature'],
    ['a v1a signature named v1', { 'webhook-signature': v1a.replace('v1a', 'v1') }, undefined, timestamp, 'no_matching_signature'],
    ['an empty signature', { 'webhook-signature': 'v1, v1a,' }, undefined, timestamp, 'no_matching_signature'],
    ['a message that is too old', {}, undefined, timestamp + 301, 'timestamp_too_old'],
    ['a message from the future', {}, undefined, timestamp - 301, 'timestamp_too_new'],
    ['a time stamp in another form', { 'webhook-timestamp': '1614265330.0' }, undefined, timestamp, 'malformed_timestamp'],
    ['a missing header', { 'webhook-id': undefined }, undefined, timestamp, 'missing_header'],
    ['a header that came twice', { 'webhook-signature': [v1, v1] }, undefined, timestamp, 'missing_header'],
  ])('refuses %s', (_, change, otherBody, now, reason) => {
    const message = { headers: { ...headers, ...change }, body: otherBody === undefined ? body : Buffer.from(otherBody) };
    expect(verifyWebhook(message, { ...byHmac, ...byKey }, now)).toEqual({ ok: false, reason });
  });
});
