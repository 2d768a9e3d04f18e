/**
 * Brings a checkout to where it can run, with nothing but Node and npm: installs what the lockfile names, builds what changed.
 * Says little when there is little to do.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const OLDEST_NODE = [20, 20];

/** What pnpm writes when it has installed. */
const installedMark = path.join(root, 'node_modules', '.modules.yaml');

/** Ends the process with one clear line. */
export function fail(line, details = '') {
  if (details !== '') process.stderr.write(`${details.trimEnd()}\n`);
  process.stderr.write(`countersign: ${line}\n`);
  process.exit(1);
}

/** The environment in which the workspace's own tools are found first, and none of them phones home. */
export function toolEnvironment(extra = {}) {
  const bin = path.join(root, 'node_modules', '.bin');
  return {
    ...process.env,
    PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}`,
    TURBO_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
    CHECKPOINT_DISABLE: '1',
    ...extra,
  };
}

/** Runs a tool to its end; its output is shown only where it fails. */
export function runQuietly(command, args, failure) {
  const result = spawnSync(command, args, {
    cwd: root,
    env: toolEnvironment(),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32',
  });
  if (result.error !== undefined) fail(`${failure}: ${result.error.message}`);
  if (result.status !== 0) fail(failure, `${result.stdout}\n${result.stderr}`.split('\n').slice(-60).join('\n'));
}

/** Installs where the lockfile is newer than what is installed, then builds through Turborepo's cache. */
export function prepare({ say = () => {} } = {}) {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
    fail(`Node ${OLDEST_NODE.join('.')} or newer is needed; this is ${process.versions.node}.`);
  }
  if (!isInstalled()) {
    say('Installing packages (first start only; about a minute)');
    const { packageManager } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    runQuietly('npx', ['--yes', packageManager, 'install', '--frozen-lockfile'], 'The packages could not be installed. Is there a network? Run it again.');
    // pnpm leaves its mark alone where nothing had to change; then the next start would ask again.
    utimesSync(installedMark, new Date(), new Date());
  }
  if (!existsSync(path.join(root, 'apps/server/dist/main.js'))) say('Building (first start only)');
  runQuietly(path.join(root, 'node_modules', '.bin', 'turbo'), ['run', 'build', '--output-logs=errors-only'], 'The build failed; the compiler says why above.');
}

function isInstalled() {
  if (!existsSync(installedMark)) return false;
  const newest = Math.max(...['pnpm-lock.yaml', 'pnpm-workspace.yaml'].map((file) => statSync(path.join(root, file)).mtimeMs));
  return statSync(installedMark).mtimeMs >= newest;
}
