import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { countersign } from '../../testing/terminal.js';

/* What a policy's author does on files alone: check, test, fmt, explain, schema. */

const POLICY = `apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: { name: offline, version: 1 }
defaults:
  outcome: deny
  undeclared: allow
  require: { stages: [{ name: owners, all: [{ group: owners, quorum: 1 }] }] }
groups: { owners: {}, security: {} }
rules:
  - id: exports
    effect: require
    actions: [data.export]
    when: has(parameters.rows) && parameters.rows > 1000
    explain: Large exports need two
    require: { stages: [{ name: both, all: [{ group: owners, quorum: 1 }, { group: security, quorum: 1 }] }] }
  - id: no-drop
    effect: deny
    actions: [db.drop]
tests:
  - { name: large, request: { action: data.export, parameters: { rows: 5000 } }, expect: { outcome: require, rules: [exports], groups: { owners: 1, security: 1 } } }
  - { name: small, request: { action: data.export, parameters: { rows: 5 } }, expect: { outcome: deny, rules: [] } }
`;
const DIRECTORY = `people:
  - { email: alice@example.com, name: Alice, groups: [owners] }
  - { email: bob@example.com, name: Bob, groups: [owners, security] }
  - { email: dave@example.com, name: Dave, groups: [owners] }
  - { email: carol@example.com, name: Carol, active: false, groups: [security] }
`;

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'countersign-policy-'));
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

/** Runs `countersign policy …` beside a policy with these changes. */
async function policy(args: string[], changes: (text: string) => string = (text) => text, directory = DIRECTORY) {
  await writeFile(path.join(cwd, 'policy.yaml'), changes(POLICY));
  await writeFile(path.join(cwd, 'directory.yaml'), directory);
  return countersign(['policy', ...args], { cwd });
}

describe('policy check', () => {
  test('B4: a bundle that can be used, with its digest', async () => {
    expect(await policy(['check', 'policy.yaml'])).toMatchObject({ code: 0, out: expect.stringMatching(/^OK: offline, 2 rules, sha256:[0-9a-f]{64}$/m) });
  });

  test('B4: each problem stands with file, line and column, also as GitHub shows it', async () => {
    const broken = (text: string): string => text.replace('parameters.rows > 1000', 'parameter.rows > 1000');
    const told = await policy(['check', 'policy.yaml'], broken);
    expect(told).toMatchObject({ code: 1, out: expect.stringMatching(/^policy\.yaml:13:\d+: .*parameter/m) });
    expect(told.out).toContain('parameters');
    expect((await policy(['check', 'policy.yaml', '--format', 'github'], broken)).out).toMatch(/^::error file=policy\.yaml,line=13,col=\d+::/m);
  });

  test('B3: what a directory cannot satisfy: never, without one of its people, and groups that it does not know', async () => {
    const held = ['check', 'policy.yaml', '--directory', 'directory.yaml'];
    // Bob alone is in security, and Carol's account is not active.
    const fine = await policy(held);
    expect(fine.code).toBe(0);
    expect(fine.out).toContain('warning: where bob@example.com stands behind a request, nobody can satisfy what the rule "exports" asks for');
    const never = await policy(held, (text) => text.replace('{ group: security, quorum: 1 }] }] }', '{ group: security, quorum: 2 }] }] }'));
    expect(never).toMatchObject({ code: 1, out: expect.stringContaining('error: nobody can satisfy what the rule "exports" asks for: "both" stays open') });
    const unknown = await policy(held, undefined, DIRECTORY.replaceAll('security', 'safety'));
    expect(unknown).toMatchObject({ code: 1, out: expect.stringContaining('error: the directory has no group "security"') });
    const onCall = '\nschedules: { night: { start: 2026-01-05, handover: weekly, rotation: [bob@example.com, zoe@example.com] } }\n';
    const strangers = await policy(held, (text) => text + onCall);
    expect(strangers).toMatchObject({ code: 1, out: expect.stringContaining('error: the directory has nobody active with the address zoe@example.com') });
    expect(strangers.out).not.toContain('address bob');
  });
});

describe('policy test', () => {
  test('B4: tests pass, and what they do not see is told; more may be demanded', async () => {
    const run = await policy(['test', 'policy.yaml']);
    expect(run.code).toBe(0);
    expect(run.out).toContain('note  no test matches no-drop');
    expect(run.out).toContain('2 passed, 0 failed; rules 50 %, conditions 75 % both ways');
    const more = await policy(['test', 'policy.yaml', '--min-rules', '100']);
    expect(more).toMatchObject({ code: 1, out: expect.stringContaining('no test matches no-drop') });
  });

  test('B4: a test that fails says what came instead, as text, JUnit and TAP', async () => {
    const wrong = (text: string): string => text.replace('outcome: deny, rules: []', 'outcome: allow, rules: []');
    expect(await policy(['test', 'policy.yaml'], wrong)).toMatchObject({
      code: 1,
      out: expect.stringContaining('FAIL  small\n      expected allow, and it is deny'),
    });
    const junit = await policy(['test', 'policy.yaml', '--format', 'junit'], wrong);
    expect(junit).toMatchObject({ code: 1, out: expect.stringContaining('<testsuite name="offline" tests="3" failures="1"') });
    const tap = await policy(['test', 'policy.yaml', '--format', 'tap'], wrong);
    expect(tap.out.split('\n').slice(0, 4)).toEqual(['TAP version 14', '1..3', 'ok 1 - large', 'not ok 2 - small']);
  });
});

