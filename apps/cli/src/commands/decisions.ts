import { z } from 'zod';
import { connect, CONNECTION_USAGE, connectionOptions } from '../caller/connection.js';
import { describeRequest } from '../caller/progress.js';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { idOf } from './requests.js';

export const approve = decisionCommand('approve', 'approve a request, as the person that you are');
export const deny = decisionCommand('deny', 'deny a request, as the person that you are');

const WORDS = { digest: { type: 'string' }, reason: { type: 'string' } } as const;
const OPTIONS = { approve: WORDS, deny: { ...WORDS, 'ask-again': { type: 'string' } } } as const;

function decisionCommand(verdict: 'approve' | 'deny', summary: string): Command {
  const again = verdict === 'deny';
  return {
    name: verdict,
    summary,
    usage: `Usage: countersign ${verdict} ID --digest sha256:… [--reason TEXT]${again ? ' [--ask-again never|changed|later]' : ''}
  Decides on what you looked at: the action's digest, as countersign show prints it last. Needs a personal token; an API key never decides.
  --digest sha256:…        the request's action digest; another one decides nothing
  --reason TEXT${again ? '\n  --ask-again WORD         never, changed (the reason says how) or later: what the caller is told of asking again' : ''}
${CONNECTION_USAGE}
  Exit codes: 0 recorded, 1 refused, 2 could not be done.`,
    async run(args, terminal) {
      const { values, positionals } = readArguments(args, { ...connectionOptions, ...OPTIONS[verdict] }, 1);
      const id = idOf(positionals);
      if (values.digest === undefined) throw new CliError('usage', 'Say what you looked at: --digest sha256:…, as countersign show prints it.');
      const { client, post } = await connect(terminal, values, 'person');
      await post(`/v1/action-requests/${encodeURIComponent(id)}/decisions`, {
        verdict,
        action_digest: values.digest,
        ...(values.reason === undefined ? {} : { reason: values.reason }),
        ...('ask-again' in values && values['ask-again'] !== undefined ? { ask_again: values['ask-again'] } : {}),
      });
      terminal.out(describeRequest(await client.get(id)));
      return EXIT.fine;
    },
  };
}

export const redrive: Command = {
  name: 'redrive',
  summary: 'deliver a callback again',
  usage: `Usage: countersign redrive DELIVERY
  Delivers again what is dead, aborted or was delivered, as a new delivery with the same webhook-id. Needs an administrator's personal token.
${CONNECTION_USAGE}
  Exit codes: 0 under way, 1 refused, 2 could not be done.`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, connectionOptions, 1);
    const [id] = positionals;
    if (id === undefined) throw new CliError('usage', 'Name the delivery: msg_…');
    const { post } = await connect(terminal, values, 'person');
    const made = z.looseObject({ id: z.string() }).safeParse(await post(`/v1/deliveries/${encodeURIComponent(id)}/redrive`)).data;
    if (made === undefined) throw new CliError('unusable', 'What answered is no delivery.');
    terminal.out(`${made.id}  delivers ${id} again`);
    return EXIT.fine;
  },
};
