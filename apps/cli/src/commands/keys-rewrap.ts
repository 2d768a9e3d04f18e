import { userInfo } from 'node:os';
import { loneLeaf } from '@countersign/core/flow';
import { rewrapAll } from '@countersign/keys';
import { EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { onDatabase, placeOptions, PLACES, TENANT } from '../on-database.js';

const USAGE = `Usage: countersign keys rewrap [--dry-run] [options]
  Puts everything that is sealed under the active master key, the first of COUNTERSIGN_MASTER_KEY, beside a running service. Interrupted, it
  goes on where it was the next time. When it says that nothing is left, the older keys can be taken out of COUNTERSIGN_MASTER_KEY.
  --dry-run                only counts, by master key
${PLACES}
  Exit codes: 0 everything is under the active key, 1 something does not open, 2 could not be done.`;

export const keysRewrap: Command = {
  name: 'keys rewrap',
  summary: 'wrap what is sealed under the active master key',
  usage: USAGE,
  async run(args, terminal) {
    const { values } = readArguments(args, { ...placeOptions, 'dry-run': { type: 'boolean', default: false } }, 0);
    return onDatabase(terminal, values, async ({ store, sealer, clock, entropy }) => {
      const { activeKid } = sealer;
      if (!values['dry-run']) {
        const { rewrapped, failed } = await rewrapAll({ store: store.rewraps, sealer });
        if (rewrapped > 0) {
          const facts = { kid: activeKid, rewrapped, via: 'cli' };
          const leaf = await loneLeaf(
            { sealer, entropy },
            { tenant: TENANT, event: 'keys.rewrapped', subject: activeKid, at: clock.now(), facts, details: { by: userInfo().username } },
          );
          await store.requests.record(TENANT, [leaf]);
        }
        terminal.out(`${rewrapped} value${rewrapped === 1 ? '' : 's'} were put under ${activeKid}.`);
        for (const { place, row, code } of failed) terminal.err(`${place} of ${row} does not open (${code}).`);
      }
      const sums = new Map<string, number>();
      for (const { kid, count } of await store.rewraps.census()) if (kid !== null) sums.set(kid, (sums.get(kid) ?? 0) + count);
      for (const [kid, count] of sums) terminal.out(`${kid}  ${count}${kid === activeKid ? '  (active)' : ''}`);
      const left = [...sums.keys()].filter((kid) => kid !== activeKid);
      terminal.out(left.length === 0 ? 'Nothing is left under another key.' : `Still under another key: ${left.join(', ')}.`);
      return left.length === 0 ? EXIT.fine : EXIT.wrong;
    });
  },
};
