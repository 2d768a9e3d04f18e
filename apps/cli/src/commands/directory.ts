import path from 'node:path';
import { insertScimToken } from '@countersign/core/flow';
import { directoryInvalid, directoryText, makeScimToken, readDirectory } from '@countersign/identity';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { onDatabase, placeOptions, PLACES, TENANT } from '../on-database.js';

const CHECK_USAGE = `Usage: countersign directory check FILE
  Reads a directory's file as the service does (COUNTERSIGN_DIRECTORY) and tells every problem with its line. Changes nothing.
  What only a running installation knows, such as an address that SCIM provisions under another id, is found when it is put in force.
  Exit codes: 0 it can be used, 1 it cannot.`;

export const directoryCheck: Command = {
  name: 'directory check',
  summary: 'tell what is wrong with a file of people and groups',
  usage: CHECK_USAGE,
  async run(args, terminal) {
    const { positionals } = readArguments(args, {}, 1);
    const [file] = positionals;
    if (file === undefined) throw new CliError('usage', 'Name a file.');
    const read = readDirectory(file, await directoryText(path.resolve(terminal.cwd, file)));
    if (!read.ok) {
      terminal.out(directoryInvalid(read.problems).message);
      return EXIT.wrong;
    }
    const { people, agents } = read.directory;
    terminal.out(`OK: ${people.length} people, ${agents.length} agents`);
    return EXIT.fine;
  },
};

const TOKEN_USAGE = `Usage: countersign scim-token create --name NAME [--days DAYS]
  Makes a token for a SCIM client (Okta, Entra) and shows it, this once. Whoever has it says who is in the directory.
  --name NAME              which client it is for
  --days DAYS              how long it lives (default 365)
${PLACES}`;

export const scimTokenCreate: Command = {
  name: 'scim-token create',
  summary: 'make a token for a SCIM client',
  usage: TOKEN_USAGE,
  async run(args, terminal) {
    const { values } = readArguments(args, { ...placeOptions, name: { type: 'string' }, days: { type: 'string' } }, 0);
    const { name } = values;
    const days = values.days === undefined ? undefined : Number(values.days);
    if (name === undefined || name.trim() === '') throw new CliError('usage', 'Give --name.');
    if (days !== undefined && !(Number.isInteger(days) && days > 0 && days <= 1_098)) throw new CliError('usage', '--days is a whole number, at most 1098.');
    const made = await onDatabase(terminal, values, async (opened) => {
      const token = makeScimToken(opened, { tenant: TENANT, name, created_by: 'command line', life_seconds: days === undefined ? undefined : days * 86_400 });
      await insertScimToken({ ...opened, scim: opened.store.scim }, token.record);
      return token;
    });
    terminal.out(
      `token    ${made.token}\nid       ${made.record.id}\nexpires  ${made.record.expires_at}\nKeep it now: it is stored as a hash, and not shown again.`,
    );
    return EXIT.fine;
  },
};
