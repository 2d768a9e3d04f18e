import { rotateKeyBodySchema } from '@countersign/contracts';
import { formatInstant } from '@countersign/core/request';
import { EnvelopeSealer, Keyring } from '@countersign/keys';
import { openStore } from '@countersign/store';
import { userInfo } from 'node:os';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { findDatabase, findMasterKeyring, homeOf } from '../home.js';

const USAGE = `Usage: countersign keys rotate PURPOSE
  Retires the key that signs and makes its successor, on the database itself; a running service takes it up within 30 seconds.
  PURPOSE                  outcome (grants and callbacks), checkpoint (the ledger's checkpoints) or link (the links in mails)
  --database-url URL       PostgreSQL (default: DATABASE_URL, else the running quickstart's)
  --home FOLDER            COUNTERSIGN_HOME (default .countersign), where the master key is unless COUNTERSIGN_MASTER_KEY has it`;

/** There is one tenant until others are created. */
const TENANT = 'default';

export const keysRotate: Command = {
  name: 'keys rotate',
  summary: 'retire a signing key and make its successor',
  usage: USAGE,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { 'database-url': { type: 'string' }, home: { type: 'string' } }, 1);
    const body = rotateKeyBodySchema.safeParse({ purpose: positionals[0] }).data;
    if (body === undefined) throw new CliError('usage', 'Name a purpose: outcome, checkpoint or link.');
    const home = homeOf(terminal, values.home);
    const database = await findDatabase(terminal, { databaseUrl: values['database-url'], home });
    if (database === null) throw new CliError('unusable', `There is no database: set DATABASE_URL, or start the quickstart of ${home}.`);
    const master = await findMasterKeyring(terminal, home);
    if (master === null) throw new CliError('unusable', `There is no master key in ${home} or in COUNTERSIGN_MASTER_KEY.`);
    const store = openStore({ url: database.url, connections: 1 });
    try {
      const clock = { now: () => formatInstant(Date.now()) };
      // Opening proves that the master key is this database's, before anything is changed.
      const keyring = await Keyring.open({ store: store.signingKeys, sealer: new EnvelopeSealer(master), clock });
      const { retired, active } = await keyring.rotate(body.purpose, { tenant: TENANT, by: userInfo().username, via: 'cli' });
      terminal.out(`${active} signs for ${body.purpose} now, in ${database.what}; ${retired} signs no more, and what it signed verifies as before.`);
      return EXIT.fine;
    } finally {
      await store.close();
    }
  },
};
