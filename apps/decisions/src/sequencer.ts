import { integrate } from '@countersign/core/ledger';
import type { LedgerStore, Signer } from '@countersign/core/ports';

/** How many leaves one transaction places. */
const BATCH = 1000;

/**
 * Gives the ledger's waiting leaves their positions and signs the next checkpoint, tenant by tenant, until none waits.
 * Two sequencers may run: the store's advisory lock lets one through per tenant, and the other finds nothing to do.
 *
 * @param origin the log's name in its checkpoints, for a tenant
 * @returns how many leaves were placed
 */
export async function sequenceLedger(ledger: LedgerStore, options: { origin(tenant: string): string; signer(): Signer }): Promise<number> {
  let total = 0;
  for (const tenant of await ledger.tenantsWithUnplacedLeaves()) {
    for (;;) {
      const placed = await ledger.sequence(tenant, BATCH, (tail) => integrate(tail, { origin: options.origin(tenant), signer: options.signer() }));
      total += placed;
      if (placed < BATCH) break;
    }
  }
  return total;
}
