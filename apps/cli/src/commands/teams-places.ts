import { type ChatPlaceView, chatPlaceListSchema, chatPlaceSchema, pendingChangeSchema } from '@countersign/contracts';
import { connect, CONNECTION_USAGE, connectionOptions } from '../caller/connection.js';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';

export const teamsPlaces: Command = {
  name: 'teams places',
  summary: 'list the conversations that the bot knows in Teams, and which of them get cards',
  usage: `Usage: countersign teams places [--all] [--json]
  Groups and channels; a personal chat gets what its person may decide, without anybody's word.
  --all                    personal chats, too
${CONNECTION_USAGE}`,
  async run(args, terminal) {
    const { values } = readArguments(args, { ...connectionOptions, all: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } }, 0);
    const { call } = await connect(terminal, values, 'person');
    const { data } = chatPlaceListSchema.parse(await call('GET', '/v1/chat-places?limit=1000'));
    const shown = data.filter(({ platform, kind }) => platform === 'teams' && (values.all || kind !== 'personal'));
    if (values.json) terminal.out(JSON.stringify(shown, null, 2));
    else if (shown.length === 0) terminal.out('The bot was added to no group or channel yet. Add the app to one in Teams, and mention it there once.');
    else terminal.out(shown.map(line).join('\n'));
    return EXIT.fine;
  },
};

export const teamsAllow = decision('allow');
export const teamsDisallow = decision('disallow');

function decision(verb: 'allow' | 'disallow'): Command {
  const summary = verb === 'allow' ? 'let cards be posted in a group or channel of Teams' : 'post no more cards in a group or channel of Teams';
  return {
    name: `teams ${verb}`,
    summary,
    usage: `Usage: countersign teams ${verb} PLACE
  PLACE is its id (pl_…), or its name where only one has it: see countersign teams places. ${
    verb === 'allow'
      ? 'Everybody in it sees what requests ask for, and nobody decides for being\n  in it; where there is a second administrator, that one has to approve it first.'
      : 'At once; cards that stand there go on being brought up to date.'
  }
${CONNECTION_USAGE}
  Exit codes: 0 done, or waiting for somebody, 1 refused, 2 could not be done.`,
    async run(args, terminal) {
      const { values, positionals } = readArguments(args, connectionOptions, 1);
      const [words] = positionals;
      if (words === undefined) throw new CliError('usage', 'Name the place: its id, or its name.');
      const { call } = await connect(terminal, values, 'person');
      const id = /^pl_[0-9a-f-]{36}$/.test(words) ? words : idOf(words, chatPlaceListSchema.parse(await call('GET', '/v1/chat-places?limit=1000')).data);
      const answer = await call('POST', `/v1/chat-places/${id}/${verb}`);
      const pending = pendingChangeSchema.safeParse(answer).data;
      if (pending !== undefined) terminal.out(`It waits for a second administrator: ${pending.change.url}`);
      else terminal.out(line(chatPlaceSchema.parse(answer)));
      return EXIT.fine;
    },
  };
}

function idOf(words: string, places: readonly ChatPlaceView[]): string {
  const fold = (text: string): string => text.normalize('NFC').trim().toLowerCase();
  const found = places.filter(
    ({ platform, kind, name, place }) => platform === 'teams' && kind !== 'personal' && (place === words || fold(name ?? '') === fold(words)),
  );
  const [one] = found;
  if (one === undefined) throw new CliError('refused', `The bot knows no group or channel called ${JSON.stringify(words)}: see countersign teams places.`);
  if (found.length > 1) throw new CliError('refused', `${found.length} are called so; name one by its id: ${found.map(({ id }) => id).join(', ')}`);
  return one.id;
}

function line({ id, kind, name, allowed, removed, decided_by, last_heard_at }: ChatPlaceView): string {
  const state = removed ? 'the bot was removed' : kind === 'personal' ? 'what its person may decide' : allowed ? 'gets cards' : 'gets no cards';
  const who = decided_by === null ? '' : ` (${allowed ? 'allowed' : 'not allowed'} by ${decided_by.name})`;
  return `${id}  ${kind.padEnd(8)}  ${state}${who}  ${name ?? '(no name)'}, last heard ${last_heard_at}`;
}
