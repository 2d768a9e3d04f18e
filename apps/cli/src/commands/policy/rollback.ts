import { connect, CONNECTION_USAGE, connectionOptions } from '../../caller/connection.js';
import { type Command, readArguments } from '../../command.js';
import { tellActivated } from './activated.js';

export const policyRollback: Command = {
  name: 'policy rollback',
  summary: 'put the policy before the one in force in force again',
  usage: `Usage: countersign policy rollback [--reason TEXT]
  By the same rules as countersign policy activate.
${CONNECTION_USAGE}
  Exit codes: 0 in force, 1 refused or waiting for approval, 2 could not be done.`,
  async run(args, terminal) {
    const { values } = readArguments(args, { ...connectionOptions, reason: { type: 'string' } }, 0);
    const { post } = await connect(terminal, values, 'person');
    return tellActivated(terminal, await post('/v1/policies/rollback', values.reason === undefined ? {} : { reason: values.reason }));
  },
};
