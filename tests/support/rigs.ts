import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '@countersign/dev-env/free-port';
import { until } from './until.js';

const installed = path.join(import.meta.dirname, '../rigs/node_modules');

/**
 * A server of tests/rigs, by its file there; undefined where it is not installed (`npm ci --prefix tests/rigs`) and, said loudly, where it
 * does not run on this platform. In CI nothing may be left out, so there a missing one throws.
 */
export function rig(file: string, what: string): string | undefined {
  const found = path.join(installed, file);
  if (existsSync(found)) return found;
  const platform = `${process.platform} ${process.arch}`;
  if (process.env['CI'] && platform === 'linux x64') throw new Error(`tests/rigs is not installed, and in CI no test may be left out: ${what}`);
  process.stderr.write(`left out (needs npm ci --prefix tests/rigs, on Linux x64; this is ${platform}): ${what}\n`);
  return undefined;
}

export const LOCAL_SLACK = 'local-slack-linux-x64/bin/local-slack';
export const PLAYGROUND = '@microsoft/m365agentsplayground/cli.js';

export interface Rig {
  url: string;
  output(): string;
  stop(): Promise<void>;
}

/** Starts a rig in a folder of its own with the files given, and waits until its page answers. */
export async function startRig(options: {
  program: string;
  args: (port: number) => readonly string[];
  files: Record<string, string>;
  env?: Record<string, string>;
  port?: number;
}): Promise<Rig> {
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(path.join(tmpdir(), 'countersign-rig-'));
  for (const [name, text] of Object.entries(options.files)) await writeFile(path.join(folder, name), text);
  const chunks: Buffer[] = [];
  const child: ChildProcess = spawn(options.program, [...options.args(port)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: folder, ...options.env },
  });
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const output = (): string => Buffer.concat(chunks).toString('utf8');
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  async function stop(): Promise<void> {
    kill();
    await ended;
    process.removeListener('exit', kill);
    await rm(folder, { recursive: true, force: true });
  }
  const url = `http://localhost:${port}`;
  const answers = async (): Promise<boolean> =>
    fetch(url).then(
      (answer) => answer.ok,
      () => false,
    );
  await until(answers, () => `${options.program} to answer; it said:\n${output()}`, 60_000).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { url, output, stop };
}
