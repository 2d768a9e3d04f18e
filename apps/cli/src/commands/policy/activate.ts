import { policySchema } from '@countersign/contracts';
import { connect, CONNECTION_USAGE, connectionOptions } from '../../caller/connection.js';
import { CliError } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';
import { tellActivated } from './activated.js';
import { bundleFiles } from './upload.js';

export const policyActivate: Command = {
  name: 'policy activate',
  summary: 'put a policy bundle in force',
  usage: `Usage: countersign policy activate FILE|FOLDER|sha256:… [--reason TEXT]
  Checks and stores a bundle and puts it in force in all processes at once; or puts one in force that is stored. What may loosen the bundle in
  force waits for the approval of its owner, or of another administrator. Needs an administrator's personal token with the scope admin.
${CONNECTION_USAGE}
  Exit codes: 0 in force, 1 refused or waiting for approval, 2 could not be done.`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { ...connectionOptions, reason: { type: 'string' } }, 1);
    const [what] = positionals;
    if (what === undefined) throw new CliError('usage', 'Name a file, a folder, or the digest of a stored bundle.');
    const files = /^sha256:[0-9a-f]{64}$/.test(what) ? null : await bundleFiles(terminal.cwd, what);
    const { post } = await connect(terminal, values, 'person');
    const digest = files === null ? what : policySchema.parse(await post('/v1/policies', { files })).policy_digest;
    return tellActivated(terminal, await post(`/v1/policies/${digest}/activate`, values.reason === undefined ? {} : { reason: values.reason }));
  },
};
