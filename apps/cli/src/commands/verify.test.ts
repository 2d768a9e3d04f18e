import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeHmacSecret, encodePublicKey, signWebhook } from '@countersign/delivery';
import { signGrant } from '@countersign/core/outcome';
import { actionDigest } from '@countersign/core/request';
import { generateSeed, publicJwk, signerOf } from '@countersign/keys';
import { Webhook } from 'standardwebhooks';
import { countersign } from '../testing/terminal.js';

let cwd: string;
const signer = signerOf(generateSeed());
beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'countersign-verify-'));
  await writeFile(path.join(cwd, 'jwks.json'), JSON.stringify({ keys: [{ kty: 'RSA', n: 'AQAB', e: 'AQAB' }, publicJwk(signer.publicKey)] }));
  await writeFile(path.join(cwd, 'other.json'), JSON.stringify({ keys: [publicJwk(signerOf(generateSeed()).publicKey)] }));
});
afterAll(() => rm(cwd, { recursive: true }));

const action = { action: 'iam.grant', resource: { type: 'role', id: 'admin' }, parameters: { to: 'deploy' }, actor: { type: 'ci', id: 'deploy' } } as const;
const digest = `sha256:${'a'.repeat(64)}`;
function grant(changes: object = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    ...{
      iss: 'https://approve.example.com',
      aud: 'https://approve.example.com',
      jti: 'gr_01900000-0000-7000-8000-000000000001',
      iat: now,
      exp: now + 300,
      tenant: 'default',
    },
    ...{ action_request: 'ar_01900000-0000-7000-8000-000000000001', act_digest: actionDigest(action), request_digest: digest, policy_digest: digest },
  };
  return signGrant({ ...claims, ...changes }, signer);
}

describe('verify-grant', () => {
  test('D1: a grant verifies offline with the published keys, for the action that will run', async () => {
    await writeFile(path.join(cwd, 'action.json'), JSON.stringify(action));
    const token = await grant();
    for (const more of [[], ['--action', 'action.json'], ['--audience', 'https://approve.example.com']]) {
      expect(await countersign(['verify-grant', token, '--jwks', 'jwks.json', ...more], { cwd })).toMatchObject({
        code: 0,
        err: '',
        out: expect.stringContaining('OK: grant gr_'),
      });
    }
    const said = await countersign(['verify-grant', '-', '--jwks', 'jwks.json', '--json'], { cwd, stdin: `${token}\n` });
    expect(JSON.parse(said.out)).toMatchObject({ ok: true, claims: { act_digest: actionDigest(action) } });
  });

  test('A4, D1: an altered, foreign, expired or other grant does not', async () => {
    await writeFile(path.join(cwd, 'wider.json'), JSON.stringify({ ...action, parameters: { to: 'everybody' } }));
    const token = await grant();
    const [head = '', body = '', signature = ''] = token.split('.');
    const altered = [head, Buffer.from(Buffer.from(body, 'base64url').toString().replace('default', 'other00')).toString('base64url'), signature].join('.');
    const cases: [string[], string][] = [
      [[altered, '--jwks', 'jwks.json'], 'does not verify'],
      [[token, '--jwks', 'other.json'], 'a key that the JWKS has not'],
      [['nonsense', '--jwks', 'jwks.json'], 'not a grant'],
      [[await grant({ iat: 1_699_999_700, exp: 1_700_000_000 }), '--jwks', 'jwks.json'], 'it expired 2023-11-14'],
      [[token, '--jwks', 'jwks.json', '--audience', 'somebody'], 'it is for'],
      [[token, '--jwks', 'jwks.json', '--action', 'wider.json'], 'the grant is for'],
    ];
    for (const [args, says] of cases)
      expect(await countersign(['verify-grant', ...args], { cwd })).toMatchObject({ code: 1, out: expect.stringMatching(new RegExp(`WRONG: .*${says}`)) });
    for (const args of [
      [token],
      [token, '--jwks', 'nowhere.json'],
      [token, '--jwks', 'action.json'],
      ['--jwks', 'jwks.json'],
      [token, '--jwks', 'jwks.json', '--loud'],
    ]) {
      expect(await countersign(['verify-grant', ...args], { cwd })).toMatchObject({ code: 2, out: '' });
    }
  });
});

