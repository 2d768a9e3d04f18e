import { existsSync } from 'node:fs';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { filled, homeOf } from '../home.js';
import { linkPerson, readAccount, type RealAccount, written } from '../quickstart-link.js';

const USAGE = `Usage: countersign quickstart link PERSON ACCOUNT
  Ties a person of the quickstart's directory to a real account, so that presses in your own Slack or Teams count as theirs.
  PERSON                   alice, or alice@example.com
  ACCOUNT                  your mail address (the chat account with it is then the person's, as COUNTERSIGN_CHAT_LINK=email does),
                           a Slack account as T…/U… (team id/user id), or a Teams account as tenant id/AAD object id
  --home FOLDER            COUNTERSIGN_HOME (default .countersign)`;

/** There is one tenant until others are created. */
const TENANT = 'default';

export const quickstartLink: Command = {
  name: 'quickstart link',
  summary: 'tie an example person to a real account',
  usage: USAGE,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { home: { type: 'string' } }, 2);
    const [who, text] = positionals;
    if (who === undefined || text === undefined) throw new CliError('usage', 'Name a person and an account.');
    const account = readAccount(text);
    const own = filled(terminal.env['COUNTERSIGN_DIRECTORY']);
    if (own !== undefined) throw new CliError('refused', `This is no quickstart: its people stand in ${own} (COUNTERSIGN_DIRECTORY). Edit that file.`);
    const file = path.join(homeOf(terminal, values.home), 'directory.yaml');
    if (!existsSync(file)) throw new CliError('unusable', `There is no quickstart in ${path.dirname(file)}. Run npm start once, or name its home with --home.`);
    const linked = linkPerson(file, await readFile(file, 'utf8'), TENANT, who, account);
    if (!linked.changed) {
      terminal.out(`${linked.name} is tied to ${written(account)} already.`);
      return EXIT.fine;
    }
    const draft = `${file}.${process.pid}`;
    await writeFile(draft, linked.text, { mode: (await stat(file)).mode & 0o777 });
    await rename(draft, file);
    terminal.out(`${linked.name} is now ${account.kind === 'email' ? `${account.email} (was ${linked.email})` : `tied to ${written(account)}`} in ${file}.`);
    terminal.out(next(account, terminal.env['COUNTERSIGN_CHAT_LINK']));
    return EXIT.fine;
  },
};

function next(account: RealAccount, chatLink: string | undefined): string {
  const restart = 'Next: stop the quickstart (Ctrl-C) and run npm start again; the directory is read at each start.';
  if (account.kind !== 'email') return restart;
  if (filled(chatLink) === 'proof')
    return `${restart}\nCOUNTERSIGN_CHAT_LINK is proof: an address alone ties no chat account. Unset it for the quickstart, or link T…/U… or a Teams account.`;
  return `${restart}\nA press from the chat account with that address then counts. The sign-in link and the token of that person in quickstart.json stand under the new address.`;
}
