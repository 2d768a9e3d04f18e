import { type PolicyActivation, policyHistorySchema } from '@countersign/contracts';
import { connect, CONNECTION_USAGE, connectionOptions } from '../../caller/connection.js';
import { EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';

export const policyHistory: Command = {
  name: 'policy history',
  summary: 'list which policy was in force when, and who put it there',
  usage: `Usage: countersign policy history [--json]
  Needs an administrator's or auditor's personal token.
${CONNECTION_USAGE}`,
  async run(args, terminal) {
    const { values } = readArguments(args, { ...connectionOptions, json: { type: 'boolean', default: false } }, 0);
    const { call } = await connect(terminal, values, 'person');
    const { data } = policyHistorySchema.parse(await call('GET', '/v1/policies/history'));
    terminal.out(values.json ? JSON.stringify(data, null, 2) : data.length === 0 ? 'No policy was ever in force.' : data.map(activationLine).join('\n'));
    return EXIT.fine;
  },
};

/** `2026-11-21T12:00:00.000Z  sha256:…  Olivia <olivia@example.com>` */
export function activationLine({ activated_at, policy_digest, activated_by, origin, in_force }: PolicyActivation): string {
  return `${activated_at}  ${policy_digest}  ${originText(origin, activated_by)}${in_force ? '  (in force)' : ''}`;
}

function originText(origin: PolicyActivation['origin'], by: string): string {
  switch (origin.kind) {
    case 'api':
    case 'rollback': {
      const approved =
        origin.approved_by === undefined || origin.approved_by.length === 0 ? '' : `, approved by ${origin.approved_by.map(({ email }) => email).join(', ')}`;
      return `${origin.kind === 'rollback' ? 'rolled back by ' : ''}${origin.person.email}${approved}${origin.reason === undefined ? '' : `: ${origin.reason}`}`;
    }
    case 'file':
    case 'quickstart':
      return origin.path;
    case 'git':
      return `${origin.url}#${origin.ref}${origin.path === '' ? '' : `:${origin.path}`} ${origin.commit}${origin.signer === undefined ? '' : `, signed by ${origin.signer}`}`;
    case 'other':
      return by;
  }
}
