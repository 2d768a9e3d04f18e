import { tokenListSchema } from '@countersign/contracts';
import { connect, CONNECTION_USAGE, connectionOptions } from '../caller/connection.js';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';

/* Personal tokens of a running service, as their person sees and revokes them. Making one takes a fresh sign-in, which is the browser's. */

export const tokenList: Command = {
  name: 'token list',
  summary: 'list personal tokens of a running service',
  usage: `Usage: countersign token list [options]
  Your personal tokens; what they are is never shown again.
  --everybody              as an administrator, those of everybody
  --json                   as JSON
${CONNECTION_USAGE}`,
  async run(args, terminal) {
    const options = { ...connectionOptions, everybody: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } } as const;
    const { values } = readArguments(args, options, 0);
    const { call } = await connect(terminal, values, 'person');
    const { data } = tokenListSchema.parse(await call('GET', `/v1/tokens${values.everybody ? '?person=*' : ''}`));
    if (values.json) terminal.out(JSON.stringify(data, null, 2));
    else
      for (const { id, person, name, scopes, expires_at, revoked_at, last_used_at } of data) {
        const state = revoked_at !== null ? `revoked ${revoked_at}` : expires_at === null ? 'does not expire' : `until ${expires_at}`;
        terminal.out([id, ...(values.everybody ? [person] : []), scopes.join(','), state, `used ${last_used_at ?? 'never'}`, JSON.stringify(name)].join('  '));
      }
    return EXIT.fine;
  },
};

export const tokenRevoke: Command = {
  name: 'token revoke',
  summary: 'revoke a personal token of a running service',
  usage: `Usage: countersign token revoke ID [options]
  From then on it counts no more. Your own, or as an administrator anybody's.
${CONNECTION_USAGE}`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, connectionOptions, 1);
    const [id] = positionals;
    if (id === undefined) throw new CliError('usage', 'Give the id of the token; "countersign token list" has it.');
    const { call } = await connect(terminal, values, 'person');
    await call('DELETE', `/v1/tokens/${encodeURIComponent(id)}`);
    terminal.out(`${id} is revoked.`);
    return EXIT.fine;
  },
};
