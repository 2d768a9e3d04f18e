import { loneLeaf } from '@countersign/core/flow';
import type { Person } from '@countersign/core/ports';
import { makePersonalToken, makeSignInLink } from '@countersign/identity';
import type { Store } from '@countersign/store';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { listOf, onDatabase, placeOptions, PLACES, TENANT } from '../on-database.js';

/* The first credentials of an installation, and later ones: made on the database itself, by whoever has it and the master key. */

/** The active person of an address or id. @throws CliError `unusable` */
async function personOf(store: Store, ref: string): Promise<Person> {
  const [person] = await store.directory.people(TENANT, [ref]);
  if (person === undefined) throw new CliError('unusable', `The directory knows nobody by ${JSON.stringify(ref)}.`);
  if (!person.active) throw new CliError('unusable', `${person.email} is not active in the directory.`);
  return person;
}

const TOKEN_USAGE = `Usage: countersign token create --person PERSON [--scopes LIST] [--name NAME]
  Makes a personal token and shows it, this once; it lives 90 days.
  --person PERSON          e-mail address or id in the directory
  --scopes LIST            of read, admin (default read); admin counts only for an administrator of the directory, and decide is for the page alone
  --name NAME              what it is for
  --url URL                make it on the page of that running service instead: signed in there, you see it once
${PLACES}`;

const SCOPES = ['read', 'decide', 'admin'] as const;

export const tokenCreate: Command = {
  name: 'token create',
  summary: 'make a personal token',
  usage: TOKEN_USAGE,
  async run(args, terminal) {
    const { values } = readArguments(
      args,
      { ...placeOptions, person: { type: 'string' }, scopes: { type: 'string' }, name: { type: 'string' }, url: { type: 'string' } },
      0,
    );
    if (values.url !== undefined) {
      // A token makes no token, and a terminal has no session: whoever is asked for a fresh proof is asked in the browser.
      if (!URL.canParse(values.url)) throw new CliError('usage', '--url is no address.');
      const page = new URL('/account', values.url);
      page.searchParams.set('token', values.name ?? 'command line');
      terminal.out(`Open ${page.href}\nSign in, choose what the token may do, and copy it into COUNTERSIGN_TOKEN: it is shown once.`);
      return EXIT.fine;
    }
    const ref = values.person;
    if (ref === undefined) throw new CliError('usage', 'Give --person.');
    const wanted = listOf(values.scopes) ?? ['read'];
    const scopes = SCOPES.filter((scope) => wanted.includes(scope));
    if (scopes.length !== new Set(wanted).size) throw new CliError('usage', `Scopes are ${SCOPES.join(', ')}.`);
    if (scopes.includes('decide'))
      throw new CliError('refused', 'A token that decides is made by its person, signed in afresh: say --url, and open the page that it prints.');
    const token = await onDatabase(terminal, values, async (opened) => {
      const person = await personOf(opened.store, ref);
      if (scopes.includes('admin') && !person.roles.includes('administrator'))
        throw new CliError('unusable', `${person.email} is no administrator in the directory.`);
      const made = makePersonalToken(opened, { tenant: TENANT, person_id: person.id, name: values.name ?? 'made by the command line', scopes });
      const leaf = await loneLeaf(opened, {
        tenant: TENANT,
        event: 'token.created',
        subject: made.record.id,
        at: opened.clock.now(),
        facts: { scopes, expires_at: made.record.expires_at, method: 'terminal' },
        details: { person: person.id, name: made.record.name },
      });
      await opened.store.identities.insertToken(made.record, leaf);
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
