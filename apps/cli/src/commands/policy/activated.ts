import { activatedPolicySchema } from '@countersign/contracts';
import { EXIT } from '../../cli-error.js';
import type { Terminal } from '../../terminal.js';

/** Says what activating came to. @returns 0 where the bundle is in force, 1 where it waits for approval */
export function tellActivated(terminal: Terminal, answer: unknown): number {
  const { policy_digest, previous, in_force, comparison, change } = activatedPolicySchema.parse(answer);
  if (comparison !== null) {
    for (const { count, from, to, direction } of comparison.transitions)
      terminal.out(`  ${count} of the latest ${comparison.replayed} requests: ${from} → ${to} (${direction})`);
    for (const reason of comparison.reasons) terminal.out(`  may loosen: ${reason}`);
  }
  if (in_force) {
    terminal.out(`${policy_digest} is in force${previous === null ? '' : previous === policy_digest ? ', as it was before' : `; before it ${previous}`}.`);
    return EXIT.fine;
  }
  terminal.out(`${policy_digest} is not in force: it waits for the approval of somebody else${change === null ? '' : `, at ${change.url} (${change.id})`}.`);
  return EXIT.wrong;
}
