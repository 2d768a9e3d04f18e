import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { needs } from '@countersign/dev-env/needs';
import { root } from './support/running-server.js';

/* The step of a pull request, as GitHub runs it: a repository with a base and a branch, and a server that speaks GitHub's comments. */

// A command's start takes a second where nothing else runs.
jest.setTimeout(120_000);

const POLICY = `apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: { name: shop, version: 1 }
defaults: { outcome: deny, undeclared: allow }
rules:
  - id: exports
    effect: deny
    actions: [data.export]
tests:
  - { name: denied, request: { action: data.export }, expect: { outcome: deny, rules: [exports] } }
`;

const it = needs('git', 'the step of a pull request') === undefined ? test.skip : test;

let github: Server;
let api: string;
let comments: { id: number; body: string; user: { type: string } }[];
let repository: string;

beforeAll(async () => {
  github = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const answer = (value: unknown): void => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
      if (request.headers.authorization !== 'Bearer gh-token') return void response.writeHead(401).end('{}');
      const { pathname } = new URL(request.url ?? '', 'http://x');
      if (request.method === 'GET' && pathname === '/repos/o/r/issues/7/comments') return answer(comments);
      if (request.method === 'POST' && pathname === '/repos/o/r/issues/7/comments') {
        comments.push({ id: comments.length + 1, body: JSON.parse(text).body, user: { type: 'Bot' } });
        return answer({});
      }
      const found = comments.find(({ id }) => pathname === `/repos/o/r/issues/comments/${id}`);
      if (request.method !== 'PATCH' || found === undefined) return void response.writeHead(404).end('{}');
      found.body = JSON.parse(text).body;
      return answer({});
    });
  });
  await new Promise<void>((resolve) => github.listen(0, '127.0.0.1', resolve));
  // A TCP server that listens has an AddressInfo.
  api = `http://127.0.0.1:${(github.address() as AddressInfo).port}`;
  repository = mkdtempSync(path.join(tmpdir(), 'countersign-action-'));
  comments = [{ id: 99, body: '<!-- countersign policy --> not ours', user: { type: 'User' } }];
  git('init', '-q');
  commit(POLICY);
});
afterAll(() => {
  github?.close();
  rmSync(repository, { recursive: true, force: true });
});

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: repository, encoding: 'utf8' }).trim();
function commit(text: string): void {
  writeFileSync(path.join(repository, 'policy.yaml'), text);
  git('add', 'policy.yaml');
  git('commit', '-q', '-m', 'policy');
}

/** Runs the step on what is checked out. */
function step(base: string): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    const env = {
      ...{ PATH: process.env['PATH'], HOME: process.env['HOME'], POLICY: 'policy.yaml', BASE: base, COMMENT: 'true', PULL_REQUEST: '7' },
      ...{ GITHUB_TOKEN: 'gh-token', GITHUB_REPOSITORY: 'o/r', GITHUB_API_URL: api, GITHUB_OUTPUT: path.join(repository, '.git', 'output') },
    };
    execFile(process.execPath, [path.join(root, '.github/actions/policy/report.mjs')], { cwd: repository, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), out: `${stdout}${stderr}` }),
    );
  });
}

it('B1, B4: a pull request is told what its policy changes, in one comment that later runs bring up to date', async () => {
  const base = git('rev-parse', 'HEAD');
  commit(
    POLICY.replace('effect: deny\n', 'effect: require\n    require: { stages: [{ all: [{ group: owners, quorum: 1 }] }] }\n').replace(
      'outcome: deny, rules',
      'outcome: require, rules',
    ),
  );
  expect((await step(base)).code).toBe(0);
  expect(comments).toHaveLength(2);
  expect(comments[1]?.body).toContain('Tests: passed');
  expect(comments[1]?.body).toContain('**may loosen**');
  expect(comments[1]?.body).toContain('~ exports: effect, require');
  expect(readFileSync(path.join(repository, '.git', 'output'), 'utf8')).toContain('report<<end-');
  expect(git('status', '--porcelain')).toBe('');

  commit(POLICY.replace('rules: [exports]', 'rules: []'));
  const failed = await step(base);
  expect(failed.code).toBe(1);
  expect(comments).toHaveLength(2);
  expect(comments[1]?.body).toContain('Tests: **failed**');
});

it('B1: a bundle that cannot be used is told beside its line, and its text stays code', async () => {
  const base = git('rev-parse', 'HEAD~1');
  commit(POLICY.replace('effect: deny', 'effect: "@everyone ``` <img src=x>"'));
  const { code, out } = await step(base);
  expect(code).toBe(1);
  expect(out).toMatch(/^::error file=policy\.yaml,line=7,col=\d+::/m);
  const body = comments[1]?.body ?? '';
  const fences = body.split('\n').filter((line) => /^`{3,}$/.test(line));
  expect(fences.length % 2).toBe(0);
});