describe('policy fmt', () => {
  test('a file is laid out once; comments and meaning stay', async () => {
    const untidy = (text: string): string =>
      `# Ours\n${text.replace(/rules:[\s\S]*/, '').trimEnd()}\nrules: [] # none yet\n`.replace('kind: PolicyBundle\n', '').concat('kind: PolicyBundle\n');
    const before = await policy(['check', 'policy.yaml'], untidy);
    expect((await policy(['fmt', 'policy.yaml', '--check'], untidy)).code).toBe(1);
    expect((await policy(['fmt', 'policy.yaml'], untidy)).out).toBe('policy.yaml written');
    const text = await readFile(path.join(cwd, 'policy.yaml'), 'utf8');
    expect(text).toMatch(/^# Ours\napiVersion: countersign.dev\/v1\nkind: PolicyBundle\n/);
    expect(text).toContain('# none yet');
    expect(await countersign(['policy', 'fmt', 'policy.yaml', '--check'], { cwd })).toMatchObject({ code: 0, out: '' });
    expect(await countersign(['policy', 'check', 'policy.yaml'], { cwd })).toEqual(before);
  });
});

describe('policy explain', () => {
  const request = {
    action: 'data.export',
    resource: { type: 'table', id: 't' },
    parameters: { rows: 5000 },
    actor: { type: 'agent', id: 'a' },
    callback: { url: 'https://x.example' },
  };

  test('B2: which rule matched, on which value, and what would have changed it', async () => {
    await writeFile(path.join(cwd, 'request.json'), JSON.stringify(request));
    const { code, out } = await policy(['explain', 'policy.yaml', '--request', 'request.json', '--now', '2026-12-24T18:00:00Z']);
    expect(code).toBe(0);
    expect(out).toMatch(/^REQUIRE {2}by offline 1, sha256:\S+, as of 2026-12-24T18:00:00.000Z$/m);
    expect(out).toContain('▸ exports (require): matches');
    expect(out).toMatch(/when parameters\.rows > 1000 → true; were it false: deny/);
    expect(out).toContain('parameters.rows = 5000');
  });

  test('a request that does not fit says where', async () => {
    await writeFile(path.join(cwd, 'request.json'), JSON.stringify({ ...request, resource: undefined }));
    expect(await policy(['explain', 'policy.yaml', '--request', 'request.json'])).toMatchObject({ code: 2, err: expect.stringContaining('resource') });
  });
});

describe('policy diff and replay', () => {
  const LOOSER = POLICY.replace('parameters.rows > 1000', 'parameters.rows > 9000').replace('version: 1', 'version: 2');
  const REQUESTS = [10, 5000, 8000, 20_000].map((rows, index) =>
    JSON.stringify({ id: `r${index}`, action: 'data.export', resource: { type: 'table', id: 't' }, parameters: { rows }, actor: { type: 'agent', id: 'a' } }),
  );
  const beside = async (requests: readonly string[] = REQUESTS): Promise<void> => {
    await writeFile(path.join(cwd, 'looser.yaml'), LOOSER);
    await writeFile(path.join(cwd, 'requests.jsonl'), requests.join('\n'));
  };

  test('B4: which rules changed, in what, and what may loosen', async () => {
    await beside();
    expect(await policy(['diff', 'policy.yaml', 'looser.yaml'])).toMatchObject({
      code: 1,
      out: '~ exports: when\nmay loosen: The rule exports was changed.',
    });
    expect(await policy(['diff', 'policy.yaml', 'policy.yaml'])).toMatchObject({ code: 0, out: 'The bundles are the same.' });
  });

  test('B4: how past requests would have come out, from a file alone', async () => {
    await beside();
    const replay = ['replay', 'looser.yaml', '--against', 'policy.yaml', '--file', 'requests.jsonl'];
    const { code, out } = await policy(replay);
    // Where no rule speaks the default denies, so asking less often is the stricter bundle here.
    expect(out).toMatch(/^stricter\s+2 {2}require → deny {2}r1 r2$/m);
    expect(out).toContain('4 requests replayed, 2 would have come out otherwise.');
    expect(code).toBe(0);
    const back = await policy(['replay', 'policy.yaml', '--against', 'looser.yaml', '--file', 'requests.jsonl', '--fail-on-loosening']);
    expect(back).toMatchObject({ code: 1, out: expect.stringMatching(/^looser\s+2 {2}deny → require {2}r1 r2$/m) });
  });

  test('a line that is no request is named', async () => {
    await beside([REQUESTS[0] ?? '', '{"action": 5}']);
    expect(await policy(['replay', 'looser.yaml', '--against', 'policy.yaml', '--file', 'requests.jsonl'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('requests.jsonl:2:'),
    });
  });
});

test('policy schema: what the language has', async () => {
  const { out } = await countersign(['policy', 'schema'], { cwd });
  const schema = JSON.parse(out);
  expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(['defaults', 'rules', 'catalogue', 'windows', 'lets', 'tests']));
  expect(schema.additionalProperties).toBe(false);
});
