import { policyStatusSchema } from '@countersign/contracts';
import { connect, CONNECTION_USAGE, connectionOptions } from '../../caller/connection.js';
import { EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';
import { activationLine } from './history.js';

export const policyStatus: Command = {
  name: 'policy status',
  summary: 'say which policy is in force, and what is wrong with its source',
  usage: `Usage: countersign policy status [--sync] [--json]
  Needs an administrator's or auditor's personal token.
  --sync                   looks at the source now (administrators)
${CONNECTION_USAGE}
  Exit codes: 0 well, 1 a source fails, or holds another bundle than the one in force, 2 could not be done.`,
  async run(args, terminal) {
    const { values } = readArguments(args, { ...connectionOptions, sync: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } }, 0);
    const { call } = await connect(terminal, values, 'person');
    const status = policyStatusSchema.parse(values.sync ? await call('POST', '/v1/policies/sync') : await call('GET', '/v1/policies/status'));
    const { in_force, sources } = status;
    if (values.json) terminal.out(JSON.stringify(status, null, 2));
    else {
      terminal.out(in_force === null ? 'No policy is in force.' : activationLine(in_force));
      for (const { source, kind, looked_at, policy_digest, revision, failed_at, problems, in_force: current } of sources) {
        terminal.out(
          `${source} (${kind}), looked at ${looked_at}: ${policy_digest ?? 'never read'}${revision === null ? '' : `, commit ${revision}`}${current ? '' : ', not in force'}`,
        );
        if (failed_at !== null) terminal.out(`  fails since ${failed_at}:`);
        for (const { file, line, column, message, hint } of problems)
          terminal.out(`  ${file}:${line}:${column}: ${message}${hint === undefined ? '' : ` (${hint})`}`);
      }
    }
    return sources.every(({ failed_at, in_force: current }) => failed_at === null && current) ? EXIT.fine : EXIT.wrong;
  },
};
