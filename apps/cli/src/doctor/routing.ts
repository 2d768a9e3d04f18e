import type { Store } from '@countersign/store';
import { type Check, ok, warn } from './check.js';

/** Where cards cannot be shown now, each with what to do; one line where all is well. */
export async function routingChecks({ routing }: Pick<Store, 'routing'>, tenant: string): Promise<Check[]> {
  const failing = await routing.failing(tenant);
  if (failing.length === 0) return [ok('cards', 'nothing that policy or the configuration names for them failed')];
  return failing.map(({ platform, target, reason, since }) =>
    warn(
      'cards',
      `cannot be shown at ${target}${platform === '*' ? '' : ` (${platform})`} since ${since}: ${reason}`,
      'They go to the standing places until it is mended: docs/operator.md, "Cards that cannot be shown".',
    ),
  );
}
