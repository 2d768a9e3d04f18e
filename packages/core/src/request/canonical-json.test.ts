import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CoreError } from '../errors.js';
import { base64, base64url, fromBase64, fromBase64url, fromHex, fromUtf8, hex, utf8 } from './bytes.js';
import { canonicalJson, digestOf, isDigest, sha256Hex } from './canonical-json.js';
import { actionDigest, requestDigest, type RequestDigestInput } from './digests.js';
import { newId } from './ids.js';
import { formatInstant } from './instants.js';

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text, 'utf8').digest('hex')}`;
const codeOf = (run: () => unknown): string | undefined => {
  try {
    run();
  } catch (error) {
    return error instanceof CoreError ? error.code : 'another error';
  }
  return undefined;
};

describe('canonical JSON is RFC 8785', () => {
  test('the sample of RFC 8785, section 3.2.3 and 3.2.2.2', () => {
    const sample = {
      numbers: [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(sample)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  test('keys sort by UTF-16 units, not by code points', () => {
    expect(canonicalJson({ '\u{FB33}': 1, '\u{1F600}': 2, '\u20ac': 3, '\r': 4, '1': 5, '10': 6, '2': 7 })).toBe(
      '{"\\r":4,"1":5,"10":6,"2":7,"\u20ac":3,"\u{1F600}":2,"\u{FB33}":1}',
    );
  });

  test('minus zero is zero', () => expect(canonicalJson([-0])).toBe('[0]'));

  test('the order of members does not matter', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        expect(digestOf(Object.fromEntries(Object.entries(value).reverse()))).toBe(digestOf(value));
      }),
    );
  });

  test('what JSON cannot say is refused, never dropped', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    const holes: unknown[] = [];
    holes.length = 2;
    for (const value of [
      { a: undefined },
      [undefined],
      { a: () => 1 },
      { a: Symbol('s') },
      { [Symbol('s')]: 1 },
      [NaN],
      [Infinity],
      ['\uD83D'],
      { '\uDE00': 1 },
      cycle,
      holes,
      new Date(0),
      { at: new Date(0) },
      new Map(),
      { a: 1n },
      { toJSON: () => 1 },
    ])
      expect(codeOf(() => canonicalJson(value as object))).toBe('not_canonical_json');
  });

  test('sha256Hex is SHA-256 of the UTF-8 bytes', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => expect(`sha256:${sha256Hex(text)}`).toBe(sha256(text))));
    expect(codeOf(() => sha256Hex('\uD83D'))).toBe('invalid_encoding');
    expect(isDigest(digestOf({}))).toBe(true);
    expect(isDigest('sha256:AB')).toBe(false);
  });
});

describe('digests cover exactly the members of the contract', () => {
  const action = { action: 'iam.grant', resource: { type: 'role', id: 'admin' }, actor: { type: 'ci', id: 'deploy' } };

  test('absent members are absent from what is hashed, as the docstring spells it', () => {
    expect(actionDigest(action)).toBe(sha256('{"action":"iam.grant","actor":{"id":"deploy","type":"ci"},"resource":{"id":"admin","type":"role"}}'));
    expect(actionDigest({ ...action, parameters: { b: null, a: 1 }, environment: 'production' })).toBe(
      sha256(
        '{"action":"iam.grant","actor":{"id":"deploy","type":"ci"},"environment":"production","parameters":{"a":1,"b":null},"resource":{"id":"admin","type":"role"}}',
      ),
    );
  });

  test('reason, context and other members of a whole request do not change the action digest', () => {
    const whole = { ...action, reason: 'r', context: { x: 1 }, timeout_seconds: 5 };
    expect(actionDigest(whole)).toBe(actionDigest(action));
  });

  test('null, undefined and missing members are faults', () => {
    for (const wrong of [
      { ...action, parameters: null },
      { ...action, environment: undefined },
      { action: 'a', resource: {} },
    ])
      expect(codeOf(() => actionDigest(wrong as unknown as typeof action))).toBe('invalid_digest_input');
  });

  const request: RequestDigestInput = {
    id: newId('ar', 1_700_000_000_000, new Uint8Array(10)),
    action_digest: actionDigest(action),
    resolved: { labels: { data_class: 'pii' }, environment: 'production', reversibility: 'reversible' },
    tenant: 'default',
    requester: { type: 'api_key', id: 'k' },
    chain: [{ id: 'dana' }],
    reason: 'because',
    context: { risk: 'high' },
    requirement: { stages: [] },
    policy_digest: digestOf({}),
    grant_audience: 'https://countersign.example.com',
    expires_at: formatInstant(1_700_000_360_000),
  };

  test('the request digest hashes the twelve members and nothing else', () => {
    expect(requestDigest({ ...request, extra: 1 } as RequestDigestInput)).toBe(digestOf(request));
  });

  test('every member of it changes it', () => {
    for (const name of Object.keys(request)) {
      const changed = { ...request, [name]: name === 'resolved' ? { ...request.resolved, labels: {} } : 'changed' };
      expect(requestDigest(changed)).not.toBe(requestDigest(request));
    }
    const { environment: _, ...rest } = request.resolved;
    expect(requestDigest({ ...request, resolved: rest })).not.toBe(requestDigest(request));
  });
});

describe('bytes', () => {
  test('every encoding comes back, agrees with Node, and has one spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        const node = Buffer.from(bytes);
        expect([hex(bytes), base64(bytes), base64url(bytes)]).toEqual([node.toString('hex'), node.toString('base64'), node.toString('base64url')]);
        for (const back of [fromHex(hex(bytes)), fromBase64(base64(bytes)), fromBase64url(base64url(bytes))]) expect([...back]).toEqual([...bytes]);
      }),
    );
    for (const wrong of [
      () => fromBase64('QQ'),
      () => fromBase64('QR=='),
      () => fromBase64(' QQ=='),
      () => fromBase64url('QQ=='),
      () => fromBase64url('QR'),
      () => fromBase64url('A'),
      () => fromHex('abc'),
      () => fromUtf8(new Uint8Array([0xff])),
    ])
      expect(codeOf(wrong)).toBe('invalid_encoding');
    expect(fromUtf8(utf8('\uFEFFé😀'))).toBe('\uFEFFé😀');
  });
});
