import { expect, test } from '@jest/globals';
import { readTrust } from './trust-file.js';
import { bindingOf, fits } from './trust-rule.js';

const problemsOf = (text: string): string[] => {
  const read = readTrust('trust.yaml', text);
  return read.ok ? [] : read.problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
};
const onlyOf = <T>([only]: readonly T[]): T => {
  if (only === undefined) throw new Error('there is none');
  return only;
};
const rule = (match: string, more = '', platform = 'github'): string =>
  `trust:\n  - caller: a\n    owner: dana@example.com\n    platform: ${platform}\n    match: ${match}\n    rights: { actors: ["*"], actions: ["*"] }\n${more}`;

test('a rule takes what its platform says of issuer, replay and human, and the service says the audience', () => {
  const read = readTrust('trust.yaml', rule('{ repository_id: 74, ref: refs/heads/main }'));
  expect(read.ok && bindingOf(onlyOf(read.rules), 'https://countersign.example.com')).toMatchObject({
    issuer: 'https://token.actions.githubusercontent.com',
    audience: 'https://countersign.example.com',
    match: { repository_id: ['74'], ref: ['refs/heads/main'] },
    replay: 'once',
    human: { issuer: 'https://github.com', user: 'actor_id' },
  });
});

test.each<[string, string, string]>([
  ['a name without its id', rule('{ repository: acme/shop }'), '5:5 trust[0].match: must pin "repository_id"'],
  ['an id that is a pattern', rule('{ repository_id: "7*" }'), '5:5 trust[0].match: must pin'],
  ['one exact id among patterns', rule('{ repository_id: ["74", "7*"] }'), '5:5 trust[0].match: must pin'],
  [
    'the owner’s id under a repository’s name',
    rule('{ repository_owner_id: "65", repository: acme/shop }'),
    '5:41 trust[0].match.repository: is a name that others can get: pin "repository_id"',
  ],
  ['a claim that matches anything', rule('{ repository_id: "74", ref: "*" }'), '5:35 trust[0].match.ref: matches anything'],
  ['a rule over the times', rule('{ repository_id: "74", exp: "1" }'), '5:35 trust[0].match.exp: is not for rules'],
  ['an issuer over http', rule('{ repository_id: "74" }', '    issuer: http://ghes.example.com\n'), '7:5 trust[0].issuer: must be an https URL'],
  ['no issuer where there is none for all', rule('{ project_id: "1" }', '', 'gitlab'), '2:5 trust[0].issuer: platform gitlab'],
  ['a word that is no member', rule('{ repository_id: "74" }', '    audiences: x\n'), '7:5 trust[0].audiences: is no member of a trust rule'],
  [
    'a private key',
    rule('{ repository_id: "74" }', '    jwks: { keys: [{ kty: RSA, n: x, e: AQAB, d: x }] }\n'),
    '7:20 trust[0].jwks.keys[0]: is a private key',
  ],
  ['a shared secret', rule('{ repository_id: "74" }', '    jwks: { keys: [{ kty: oct, k: x }] }\n'), '7:'],
  ['an alias', 'trust:\n  - &a { caller: x }\n  - *a\n', '3:5 : aliases'],
  ['two rules for one caller', rule('{ repository_id: "74" }', rule('{ repository_id: "75" }').slice(7)), '7:5 trust[1].caller: this caller stands already'],
  [
    'a rule inside another',
    rule('{ repository_id: "74" }', rule('{ repository_id: "74", ref: refs/heads/main }').slice(7).replace('caller: a', 'caller: b')),
    '10:5 trust[1].match: every token',
  ],
  [
    'a human without a claim',
    rule('{ id: "1" }', '    issuer: https://issuer.example.com\n    immutable: [id]\n    human: { name: email }\n', 'other'),
    'trust[0].human',
  ],
  ['nothing pinned on a platform of one’s own', rule('{ sub: x }', '    issuer: https://issuer.example.com\n', 'other'), 'say with `immutable`'],
])('%s is refused, with its place', (_what, text, expected) => {
  const problems = problemsOf(text);
  expect(problems.join('\n')).toContain(expected);
});

test('A * stands for any run of characters, and nothing else stands for anything', () => {
  expect(fits(['refs/heads/release/*'], 'refs/heads/release/1')).toBe(true);
  expect(fits(['refs/heads/release/*'], 'refs/heads/releas')).toBe(false);
  expect(fits(['a*a'], 'a')).toBe(false);
  expect(fits(['a*b*c'], 'axxbyyc')).toBe(true);
  expect(fits(['a*b*c'], 'acb')).toBe(false);
  expect(fits(['a.c'], 'abc')).toBe(false);
  expect(fits(['[a-z]+'], 'abc')).toBe(false);
  // Only as they are written: no case is folded, and look-alikes are others.
  expect(fits(['refs/heads/main'], 'refs/heads/Main')).toBe(false);
  expect(fits(['refs/heads/main'], 'refs/heads/maın')).toBe(false);
});
