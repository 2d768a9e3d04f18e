import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { JsonValue } from '../request/json-value.js';
import type { MaskPlan } from './mask-plan.js';
import { maskText, maskValue } from './mask-value.js';

const plan: MaskPlan = { paths: [], key: new Uint8Array(32).fill(7) };

// ---------------------------------------------------------------- what is planted: made here, of the shapes that vendors document

const letters = (alphabet: string, minLength: number, maxLength = minLength) => fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const ALNUM = `${UPPER}${UPPER.toLowerCase()}0123456789`;
const HEX = '0123456789abcdef';
const withDigit = (text: string): string => `${text}7`;

/** A planted value with the text that must be gone, and the text around it without which it would not be one. */
interface Planted {
  readonly secret: string;
  readonly before?: string;
  readonly after?: string;
}
const alone = (arbitrary: fc.Arbitrary<string>): fc.Arbitrary<Planted> => arbitrary.map((secret) => ({ secret }));
const prefixed = (prefix: string, alphabet: string, min: number, max = min) => alone(letters(alphabet, min, max).map((rest) => prefix + rest));

const luhnDigit = (digits: string): string => {
  for (let last = 0; last < 10; last++) {
    const all = [...`${digits}${last}`].reverse().map(Number);
    const sum = all.reduce((total, digit, index) => total + (index % 2 === 0 ? digit : digit < 5 ? digit * 2 : digit * 2 - 9), 0);
    if (sum % 10 === 0) return String(last);
  }
  return '';
};
const card = fc
  .constantFrom<[string, number]>(['4', 16], ['4', 13], ['4', 19], ['52', 16], ['2345', 16], ['37', 15], ['6011', 16], ['3530', 16], ['62', 17])
  .chain(([prefix, length]) => letters('0123456789', length - prefix.length - 1).map((middle) => prefix + middle + luhnDigit(prefix + middle)));

const CLASSES: Readonly<Record<string, fc.Arbitrary<Planted>>> = {
  'aws access key': prefixed('AKIA', `${UPPER}234567`, 16),
  'aws session key': prefixed('ASIA', `${UPPER}234567`, 16),
  'aws secret by name': letters(`${ALNUM}/+`, 40).map((secret) => ({ secret, before: 'aws_secret_access_key=' })),
  'github classic': prefixed('ghp_', ALNUM, 36),
  'github oauth': prefixed('gho_', ALNUM, 36),
  'github fine-grained': prefixed('github_pat_', `${ALNUM}_`, 82),
  gitlab: prefixed('glpat-', `${ALNUM}_-`, 20),
  'slack bot': prefixed('xoxb-', `${ALNUM}-`, 40),
  'slack app': prefixed('xapp-', `${ALNUM}-`, 50),
  'stripe live': prefixed('sk_live_', ALNUM, 24, 90),
  'stripe restricted': prefixed('rk_live_', ALNUM, 24),
  'google api': prefixed('AIza', `${ALNUM}_-`, 35),
  'google oauth': prefixed('ya29.', `${ALNUM}_-`, 60),
  npm: prefixed('npm_', ALNUM, 36),
  pypi: prefixed('pypi-AgEIcHlwaS5vcmc', `${ALNUM}_-`, 60),
  openai: alone(letters(ALNUM, 40).map((rest) => `sk-proj-${withDigit(rest)}`)),
  'openai legacy': alone(letters(ALNUM, 40).map((rest) => `sk-1${rest}`)),
  anthropic: prefixed('sk-ant-api03-', `${ALNUM}_-`, 90),
  sendgrid: alone(fc.tuple(letters(`${ALNUM}_-`, 22), letters(`${ALNUM}_-`, 43)).map((parts) => `SG.${parts.join('.')}`)),
  twilio: prefixed('SK', HEX, 32),
  jwt: alone(fc.tuple(letters(`${ALNUM}_-`, 20, 60), letters(`${ALNUM}_-`, 20, 90), letters(`${ALNUM}_-`, 43)).map((parts) => `eyJ${parts.join('.')}`)),
  'private key': alone(
    letters(`${ALNUM}+/`, 64, 300).map((body) => `-----BEGIN RSA PRIVATE KEY-----\n${body.replace(/(.{64})/g, '$1\n')}\n-----END RSA PRIVATE KEY-----`),
  ),
  'url password': letters(`${ALNUM}!$-_:`, 8, 30).map((secret) => ({ secret, before: 'postgres://app:', after: '@db.internal:5432/shop' })),
  bearer: letters(`${ALNUM}._-`, 30).map((rest) => ({ secret: withDigit(rest), before: 'Authorization: Bearer ' })),
  'basic header': letters(ALNUM, 24).map((secret) => ({ secret, before: 'authorization: Basic ' })),
  countersign: prefixed('cs_', `${ALNUM}_-`, 32),
  'webhook secret': prefixed('whsec_', `${ALNUM}+/`, 32),
  'password by name': letters(`${ALNUM}!?$*`, 8, 30).map((rest) => ({ secret: `p${rest}`, before: 'db.password=' })),
  'quoted password': letters(`${ALNUM}!?$*,; `, 8, 30).map((rest) => ({ secret: `p${rest}`, before: '"apiKey": "', after: '"' })),
  'flag password': letters(`${ALNUM}!?$*`, 8, 30).map((rest) => ({ secret: `p${rest}`, before: '--password ' })),
  'xml password': letters(`${ALNUM}!?$*`, 8, 30).map((rest) => ({ secret: `p${rest}`, before: '<clientSecret>', after: '</clientSecret>' })),
  card: alone(card),
  'card in groups': alone(
    fc
      .tuple(
        card.filter((digits) => digits.length === 16),
        fc.constantFrom(' ', '-'),
      )
      .map(([digits, separator]) => digits.replace(/(.{4})(?=.)/g, `$1${separator}`)),
  ),
  email: alone(
    fc
      .tuple(letters('abcdefghijk0123456789', 6, 12), letters('lmnopqr', 4, 12), fc.constantFrom('com', 'co.uk', 'example', 'io'))
      .map(([local, host, end]) => `${local}.x+y@${host}.${end}`),
  ),
};

