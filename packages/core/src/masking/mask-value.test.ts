import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CoreError } from '../errors.js';
import type { JsonValue } from '../request/json-value.js';
import { describeMasks } from './describe-masks.js';
import type { MaskPlan, MaskResult } from './mask-plan.js';
import { maskText, maskValue } from './mask-value.js';

const key = new Uint8Array(32).fill(7);
const mask = (value: JsonValue, plan: Partial<MaskPlan> = {}): MaskResult => maskValue(value, { paths: [], key, ...plan });

// Made at run time, so that no scanner takes this file for a leak.
const githubToken = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`;
const visa = `4111${'1'.repeat(12)}`;

describe('names and paths', () => {
  test('what lies under the name of a secret is hidden whole, whatever its type', () => {
    for (const secret of ['hunter2', 12345, ['a', 'b'], { user: 'u', value: 'v' }]) {
      const { masked, report } = mask({ parameters: { db_password: secret, rows: 5 } });
      expect(masked).toEqual({ parameters: { db_password: expect.stringMatching(/^\[secret:len≈\d+\]$/), rows: 5 } });
      expect(report).toEqual([{ pointer: '/parameters/db_password', class: 'secret', action: 'strip', detector: 'secret-name', length: expect.any(Number) }]);
    }
  });

  test('null, truth values, emptiness and amounts under such a name stay', () => {
    const value = { password: null, reset_password: true, token: '', secrets: [], credentials: {}, max_tokens: 4096, tokens: 12 };
    expect(mask(value)).toEqual({ masked: value, report: [], complete: true });
  });

  test('secrets that a neighbour names are hidden: pairs, flags, name and value', () => {
    const value = [
      { name: 'password', value: 'correct horse' },
      ['--password', 'correct horse', '--verbose'],
      ['Authorization', 'correct horse'],
      { Key: 'DB_PASSWORD', Value: 'correct horse', Type: 'String' },
    ];
    const { masked } = mask(value);
    expect(JSON.stringify(masked)).not.toContain('horse');
    expect(masked).toMatchObject([
      { name: 'password' },
      ['--password', expect.anything(), '--verbose'],
      ['Authorization', expect.anything()],
      { Key: 'DB_PASSWORD', Type: 'String' },
    ]);
  });

  test('paths of policy hide what they name and nothing else', () => {
    const value = {
      parameters: {
        a: { b: 'x', c: 'y' },
        rows: [
          { iban: 'i1', n: 1 },
          { iban: 'i2', n: 2 },
        ],
        'odd.name': 'z',
      },
      context: { note: 'n', more: { deep: [1] } },
      reason: 'r',
    };
    const hidden = (paths: string[]): string[] => mask(value, { paths }).report.map((entry) => `${entry.pointer} ${entry.class}`);
    expect(hidden(['parameters.a.b'])).toEqual(['/parameters/a/b field']);
    expect(hidden(['parameters.rows[*].iban'])).toEqual(['/parameters/rows/0/iban field', '/parameters/rows/1/iban field']);
    expect(hidden(['parameters.rows[1]'])).toEqual(['/parameters/rows/1 field']);
    expect(hidden(['parameters["odd.name"]'])).toEqual(['/parameters/odd.name field']);
    expect(hidden(['parameters.*.b'])).toEqual(['/parameters/a/b field']);
    expect(hidden(['**.iban'])).toEqual(['/parameters/rows/0/iban field', '/parameters/rows/1/iban field']);
    expect(hidden(['context.**'])).toEqual(['/context/note field', '/context/more field']);
    expect(hidden(['**.deep[*]', 'context.**.deep'])).toEqual(['/context/more/deep field']);
    expect(hidden(['parameters.missing', 'nothing'])).toEqual([]);
  });

  test('a path to an object that a submission must have hides its members and leaves it an object', () => {
    const { masked } = mask({ parameters: { a: 1, b: { c: 2 } }, context: { x: 'y' } }, { paths: ['parameters'] });
    expect(masked).toEqual({ parameters: { a: '[field:len≈8]', b: '[field:len≈8]' }, context: { x: 'y' } });
  });

  test('a path that nobody understands is a fault, not a path that hides nothing', () => {
    for (const path of ['', 'a..b', '.a', 'a.', 'a[', 'a[x]', 'a]b', 'a["x]', 'a["\\x"]', 'a"b"']) expect(() => mask({}, { paths: [path] })).toThrow(CoreError);
    expect(() => mask({}, { key: new Uint8Array(15) })).toThrow(CoreError);
  });
});

describe('marks', () => {
  test('equal personal data has equal tokens under one key, other keys give others, and spelling does not matter', () => {
    const { masked, report } = mask({
      a: 'to Dana@example.com',
      b: 'dana@EXAMPLE.com',
      c: 'dana\u200b@example.com',
      d: visa,
      e: Number(visa),
      f: visa.replace(/(.{4})/g, '$1 ').trim(),
    });
    const shown = masked as Record<string, string>;
    expect(shown['a']).toMatch(/^to \[email:[0-9a-f]{10}\]$/);
    expect([shown['b'], shown['c']]).toEqual([shown['a']?.slice(3), shown['a']?.slice(3)]);
    expect(shown['d']).toMatch(/^\[card:[0-9a-f]{10}\]$/);
    expect([shown['e'], shown['f']]).toEqual([shown['d'], shown['d']]);
    expect(report.every((entry) => entry.action === 'token')).toBe(true);
    expect(mask('dana@example.com', { key: new Uint8Array(32) }).masked).not.toBe(shown['b']);
  });

  test('a token is the HMAC that the documentation states', () => {
    // printf 'email\0dana@example.com' | openssl dgst -sha256 -mac HMAC -macopt hexkey:07…07 (32 bytes), first ten digits
    expect(mask('dana@example.com').masked).toBe('[email:d5791f956e]');
  });

  test('secrets leave no token, and only about their length', () => {
    const marks = ['x', 'y'].map((letter) => mask({ password: letter.repeat(30) }));
    expect(marks[0]?.masked).toEqual({ password: '[secret:len≈32]' });
    expect(marks[1]).toEqual(marks[0]);
  });

  test('the text around a secret stays as it was', () => {
    expect(mask(`Ｒun\u200b with ${githubToken}, please`).masked).toBe('Ｒun\u200b with [secret:len≈32], please');
    expect(mask('postgres://app:hunter22@db.internal/shop').masked).toBe('postgres://app:[secret:len≈8]@db.internal/shop');
    expect(mask('{"user":"u","password":"hunter2"}').masked).toBe('{"user":"u","password":"[secret:len≈8]"}');
  });

  test('names are searched, and two names that look alike afterwards stay two members', () => {
    const { masked, report } = mask({ [githubToken]: 1, [`${githubToken}b`]: 2, 'dana@example.com': { x: 'dana@example.com' } });
    expect(masked).toMatchObject({ '[secret:len≈32]': 1, '[secret:len≈32]#2': 2 });
    expect(JSON.stringify(report)).not.toMatch(/dana|ghp_/);
  });

  test('a member named __proto__ stays a member', () => {
    const { masked } = mask(JSON.parse('{"__proto__":{"password":"hunter2"}}') as JsonValue);
    expect(JSON.stringify(masked)).toBe('{"__proto__":{"password":"[secret:len≈8]"}}');
  });
});

describe('what must be shown is shown', () => {
  const keep = ['/actor', '/parameters/token'];

  test('names, paths and personal data do not hide it', () => {
    const value = { actor: { id: 'dana@example.com', password: 'of little use' }, parameters: { token: 'the-word' } };
    expect(mask(value, { keep, paths: ['actor', '**.id', 'parameters.token'] })).toEqual({ masked: value, report: [], complete: true });
    expect(mask(value, { keep: (pointer) => keep.includes(pointer) }).masked).toEqual(value);
  });

  test('any value without credentials under keep is shown as it is', () => {
    const plain = fc.jsonValue({ maxDepth: 3 }).filter((value) => mask(value as JsonValue).report.every((entry) => entry.class !== 'secret'));
    fc.assert(fc.property(plain, (value) => expect(mask({ kept: value as JsonValue }, { keep: ['/kept'], paths: ['**'] }).masked).toEqual({ kept: value })));
  });

  test('a credential in it is cut out all the same, and reported at its place', () => {
    const { masked, report } = mask({ resource: { id: `https://x:${githubToken}@example.com` } }, { keep: ['/resource/id'] });
    expect(masked).toEqual({ resource: { id: 'https://x:[secret:len≈32]@example.com' } });
    expect(report).toMatchObject([{ pointer: '/resource/id', class: 'secret' }]);
  });
});

