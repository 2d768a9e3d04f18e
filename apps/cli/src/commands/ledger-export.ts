import path from 'node:path';
import { EXIT, CliError } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { homeOf } from '../home.js';
import { exportLog } from '../ledger/export-log.js';
import { liveSource } from '../ledger/live-source.js';

const USAGE = `Usage: countersign ledger export --out FOLDER [options]
  Writes the ledger as files (C2SP tlog-tiles) with its checkpoints and keys, to be verified without us and offline.
  --out FOLDER             where to; it must be empty or not there yet
  --url URL                from a running server, with --token of an auditor or administrator; only the latest checkpoint is published
  --database-url URL       from a database, with every checkpoint; DATABASE_URL and a running home are found without it
  --home FOLDER            COUNTERSIGN_HOME (default .countersign)
  --tenant NAME            default: default`;

export const ledgerExport: Command = {
  name: 'ledger export',
  summary: 'write the ledger as files, for whoever verifies it offline',
  usage: USAGE,
  async run(args, terminal) {
    const { values } = readArguments(
      args,
      {
        out: { type: 'string' },
        url: { type: 'string' },
        token: { type: 'string' },
        'database-url': { type: 'string' },
        home: { type: 'string' },
        tenant: { type: 'string', default: 'default' },
      },
      0,
    );
    if (values.out === undefined) throw new CliError('usage', 'Name the folder to write to with --out.');
    const home = homeOf(terminal, values.home);
    const source = await liveSource(terminal, { url: values.url, token: values.token, databaseUrl: values['database-url'], home, tenant: values.tenant });
    try {
      const folder = path.resolve(terminal.cwd, values.out);
      const { size, checkpoints, tiles } = await exportLog(source, folder);
      terminal.out(`Wrote ${size} entries, ${tiles} tiles and ${checkpoints} checkpoint${checkpoints === 1 ? '' : 's'} to ${folder}`);
      terminal.out(`Verify them with: countersign ledger verify ${values.out}`);
      return EXIT.fine;
    } finally {
      await source.close();
    }
  },
};
