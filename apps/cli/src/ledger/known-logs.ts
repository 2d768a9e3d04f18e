import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { CliError } from '../cli-error.js';
import { filled } from '../home.js';
import type { Terminal } from '../terminal.js';

const knownLogSchema = z.strictObject({
  /** Verifier keys that were pinned when the log was first seen, or given by hand. */
  vkeys: z.array(z.string()).min(1),
  /** The latest checkpoint that verified: whatever the log shows next must have grown from it. */
  checkpoint: z.string(),
  first_seen_at: z.string(),
  last_seen_at: z.string(),
});
export type KnownLog = z.infer<typeof knownLogSchema>;
const fileSchema = z.record(z.string(), knownLogSchema);

/**
 * The logs that were seen before, by origin: their keys (trust on first use, as SSH's known_hosts) and how far they had grown. So a log
 * that was exchanged, cut or set back to an old backup is found although it is consistent with itself.
 */
export class KnownLogs {
  private constructor(
    readonly file: string,
    private readonly logs: Record<string, KnownLog>,
  ) {}

  /** @throws CliError `unusable` where the file is there and cannot be read */
  static async read(file: string): Promise<KnownLogs> {
    if (!existsSync(file)) return new KnownLogs(file, {});
    try {
      return new KnownLogs(file, fileSchema.parse(JSON.parse(await readFile(file, 'utf8'))));
    } catch (cause) {
      throw new CliError('unusable', `${file} is damaged. It holds which keys were trusted: put a copy back, or remove it to trust anew.`, { cause });
    }
  }

  find(origin: string): KnownLog | null {
    return this.logs[origin] ?? null;
  }

  /** Remembers what verified now. @throws CliError `unusable` */
  async remember(origin: string, seen: { vkeys: readonly string[]; checkpoint: string; at: string }): Promise<void> {
    this.logs[origin] = {
      vkeys: [...seen.vkeys],
      checkpoint: seen.checkpoint,
      first_seen_at: this.find(origin)?.first_seen_at ?? seen.at,
      last_seen_at: seen.at,
    };
    const draft = `${this.file}.${process.pid}`;
    try {
      await mkdir(path.dirname(this.file), { recursive: true, mode: 0o700 });
      await writeFile(draft, `${JSON.stringify(this.logs, null, 2)}\n`, { mode: 0o600 });
      await chmod(draft, 0o600);
      await rename(draft, this.file);
    } catch (cause) {
      throw new CliError('unusable', `What was verified could not be remembered in ${this.file}; name another file with --known.`, { cause });
    }
  }
}

/** Where known logs are kept: `--known`, else in a home that is there, else in the user's configuration. */
export function knownLogsFile(terminal: Terminal, options: { known?: string | undefined; home: string }): string {
  if (options.known !== undefined) return path.resolve(terminal.cwd, options.known);
  if (existsSync(options.home)) return path.join(options.home, 'known-ledgers.json');
  return path.join(filled(terminal.env['XDG_CONFIG_HOME']) ?? path.join(homedir(), '.config'), 'countersign', 'known-ledgers.json');
}
