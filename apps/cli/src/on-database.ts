import { randomBytes } from 'node:crypto';
import type { Clock, Entropy } from '@countersign/core/ports';
import { formatInstant } from '@countersign/core/request';
import { EnvelopeSealer, Keyring } from '@countersign/keys';
import { openStore, type Store } from '@countersign/store';
import { CliError } from './cli-error.js';
import { findDatabase, findMasterKeyring, homeOf } from './home.js';
import type { Terminal } from './terminal.js';

/** There is one tenant until others are created. */
export const TENANT = 'default';

export const PLACES = `  --database-url URL       PostgreSQL (default: DATABASE_URL, else the running quickstart's)
  --home FOLDER            COUNTERSIGN_HOME (default .countersign), where the master key is unless COUNTERSIGN_MASTER_KEY has it`;
export const placeOptions = { 'database-url': { type: 'string' }, home: { type: 'string' } } as const;

export interface Opened {
  store: Store;
  clock: Clock;
  entropy: Entropy;
  sealer: EnvelopeSealer;
}

/** Works on the database itself: for whoever has it and the master key. */
export async function onDatabase<T>(
  terminal: Terminal,
  values: { 'database-url'?: string | undefined; home?: string | undefined },
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const home = homeOf(terminal, values.home);
  const database = await findDatabase(terminal, { databaseUrl: values['database-url'], home });
  if (database === null) throw new CliError('unusable', `There is no database: set DATABASE_URL, or start the quickstart of ${home}.`);
  const master = await findMasterKeyring(terminal, home);
  if (master === null) throw new CliError('unusable', `There is no master key in ${home} or in COUNTERSIGN_MASTER_KEY.`);
  const store = openStore({ url: database.url, connections: 1 });
  try {
    const clock = { now: () => formatInstant(Date.now()) };
    const sealer = new EnvelopeSealer(master);
    // Opening proves that the master key is this database's, before anything is made.
    await Keyring.open({ store: store.signingKeys, sealer, clock });
    return await work({ store, clock, sealer, entropy: { bytes: (length) => new Uint8Array(randomBytes(length)) } });
  } finally {
    await store.close();
  }
}

/** A list with commas. */
export const listOf = (text: string | undefined): string[] | undefined =>
  text
    ?.split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