describe('nothing passes unsearched', () => {
  const nested = (depth: number): JsonValue => (depth === 0 ? githubToken : [nested(depth - 1)]);

  test('too deep, too long, too many, too much work: replaced, reported, not complete', () => {
    const cases: [JsonValue, Partial<MaskPlan>][] = [
      [nested(40), {}],
      [{ note: 'x'.repeat(1_048_577) }, {}],
      [{ ['x'.repeat(1_048_577)]: 1 }, {}],
      [Array.from({ length: 100_001 }, () => 'hunter2'), {}],
      [{ a: 'one', b: 'two' }, { limits: { nodes: 2 } }],
      [{ a: 'x'.repeat(100) }, { limits: { work: 50 } }],
      [{ a: JSON.stringify(nested(40)) }, {}],
      [{ a: `data ${Buffer.from(JSON.stringify(nested(40))).toString('base64')}` }, {}],
      [{ a: undefined } as unknown as JsonValue, {}],
      [{ a: 1n } as unknown as JsonValue, {}],
    ];
    for (const [value, plan] of cases) {
      const { masked, complete, report } = mask(value, plan);
      expect(complete).toBe(false);
      expect(JSON.stringify(masked)).not.toContain(githubToken);
      expect(report.length).toBeGreaterThan(0);
      expect(report.length).toBeLessThan(5);
    }
  });

  test('the mark says how many bytes were left out', () => {
    expect(mask({ a: 'é'.repeat(20) }, { limits: { stringLength: 10 } }).masked).toEqual({ a: '[unscanned:bytes=40]' });
  });

  test('a cycle ends', () => {
    const cycle: Record<string, unknown> = {};
    cycle['again'] = cycle;
    expect(mask(cycle as JsonValue).complete).toBe(false);
  });

  test('what is masked already stays, under the name of a secret too', () => {
    const { masked } = mask({ PWD: ' ', password: 'hunter2hunter2' });
    expect(mask(masked)).toMatchObject({ masked, report: [] });
  });

  test('the shape of a document stays: same members in the same order, unless one mark stands for a whole', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), (value) => {
        const { masked, complete } = mask(value as JsonValue);
        expect(complete).toBe(true);
        expect(Object.keys(masked as object)).toHaveLength(Object.keys(value).length);
        expect(mask(masked).masked).toEqual(masked);
      }),
    );
  });
});

test('the sentence for a card names places and classes', () => {
  const { report } = mask({ parameters: { password: 'x1', rows: [{ mail: 'dana@example.com' }] }, reason: `use ${githubToken} and dana@example.com` });
  expect(describeMasks(report)).toBe(
    '3 values hidden: parameters.password (secret), parameters.rows[0].mail (e-mail address), reason (secret, e-mail address).',
  );
  expect(describeMasks(report.slice(0, 1))).toBe('1 value hidden: parameters.password (secret).');
  expect(describeMasks([])).toBe('');
  expect(describeMasks(Array.from({ length: 7 }, (_, index) => ({ pointer: `/a/${index}`, class: 'field' })))).toMatch(/^7 values hidden: .*, and 2 more\.$/);
  expect(describeMasks(maskText(githubToken, { paths: [], key }).report)).toBe('1 value hidden: the whole text (secret).');
});
