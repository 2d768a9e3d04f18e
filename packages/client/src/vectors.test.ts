import { describe, expect, test } from '@jest/globals';
import { canonicalJson } from '@countersign/core/request';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ClientError } from './errors.js';
import { actionDigestOf } from './frozen-action.js';
import { verifyGrant } from './grant.js';
import { verifyOutcome } from './webhook.js';

/* The vectors that the Python client is held against too; vectors/make.mjs makes them with code that is not ours. */
const vectors: any = JSON.parse(readFileSync(path.resolve(import.meta.dirname, '../vectors/vectors.json'), 'utf8'));
const { now, jwks, secret } = vectors;

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'ok',
    (error: unknown) => (error instanceof ClientError ? error.code : `not ours: ${String(error)}`),
  );

describe('A4: digests are those of the vectors, byte for byte', () => {
  test.each(vectors.canonical.map(({ json, canonical }: any) => [json, canonical]))('%s', (json: any, canonical: any) => {
    expect(canonicalJson(JSON.parse(json))).toBe(canonical);
  });

  test.each(vectors.not_canonical)('%s is refused', (json: any) => {
    const action = { action: 'x', resource: { type: 'a', id: 'b' }, actor: { type: 'c', id: 'd' }, parameters: { value: JSON.parse(json) } };
    expect(() => actionDigestOf(action)).toThrow(expect.objectContaining({ name: 'ClientError', code: 'invalid_action' }));
  });

  test('actions', () => {
    expect(vectors.actions.length).toBeGreaterThan(2);
    for (const { action, digest } of vectors.actions) expect(actionDigestOf(action)).toBe(digest);
  });
});

describe('D1: callbacks are verified offline', () => {
  test.each(vectors.webhooks.map((vector: any) => [vector.name, vector]))('%s', async (_name: any, { result, trust, body, headers }: any) => {
    const options = { now, ...(trust === 'jwks' ? { jwks } : { secret }) };
    expect(await codeOf(verifyOutcome(new TextEncoder().encode(body), headers, options))).toBe(result);
    expect(await codeOf(verifyOutcome(body, new Headers(headers), options))).toBe(result);
  });

  test('either key is enough when both are trusted, and several secrets may be', async () => {
    const { body, headers } = vectors.webhooks[0];
    const other = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
    await expect(verifyOutcome(body, headers, { now, jwks, secret: [other, secret] })).resolves.toMatchObject({
      id: 'msg_1',
      type: 'outcome.settled',
      data: { status: 'denied' },
    });
  });

  test('a header that came twice is none', async () => {
    const { body, headers } = vectors.webhooks[0];
    expect(await codeOf(verifyOutcome(body, { ...headers, 'Webhook-Id': 'msg_1' }, { now, secret }))).toBe('malformed_message');
    expect(await codeOf(verifyOutcome(body, { ...headers, 'webhook-signature': [headers['webhook-signature'], 'v1,AAAA'] }, { now, secret }))).toBe(
      'malformed_message',
    );
  });

  test('nothing verifies with no key, an empty secret or a key that is none', async () => {
    const { body, headers } = vectors.webhooks[0];
    for (const options of [
      {},
      { secret: 'whsec_' },
      { secret: '' },
      { secret: 'whsec_c2hvcnQ=' },
      { jwks: { keys: [] } },
      { jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AAAA' }] } },
    ]) {
      expect(await codeOf(verifyOutcome(body, headers, { now, ...options }))).toBe('invalid_options');
    }
    expect(await codeOf(verifyOutcome(body, headers, { now, secret: [] }))).toBe('invalid_signature');
  });
});

describe('A4, D2: grants are verified offline', () => {
  test.each(vectors.grants.map((vector: any) => [vector.name, vector]))('%s', async (_name: any, { result, grant, audience, issuer, action }: any) => {
    expect(await codeOf(verifyGrant(grant, { jwks, audience, issuer, action, now }))).toBe(result);
  });
});