describe('verify-webhook', () => {
  const secret = encodeHmacSecret(randomBytes(32));
  const body = '{"type":"outcome.settled","data":{"reason":"größe"}}\n';
  const now = () => Math.floor(Date.now() / 1000);
  const headersOf = async (at: number): Promise<Record<string, string>> => ({
    ...(await signWebhook({ id: 'msg_1', timestamp: at, body: Buffer.from(body) }, { hmacSecrets: [secret], signer })),
  });
  const message = (headers: Record<string, string>, end = '\r\n') =>
    ['POST /hook HTTP/1.1', ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), '', body].join(end);

  test('D1: a callback as it came verifies by the secret and by the published key', async () => {
    const stdin = message(await headersOf(now()));
    for (const keys of [
      ['--secret', secret],
      ['--public-key', encodePublicKey(signer.publicKey)],
      ['--jwks', 'jwks.json'],
      ['--secret', encodeHmacSecret(randomBytes(32)), '--secret', secret],
    ]) {
      expect(await countersign(['verify-webhook', ...keys], { cwd, stdin })).toMatchObject({ code: 0, err: '', out: expect.stringContaining('OK: msg_1') });
    }
    expect(await countersign(['verify-webhook'], { cwd, stdin, env: { COUNTERSIGN_WEBHOOK_SECRET: secret } })).toMatchObject({ code: 0 });
    await writeFile(path.join(cwd, 'headers'), message(await headersOf(now()), '\n').replace(body, ''));
    await writeFile(path.join(cwd, 'body'), body);
    expect(await countersign(['verify-webhook', 'headers', '--body', 'body', '--secret', secret], { cwd })).toMatchObject({ code: 0 });
  });

  test('D1: what the official library signs verifies, too', async () => {
    const at = new Date();
    const signature = new Webhook(secret).sign('msg_2', at, body);
    const stdin = message({ 'Webhook-Id': 'msg_2', 'Webhook-Timestamp': String(Math.floor(at.getTime() / 1000)), 'Webhook-Signature': signature });
    expect(await countersign(['verify-webhook', '--secret', secret], { cwd, stdin })).toMatchObject({ code: 0 });
  });

  test('D1: another secret, other bytes and old messages do not', async () => {
    const stdin = message(await headersOf(now()));
    const old = message(await headersOf(now() - 3600));
    const other = ['--secret', encodeHmacSecret(randomBytes(32))];
    const cases: [string[], string, string][] = [
      [other, stdin, 'no signature is of a key that you trust'],
      [['--secret', secret], `${stdin}\n`, 'no signature'],
      [['--secret', secret], stdin.replace('settled', 'Settled'), 'no signature'],
      [['--secret', secret], stdin.replace('webhook-id: msg_1\r\n', 'webhook-id: msg_1\r\nwebhook-id: msg_1\r\n'), 'stands there twice'],
      [['--secret', secret], old, '5 minutes ago'],
    ];
    for (const [args, text, says] of cases)
      expect(await countersign(['verify-webhook', ...args], { cwd, stdin: text })).toMatchObject({ code: 1, out: expect.stringContaining(says) });
    expect(await countersign(['verify-webhook', '--secret', secret, '--any-age'], { cwd, stdin: old })).toMatchObject({ code: 0 });
    for (const args of [[], ['--secret', 'whsec_short'], ['nowhere', '--secret', secret]])
      expect(await countersign(['verify-webhook', ...args], { cwd, stdin })).toMatchObject({ code: 2, out: '' });
  });
});
