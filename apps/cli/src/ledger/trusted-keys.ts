import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { noteVerifierKey, parseVerifierKey } from '@countersign/core/ledger';
import type { Keyring } from '@countersign/keys';
import { CliError, messageOf } from '../cli-error.js';
import { linesOf } from './folder-source.js';
import type { KnownLogs } from './known-logs.js';
import type { LogSource } from './log-source.js';

export interface TrustedKeys {
  origin: string;
  vkeys: string[];
  /** Where they come from, in words that say how far that goes. */
  why: string;
  /** The latest checkpoint that verified here before. */
  remembered: string | null;
}

export interface TrustOptions {
  /** What `--vkey` names: keys, or files with a key a line. */
  given: readonly string[];
  known: KnownLogs;
  /** Of the database, each key opened with the master key. */
  keyring: Keyring | null;
  /** The origin that the log's latest checkpoint claims. */
  origin: string;
  cwd: string;
}

/**
 * Whom to believe about a log: keys given by hand, else the installation's own keyring, else those pinned when the log was first seen,
 * else those that it offers, which are pinned now.
 * @throws CliError `usage` for a key that is none, `unusable` where there is no key at all
 */
export async function trustedKeys(source: LogSource, options: TrustOptions): Promise<TrustedKeys> {
  const { known, keyring, origin } = options;
  const pinned = known.find(origin);
  const remembered = pinned?.checkpoint ?? null;
  if (options.given.length > 0) {
    const vkeys = (await Promise.all(options.given.map((text) => givenKeys(text, options.cwd)))).flat();
    return { origin: parseVerifierKey(vkeys[0] ?? '').name, vkeys, why: 'given with --vkey', remembered };
  }
  if (keyring !== null) {
    const vkeys = keyring.publicKeys('checkpoint').map(({ publicKey }) => noteVerifierKey(origin, publicKey));
    return { origin, vkeys, why: 'the keyring of the database, opened with the master key', remembered };
  }
  if (pinned !== null) return { origin, vkeys: pinned.vkeys, why: `pinned on ${pinned.first_seen_at.slice(0, 10)} in ${known.file}`, remembered };
  const vkeys = await source.offeredKeys();
  if (vkeys.length === 0) throw new CliError('unusable', `${source.what} offers no verifier key. Give one with --vkey.`);
  vkeys.forEach(checked);
  return { origin, vkeys, why: `offered by the log itself, and pinned now in ${known.file}: compare it with what its operator publishes`, remembered };
}

async function givenKeys(text: string, cwd: string): Promise<string[]> {
  const file = path.resolve(cwd, text);
  const keys = existsSync(file) ? linesOf(await readFile(file)) : [text];
  if (keys.length === 0) throw new CliError('usage', `${text} holds no verifier key.`);
  keys.forEach(checked);
  return keys;
}

function checked(vkey: string): void {
  try {
    parseVerifierKey(vkey);
  } catch (cause) {
    throw new CliError('usage', `${JSON.stringify(vkey)} is no verifier key: ${messageOf(cause)}.`, { cause });
  }
}
