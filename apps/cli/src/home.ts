import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type KeyWrapper, loadOrCreateMasterKeyring, parseMasterKeys } from '@countersign/keys';
import { findEmbeddedServer } from '@countersign/store';
import { z } from 'zod';
import { CliError } from './cli-error.js';
import type { Terminal } from './terminal.js';

/** COUNTERSIGN_HOME: what `--home` says, else the environment, else .countersign; absolute. */
export function homeOf(terminal: Terminal, option: string | undefined): string {
  return path.resolve(terminal.cwd, option ?? filled(terminal.env['COUNTERSIGN_HOME']) ?? '.countersign');
}

const quickstartSchema = z.looseObject({ url: z.string(), people: z.record(z.string(), z.looseObject({ token: z.string() })) });
export type Quickstart = z.infer<typeof quickstartSchema>;

/** What a quickstart wrote into its home; null where none did. */
export async function readQuickstart(home: string): Promise<Quickstart | null> {
  const text = await readFile(path.join(home, 'quickstart.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    return quickstartSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CliError('unusable', `${path.join(home, 'quickstart.json')} is damaged; start the quickstart again to have it written anew.`, { cause });
  }
}

/** The database of an installation, in the role that runs the service. */
export interface FoundDatabase {
  url: string;
  /** For people; holds no password. */
  what: string;
}

/** The database that the options, the environment or a running quickstart name; null where none does. */
export async function findDatabase(terminal: Terminal, options: { databaseUrl?: string | undefined; home: string }): Promise<FoundDatabase | null> {
  const url = options.databaseUrl ?? filled(terminal.env['DATABASE_URL']);
  if (url !== undefined) return { url, what: `the database ${withoutPassword(url)}` };
  const embedded = await findEmbeddedServer(options.home);
  return embedded === null ? null : { url: embedded.appUrl, what: `the embedded database of ${options.home}` };
}

/** The master keyring of the environment or the home; null where neither has one. None is made. @throws KeysError */
export async function findMasterKeyring(terminal: Terminal, home: string): Promise<KeyWrapper | null> {
  const text = filled(terminal.env['COUNTERSIGN_MASTER_KEY']);
  if (text !== undefined) return parseMasterKeys(text, terminal.env);
  const file = path.join(home, 'master.key');
  return existsSync(file) ? loadOrCreateMasterKeyring(file) : null;
}

/** A variable that is set but empty counts as absent, as for the service. */
export function filled(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value;
}

function withoutPassword(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url);
    return `${hostname}${port === '' ? '' : `:${port}`}${pathname}`;
  } catch {
    return 'that was named';
  }
}
