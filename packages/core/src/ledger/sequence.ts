import { CoreError } from '../errors.js';
import type { LedgerStep, LedgerTail, PlacedLeaf, Signer } from '../ports.js';
import { signCheckpoint } from './checkpoint.js';
import { leafHash } from './hashing.js';
import { MAX_ENTRY_BYTES } from './tiles.js';
import { appendLeaves, parseTree, serialiseFrontier } from './tree.js';

/**
 * Gives the waiting leaves their positions and signs the next checkpoint: what a sequencer does under its lock.
 * The first new leaf gets position `tail.size` (I10); a checkpoint is consistent with the one before it because it grows from its frontier (I11).
 * @throws CoreError `ledger_malformed` for a tail whose parts do not belong together, or a leaf that no bundle can carry.
 */
export async function integrate(tail: LedgerTail, log: { origin: string; signer: Pick<Signer, 'publicKey' | 'sign'> }): Promise<LedgerStep> {
  const before = parseTree(tail.size, tail.frontier);
  const placed: PlacedLeaf[] = tail.leaves.map(({ id, bytes }, at) => {
    if (bytes.length > MAX_ENTRY_BYTES) throw new CoreError('ledger_malformed', `leaf ${id} has ${bytes.length} bytes`);
    return { leaf_id: id, position: before.size + at, hash: leafHash(bytes) };
  });
  const { state, root, completedNodes } = appendLeaves(
    before,
    placed.map(({ hash }) => hash),
  );
  const note = await signCheckpoint({ origin: log.origin, size: state.size, root }, log.signer);
  return { placed, nodes: [...completedNodes], frontier: serialiseFrontier(state), size: state.size, root, note };
}
