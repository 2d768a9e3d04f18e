/**
 * What the pull request's policy does: check, tests, difference from the base, and how past requests would have come out. Inputs come as
 * environment variables, never as text of a shell command, for a branch's name or a file's content may be anybody's.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const { POLICY = '', DIRECTORY = '', BASE = '', DAYS = '30', COMMENT, FAIL_ON_LOOSENING, PULL_REQUEST = '' } = process.env;
const { COUNTERSIGN_URL = '', COUNTERSIGN_TOKEN = '', GITHUB_TOKEN = '', GITHUB_REPOSITORY = '', GITHUB_API_URL = 'https://api.github.com' } = process.env;
const bin = fileURLToPath(new URL('../../../bin/countersign', import.meta.url));
/** What tells our comment from others. */
const MARK = '<!-- countersign policy -->';
const ZEROS = /^0*$/;

/** Runs a command of countersign with no more of the environment than it needs. */
function countersign(args, env = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'policy', ...args], {
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
  return { code: status ?? 2, out: `${stdout}${stderr}`.trimEnd() };
}

/** Lines as code: nothing in them is Markdown, a mention or a link. */
function block(text) {
  const lines = text.length > 20_000 ? `${text.slice(0, 20_000)}\n… ${text.length - 20_000} more characters in the step's log` : text;
  const longest = Math.max(2, ...[...lines.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${lines}\n${fence}`;
}

/** The base's bundle in a folder of its own; null where the base has none. */
function checkOutBase() {
  if (ZEROS.test(BASE)) return null;
  const folder = mkdtempSync(path.join(tmpdir(), 'countersign-base-'));
  try {
    execFileSync('git', ['fetch', '--no-tags', '--depth=1', 'origin', '--', BASE], { stdio: 'ignore' });
  } catch {
    // It is here already, or is not to be had; the next command tells.
  }
  try {
    execFileSync('git', ['--work-tree', folder, 'checkout', '--quiet', BASE, '--', POLICY], {
      stdio: 'ignore',
      env: { ...process.env, GIT_INDEX_FILE: path.join(folder, '.index') },
    });
    return folder;
  } catch {
    rmSync(folder, { recursive: true, force: true });
    return null;
  }
}

const check = countersign(['check', POLICY, '--format', 'github', ...(DIRECTORY === '' ? [] : ['--directory', DIRECTORY])]);
// Workflow commands: the problems stand beside their lines.
process.stdout.write(`${check.out}\n`);
const told = check.out.replaceAll(/^::(\w+)(?: file=([^,\n]*),line=(\d+),col=(\d+))?::/gm, (_all, level, file, line, column) =>
  file === undefined ? `${level}: ` : `${level}: ${file}:${line}:${column}: `,
);
const parts = [
  MARK,
  '### Countersign policy',
  check.code === 0 ? 'The bundle can be used.' : 'The bundle **cannot be used**.',
  ...(told === '' ? [] : [block(told)]),
];
let failed = check.code !== 0;
if (!failed) {
  const tests = countersign(['test', POLICY]);
  failed ||= tests.code !== 0;
  parts.push(`#### Tests: ${tests.code === 0 ? 'passed' : '**failed**'}`, block(tests.out));
  const base = checkOutBase();
  if (base !== null) {
    const diff = countersign(['diff', path.join(base, POLICY), POLICY]);
    parts.push(`#### Rules: ${diff.code === 0 ? 'nothing loosens' : diff.code === 1 ? '**may loosen**' : 'not compared'}`, block(diff.out));
    rmSync(base, { recursive: true, force: true });
  }
  if (COUNTERSIGN_URL !== '' && COUNTERSIGN_TOKEN !== '') {
    const flags = FAIL_ON_LOOSENING === 'true' ? ['--fail-on-loosening'] : [];
    const replay = countersign(['replay', POLICY, '--days', DAYS, ...flags], { COUNTERSIGN_URL, COUNTERSIGN_TOKEN });
    failed ||= replay.code !== 0;
    parts.push(`#### The last ${Number(DAYS)} days, replayed`, block(replay.out));
  }
}
const report = parts.join('\n\n');
process.stdout.write(`${report}\n`);
if (process.env.GITHUB_STEP_SUMMARY) appendFileSync(process.env.GITHUB_STEP_SUMMARY, `${report}\n`);
if (process.env.GITHUB_OUTPUT) {
  const end = `end-${process.hrtime.bigint()}`;
  appendFileSync(process.env.GITHUB_OUTPUT, `report<<${end}\n${report}\n${end}\n`);
}
if (COMMENT === 'true' && PULL_REQUEST !== '') await comment();
process.exitCode = failed ? 1 : 0;

/** One comment, brought up to date by later runs. */
async function comment() {
  const call = async (method, where, body) => {
    const answer = await fetch(`${GITHUB_API_URL}/repos/${GITHUB_REPOSITORY}/${where}`, {
      method,
      headers: { authorization: `Bearer ${GITHUB_TOKEN}`, accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`GitHub answered ${answer.status} to ${method} ${where}`);
    return answer.json();
  };
  try {
    let known;
    for (let page = 1; known === undefined; page += 1) {
      const comments = await call('GET', `issues/${Number(PULL_REQUEST)}/comments?per_page=100&page=${page}`);
      known = comments.find(({ body, user }) => body?.startsWith(MARK) && user?.type === 'Bot');
      if (comments.length < 100) break;
    }
    if (known === undefined) await call('POST', `issues/${Number(PULL_REQUEST)}/comments`, { body: report });
    else await call('PATCH', `issues/comments/${known.id}`, { body: report });
  } catch (error) {
    // A fork's token may not comment; the report stands in the step's summary all the same.
    process.stdout.write(`::warning::The report could not be posted as a comment: ${error.message}\n`);
  }
}
