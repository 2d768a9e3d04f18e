import { randomBytes } from 'node:crypto';
import type { Clock, Entropy, Person, Sealer } from '@countersign/core/ports';
import { formatInstant } from '@countersign/core/request';
import { makeApiKey, makePersonalToken, makeSignInLink } from '@countersign/identity';
import { EnvelopeSealer, Keyring } from '@countersign/keys';
import { openStore, type Store } from '@countersign/store';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { findDatabase, findMasterKeyring, homeOf } from '../home.js';
import type { Terminal } from '../terminal.js';

/* The first credentials of an installation, and later ones: made on the database itself, by whoever has it and the master key. */

/** There is one tenant until others are created. */
const TENANT = 'default';

const PLACES = `  --database-url URL       PostgreSQL (default: DATABASE_URL, else the running quickstart's)
  --home FOLDER            COUNTERSIGN_HOME (default .countersign), where the master key is unless COUNTERSIGN_MASTER_KEY has it`;
const placeOptions = { 'database-url': { type: 'string' }, home: { type: 'string' } } as const;

interface Opened {
  store: Store;
  clock: Clock;
  entropy: Entropy;
  sealer: Sealer;
}

async function onDatabase<T>(
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

/** The active person of an address or id. @throws CliError `unusable` */
async function personOf(store: Store, ref: string): Promise<Person> {
  const [person] = await store.directory.people(TENANT, [ref]);
  if (person === undefined) throw new CliError('unusable', `The directory knows nobody by ${JSON.stringify(ref)}.`);
  if (!person.active) throw new CliError('unusable', `${person.email} is not active in the directory.`);
  return person;
}

const listOf = (text: string | undefined): string[] | undefined =>
  text
    ?.split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

const KEY_USAGE = `Usage: countersign api-key create --owner PERSON --name NAME --actors LIST --actions LIST [options]
  Makes an API key for a caller and shows it, with its webhook secret, this once. Its owner answers for what it asks, and decides none of it.
  --owner PERSON           e-mail address or id in the directory
  --name NAME              what people read on cards
  --actors LIST            the actor ids that it may speak for, with commas; an entry may end in *; * is any
  --actions LIST           the actions that it may ask for, likewise
  --environments LIST      default *
  --callback-hosts LIST    host names that it may name in callbacks; default none
  --redeem                 may redeem grants
${PLACES}`;

export const apiKeyCreate: Command = {
  name: 'api-key create',
  summary: 'make an API key for a caller',
  usage: KEY_USAGE,
  async run(args, terminal) {
    const { values } = readArguments(
      args,
      {
        ...placeOptions,
        owner: { type: 'string' },
        name: { type: 'string' },
        actors: { type: 'string' },
        actions: { type: 'string' },
        environments: { type: 'string' },
        'callback-hosts': { type: 'string' },
        redeem: { type: 'boolean', default: false },
      },
      0,
    );
    const { owner, name } = values;
    const [actors, actions] = [listOf(values.actors), listOf(values.actions)];
    if (owner === undefined || name === undefined || actors === undefined || actions === undefined)
      throw new CliError('usage', 'Give --owner, --name, --actors and --actions.');
    const made = await onDatabase(terminal, values, async (opened) => {
      const person = await personOf(opened.store, owner);
      const rights = {
        actors,
        actions,
        environments: listOf(values.environments) ?? ['*'],
        callback_hosts: listOf(values['callback-hosts']) ?? [],
        redeem: values.redeem,
      };
      const key = await makeApiKey(opened, { tenant: TENANT, name, owner: person.id, rights });
      await opened.store.credentials.insertApiKey(key.record);
      return key;
    });
    terminal.out(
      `api_key         ${made.key}\nwebhook_secret  ${made.webhook_secret}\nid              ${made.record.id}\nKeep both now: they are stored as a hash and sealed, and not shown again.`,
    );
    return EXIT.fine;
  },
};

const TOKEN_USAGE = `Usage: countersign token create --person PERSON [--scopes LIST] [--name NAME]
  Makes a personal token and shows it, this once; it lives 90 days.
  --person PERSON          e-mail address or id in the directory
  --scopes LIST            of read, decide, admin (default read); admin counts only for an administrator of the directory
  --name NAME              what it is for
${PLACES}`;

const SCOPES = ['read', 'decide', 'admin'] as const;

export const tokenCreate: Command = {
  name: 'token create',
  summary: 'make a personal token',
  usage: TOKEN_USAGE,
  async run(args, terminal) {
    const { values } = readArguments(args, { ...placeOptions, person: { type: 'string' }, scopes: { type: 'string' }, name: { type: 'string' } }, 0);
    const ref = values.person;
    if (ref === undefined) throw new CliError('usage', 'Give --person.');
    const wanted = listOf(values.scopes) ?? ['read'];
    const scopes = SCOPES.filter((scope) => wanted.includes(scope));
    if (scopes.length !== new Set(wanted).size) throw new CliError('usage', `Scopes are ${SCOPES.join(', ')}.`);
    const token = await onDatabase(terminal, values, async (opened) => {
      const person = await personOf(opened.store, ref);
      if (scopes.includes('admin') && !person.roles.includes('administrator'))
        throw new CliError('unusable', `${person.email} is no administrator in the directory.`);
      const made = makePersonalToken(opened, { tenant: TENANT, person_id: person.id, name: values.name ?? 'made by the command line', scopes });
      await opened.store.credentials.insertPersonalToken(made.record);
      return made.token;
    });
    terminal.out(token);
    return EXIT.fine;
  },
};

const LINK_USAGE = `Usage: countersign sign-in-link PERSON --url URL
  Makes a link that signs a person into the web inbox, once, within ten minutes. Whoever has it is that person: hand it over in private.
  --url URL                PUBLIC_URL of the service (default: PUBLIC_URL, COUNTERSIGN_URL)
${PLACES}`;

export const signInLink: Command = {
  name: 'sign-in-link',
  summary: 'sign a person into the web inbox, once',
  usage: LINK_USAGE,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { ...placeOptions, url: { type: 'string' } }, 1);
    const [ref] = positionals;
    const publicUrl = values.url ?? terminal.env['PUBLIC_URL'] ?? terminal.env['COUNTERSIGN_URL'];
    if (ref === undefined || publicUrl === undefined || !URL.canParse(publicUrl)) throw new CliError('usage', 'Give the person, and --url.');
    const link = await onDatabase(terminal, values, async (opened) => {
      const person = await personOf(opened.store, ref);
      return makeSignInLink(
        { ...opened, credentials: opened.store.credentials, publicUrl: publicUrl.replace(/\/$/, '') },
        { tenant: TENANT, person_id: person.id },
      );
    });
    terminal.out(link);
    return EXIT.fine;
  },
};