// ---------------------------------------------------------------- how it is hidden

const everyByte = (text: string): number[] => [...Buffer.from(text, 'utf8')];
const ENCODINGS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  percent: (text) =>
    everyByte(text)
      .map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
      .join(''),
  'uri component': (text) => encodeURIComponent(text),
  'percent twice': (text) => encodeURIComponent(encodeURIComponent(text)),
  base64: (text) => Buffer.from(text).toString('base64'),
  base64url: (text) => Buffer.from(text).toString('base64url'),
  'base64 twice': (text) => Buffer.from(Buffer.from(text).toString('base64')).toString('base64'),
  'base64 behind a path': (text) => `secrets/a${Buffer.from(`note: ${text}`).toString('base64')}`,
  'base64 of UTF-16': (text) => Buffer.from(text, 'utf16le').toString('base64'),
  'base64 in lines': (text) =>
    Buffer.from(text)
      .toString('base64')
      .replace(/(.{20})/g, '$1\n'),
  'base64 in percent': (text) => encodeURIComponent(Buffer.from(text).toString('base64')),
  hex: (text) => Buffer.from(text).toString('hex'),
  'JSON in a string': (text) => JSON.stringify({ note: ['x', { text }] }),
  'JSON in JSON in a string': (text) => JSON.stringify({ body: JSON.stringify({ text }) }),
  'base64 of JSON': (text) => Buffer.from(JSON.stringify({ a: { text } })).toString('base64'),
  'JSON in base64 in JSON': (text) => JSON.stringify({ data: Buffer.from(JSON.stringify({ text })).toString('base64') }),
  'unicode escapes': (text) => [...text].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
  'HTML entities': (text) => [...text].map((letter) => `&#${letter.charCodeAt(0)};`).join(''),
  'full width': (text) => text.replace(/[!-~]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0)),
  'zero-width characters': (text) => [...text].join('\u200b'),
  'soft hyphens and variation selectors': (text) => [...text].join('\u00ad\ufe0f'),
  'Arabic digits': (text) => text.replace(/\d/g, (digit) => String.fromCharCode(0x660 + Number(digit))),
  'no-break spaces and dashes': (text) => text.replace(/ /g, '\u00a0').replace(/-/g, '\u2010'),
};

const CONTEXTS: readonly ((text: string) => JsonValue)[] = [
  (text) => text,
  (text) => ({ note: `please use ${text} for the job` }),
  (text) => ({ list: ['a', `(${text})`, 'b'] }),
  (text) => ({ log: `level=info msg="started" value: ${text}\nlevel=warn` }),
  (text) => ({ [text]: 'as a name' }),
  (text) => [{ deep: { er: [[`\t${text}\n`]] } }],
  (text) => `<p>${text}</p>`,
];

/** No stretch of twelve characters of the secret (of so many as they are in its encoding; all of it, if shorter) is left. */
function expectGone(secret: string, masked: JsonValue, atLeast = 12): void {
  const shown = strings(masked).join('\n');
  const width = Math.min(atLeast, secret.length);
  for (let start = 0; start + width <= secret.length; start++) {
    const piece = secret.slice(start, start + width);
    if (shown.includes(piece)) throw new Error(`"${piece}" is still in ${JSON.stringify(masked)}`);
  }
}

function strings(value: JsonValue): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)];
  return Object.entries(value).flatMap(([key, member]) => [key, ...strings(member)]);
}

