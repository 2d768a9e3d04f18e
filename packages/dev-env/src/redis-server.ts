import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { freePort } from './free-port.js';

/** A real redis-server on a free loopback port, for tests that take it away. */
export interface RedisServer {
  readonly url: string;
  /** Sends one command (no spaces within its words) and gives the first line of the answer. */
  command(...words: string[]): Promise<string>;
  /** SIGKILL, as the out-of-memory killer does it. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * @param path the program, from {@link needs}.
 * @param flags further options, for example `--maxmemory-policy allkeys-lru`.
 */
export async function startRedisServer(path: string, flags: readonly string[] = []): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-redis-'));
  const port = await freePort();
  let child = await launch(path, port, folder, flags);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    command: (...words) => sendCommand(port, words),
    kill,
    async restart() {
      child = await launch(path, port, folder, flags);
    },
    async stop() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(path: string, port: number, folder: string, flags: readonly string[]): Promise<ChildProcess> {
  const child = spawn(path, ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code} before it was ready`)));
    lines.on('line', (line) => {
      if (line.includes('Ready to accept connections')) resolve();
    });
  });
  return child;
}

/** Inline commands of the Redis protocol (https://redis.io/docs/latest/develop/reference/protocol-spec/#inline-commands). */
async function sendCommand(port: number, words: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    socket.write(`${words.join(' ')}\r\n`);
    const [line]: string[] = await once(createInterface({ input: socket }), 'line');
    return line ?? '';
  } finally {
    socket.destroy();
  }
}
