import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ActionRequest } from '@countersign/contracts';
import { needs } from '@countersign/dev-env/needs';
import { countersign } from '../../testing/terminal.js';

/* Which rules never say no, and what would spare people: from the service's own answers, in a file. */

const POLICY = `apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: { name: suggest, version: 1 }
defaults: { outcome: deny, undeclared: allow }
rules:
  - id: exports # asks often
    effect: require
    actions: [data.export]
    require: { stages: [{ all: [{ group: owners, quorum: 1 }] }] }

# The end
coverage: { min_rules: 0% }
`;
const DIGEST = `sha256:${'0'.repeat(64)}` as const;
const id = (prefix: string, number: number): string => `${prefix}_00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'countersign-suggest-'));
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

interface Past {
  count: number;
  actor?: string;
  denials?: number;
  approvers?: number;
  /** Over so many days. */
  days?: number;
  seconds?: number;
  breakGlass?: number;
}

/** Requests that people decided, as the service answers them. */
function past({ count, actor = 'retrainer', denials = 0, approvers = 3, days = 60, seconds = 40, breakGlass = 0 }: Past): ActionRequest[] {
  return Array.from({ length: count }, (_unused, index): ActionRequest => {
    const at = Date.parse('2026-08-01T00:00:00.000Z') + Math.round((index * days * 86_400_000) / Math.max(1, count - 1));
    const created_at = new Date(at).toISOString();
    const decided_at = new Date(at + seconds * 1000).toISOString();
    const verdict = index < denials ? 'deny' : 'approve';
    const person = { id: id('per', index % approvers), email: `p${index % approvers}@example.com`, name: 'P' };
    const authenticated = { issuer: 'x', method: 'session' as const, at: decided_at };
    return {
      ...{
        id: id('ar', index),
        status: verdict === 'deny' ? 'denied' : 'approved',
        action_digest: DIGEST,
        request_digest: DIGEST,
        created_at,
        expires_at: decided_at,
      },
      ...{
        url: 'http://localhost/',
        action: 'data.export',
        resource: { type: 'table', id: 't' },
        actor: { type: 'agent', id: actor },
        environment: 'production',
      },
      requester: { type: 'api_key', id: 'key', name: 'key', authenticated },
      masked: [],
      evaluation: { effect: 'require', rules: ['exports'], policy_digest: DIGEST, explanation: '' },
      requirement: null,
      decisions: [
        {
          id: id('dec', index),
          person,
          verdict,
          reason: null,
          decided_at,
          via: 'web',
          authenticated,
          ...(index < breakGlass ? { break_glass: true as const } : {}),
        },
      ],
      ...{ outcome: null, redeemed_at: null, use_until: null, report: null },
    };
  });
}

async function suggest(requests: readonly ActionRequest[], args: string[] = []) {
  await writeFile(path.join(cwd, 'policy.yaml'), POLICY);
  await writeFile(path.join(cwd, 'past.jsonl'), requests.map((request) => JSON.stringify(request)).join('\n'));
  return countersign(['policy', 'suggest', '--file', 'past.jsonl', ...args], { cwd });
}
const suggestions = async (requests: readonly ActionRequest[]): Promise<unknown[]> => JSON.parse((await suggest(requests, ['--json'])).out).suggestions;

test('B5: how often each rule asked, denied, by whom, how fast, and the bound on denials', async () => {
  const { code, out } = await suggest(past({ count: 214 }));
  expect(code).toBe(0);
  // The rule of three: 0 of 214 is less than 3/214 = 1.4 %.
  expect(out).toMatch(/^exports\s+214\s+0\s+3\s+40 s\s+1\.4 %$/m);
  expect(out).toContain('Suggestion: retrainer asked 214 times for data.export in production by exports, never denied');
});

test.each<[string, Past, number]>([
  ['often, long, by several, never denied', { count: 30 }, 1],
  ['one denial', { count: 60, denials: 1 }, 0],
  ['too few', { count: 29 }, 0],
  ['one approver alone', { count: 60, approvers: 1 }, 0],
  ['in a few days', { count: 60, days: 29 }, 0],
  ['by an emergency once', { count: 60, breakGlass: 1 }, 0],
  ['faster than anybody reads', { count: 60, seconds: 3 }, 0],
])('B5: %s', async (_name, requests, expected) => {
  expect(await suggestions(past(requests))).toHaveLength(expected);
});

test('B5: decisions that nobody can have read are told', async () => {
  expect((await suggest(past({ count: 60, seconds: 3 }))).out).toContain('Beware: exports is decided in 3.0 s: nobody reads so fast.');
});

const git = needs('git', 'the change that policy suggest would make');
(git === undefined ? test.skip : test)(
  'B5: the change it would make is a diff that applies, loads, and passes its own test; the file stays as it is',
  async () => {
    const { code, out } = await suggest(past({ count: 60 }), ['--policy', 'policy.yaml']);
    expect(code).toBe(0);
    const added = out.split('\n').filter((line) => /^\+(?!\+\+)/.test(line));
    expect(added[0]).toBe('+  - id: suggested-exports-retrainer');
    expect(added.join('\n')).toMatch(/exempts:\n\+\s+- exports/);
    expect(added.join('\n')).toContain('60 of 60 approved in 60 d by 3 approvers, median 40 s, denials below 4.9 % (95 %)');
    expect(out).toContain(' # The end');
    expect(await readFile(path.join(cwd, 'policy.yaml'), 'utf8')).toBe(POLICY);
    for (const [index, part] of out
      .slice(out.indexOf('--- a/'))
      .split(/^(?=--- a\/)/m)
      .entries()) {
      await writeFile(path.join(cwd, `${index}.patch`), part.endsWith('\n') ? part : `${part}\n`);
      await promisify(execFile)(git ?? '', ['apply', `${index}.patch`], { cwd });
    }
    expect(await countersign(['policy', 'test', 'policy.yaml'], { cwd })).toMatchObject({ code: 0, out: expect.stringContaining('1 passed, 0 failed') });
  },
);