describe('no planted secret is in what is shown', () => {
  for (const [name, planted] of Object.entries(CLASSES)) {
    test.each(Object.entries(ENCODINGS))(`${name}: %s`, (encoding, encode) => {
      fc.assert(
        fc.property(planted, fc.constantFrom(...CONTEXTS), ({ secret, before = '', after = '' }, context) => {
          const document = context(encode(before + secret + after));
          const { masked, report, complete } = maskValue(document, plan);
          expectGone(secret, masked);
          // JSON around a secret stays; the secret itself was looked for above.
          if (!encoding.includes('JSON')) expectGone(encode(secret), masked, Math.ceil((12 * encode(secret).length) / secret.length));
          expect(report.length).toBeGreaterThan(0);
          expect(JSON.stringify(report)).not.toContain(secret);
          expect(complete).toBe(true);
        }),
        { numRuns: 12 },
      );
    });
  }

  test('masked text has nothing left to mask', () => {
    fc.assert(
      fc.property(fc.oneof(...Object.values(CLASSES)), fc.constantFrom(...Object.values(ENCODINGS)), ({ secret, before = '', after = '' }, encode) => {
        const once = maskText(`run ${encode(before + secret + after)} now`, plan).masked;
        expect(maskText(once, plan)).toEqual({ masked: once, report: [], complete: true });
      }),
      { numRuns: 400 },
    );
  });
});

describe('what a command does stays readable', () => {
  test.each([
    'SELECT id, name FROM prod.customers WHERE id = 48211 LIMIT 10',
    's3://ml-retraining/2026/11/21/customers.csv',
    'git clone git@github.com:example/service.git',
    'ssh://git@host.example.com/repo',
    'npm install left-pad@1.3.0 @scope/pkg@2.0.0-beta.1',
    'kubectl rollout restart deployment/checkout-api -n production',
    'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    'commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12 trace 4bf92f3577b34da6a3ce929d0e0e4736',
    'ar_017f22e2-79b0-7cc3-98c4-dc0c0c07398f',
    'order 1234567890123456 at 1700000000000, 12 34 56 78 90 12 34 56',
    'risk-assessment-of-the-whole-department-2026',
    'max_tokens=4096 token_count: 17 total_tokens: 512 tokens=900',
    'password=$DB_PASSWORD --token ${{ secrets.DEPLOY }} --password-stdin registry.example.com',
    'https://user@host.example.com:8443/a/b?page=2#top',
    'Basic authentication is required; the bearer of this letter',
    'arn:aws:iam::123456789012:role/deployer',
    '日本語のテキスト、पाठ، نص עברית и русский',
  ])('%j', (text) => expect(maskText(text, plan)).toEqual({ masked: text, report: [], complete: true }));
});

describe('no input hangs', () => {
  const size = 65_536;
  const fill = (unit: string): string => unit.repeat(Math.ceil(size / unit.length)).slice(0, size);
  const units = [
    ...['a', 'A', '0', ' ', '-', '.', '@', '=', ':', '"', "'", '\\', '%', '&', '<', '[', '{', '/', '_', '\u0301', '\u200b', '\u{1F600}', 'é', '٣'],
    ...[
      'a@',
      'a@a.',
      '1-',
      '1 ',
      '4111 ',
      '411 1',
      'A.',
      'a.a@',
      '%41',
      '%25',
      '\\u0041',
      '\\\\',
      '&#65;',
      '&amp;',
      'eyJ',
      'eyJa.',
      '-----BEGIN PRIVATE KEY-----',
      '-----END',
      'password=',
      'password="',
      "password='",
      'password: |\n ',
      'password=\\"',
    ],
    ...[
      '<password>',
      '<password ',
      'token:',
      '--password ',
      'Authorization: ',
      'Authorization: Bearer ',
      'cookie: a=',
      '://',
      '://a:',
      '://a:b@',
      'AKIA',
      'ghp_',
      'glpat-',
      'xoxb-',
      'sk-',
      'sk_live_',
      'SG.',
      'SG.aaaaaaaaaaaaaaaa',
      'AIza',
      'ya29.',
      'npm_',
      'pypi-',
      '1//0',
      'sig=',
      '?sig=',
      'bearer ',
      'basic ',
      'Basic a',
      "password '",
      'identified by ',
      '-u a:',
      ' -u a',
      'hooks.slack.com/services/',
      '.atlasv1.',
      '12345678:AA',
    ],
    ...[
      'YWFh',
      'QUFB\n',
      'YWFhYWFhYWFhYWFhYWFhYWFhYWFh\n',
      '6161',
      '["',
      '[[',
      '{"a":',
      '"a":1,',
      'a-',
      'aB',
      'AB',
      'A_',
      'passwordA',
      'tokens',
      'a\r\n',
      '\r',
      ',a',
      ';a=',
      '$',
      '${',
      '{{',
    ],
  ];

  test('64 kB of every unit, alone and with a tail, come to an end', () => {
    for (const unit of units) {
      const text = fill(unit);
      for (const document of [text, { a: `${text}!` }, { [text]: 1 }, { note: `x=${text}\n"` }]) expect(maskValue(document, plan).report).toBeDefined();
    }
  }, 300_000);

  test('64 kB of base64 of base64 of base64 come to an end', () => {
    let text = 'password=hunter2 '.repeat(1000);
    for (let layer = 0; layer < 4; layer++) text = Buffer.from(text).toString('base64');
    expect(maskText(text.slice(0, 200_000), plan).report).toBeDefined();
  });

  test('random mixtures of hostile units never throw', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...units, '\n', 'x', 'com', 'hunter2'), { maxLength: 60 }), (pieces) => {
        expect(maskText(pieces.join(''), plan).complete).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
