import { integrate, parseCheckpoint, parseSignedNote } from '@countersign/core/ledger';
import type { LedgerStore, Signer } from '@countersign/core/ports';

/** How many leaves one transaction places. */
const BATCH = 1000;

/**
 * Gives the ledger's waiting leaves their positions and signs the next checkpoint, tenant by tenant, until none waits.
 * Two sequencers may run: the store's advisory lock lets one through per tenant, and the other finds nothing to do.
 *
 * @param origin the name that a tenant's log gets with its first checkpoint. It is the log's identity and stays, also where the
 *   service's address changes: a verifier refuses a checkpoint of another origin.
 * @returns how many leaves were placed
 */
export async function sequenceLedger(ledger: LedgerStore, options: { origin(tenant: string): string; signer(): Signer }): Promise<number> {
  let total = 0;
  for (const tenant of await ledger.tenantsWithUnplacedLeaves()) {
    const last = await ledger.checkpoint(tenant);
    const origin = last === null ? options.origin(tenant) : parseCheckpoint(parseSignedNote(last.note).text).origin;
    for (;;) {
      const placed = await ledger.sequence(tenant, BATCH, (tail) => integrate(tail, { origin, signer: options.signer() }));
      total += placed;
      if (placed < BATCH) break;
    }
  }
  return total;
}
