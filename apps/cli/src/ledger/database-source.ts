import { CoreError } from '@countersign/core/errors';
import { encodeTile, noteVerifierKey, TILE_WIDTH } from '@countersign/core/ledger';
import { publicJwk } from '@countersign/keys';
import type { AuditSnapshot } from '@countersign/store';
import { originOf } from './check-log.js';
import type { LogSource } from './log-source.js';

/** The log as a database's rows have it. */
export async function databaseSource(snapshot: AuditSnapshot, tenant: string, what: string): Promise<LogSource> {
  let latest: string | null = null;
  for await (const { note } of snapshot.checkpoints(tenant)) latest = note;
  const publicKeys = async (purpose: string): Promise<Uint8Array[]> =>
    (await snapshot.signingKeys.list()).filter((key) => key.purpose === purpose).map((key) => key.public_key);
  return {
    what,
    latest,
    async *checkpoints() {
      for await (const { note } of snapshot.checkpoints(tenant)) yield note;
    },
    // All of them, so that entries beyond the last checkpoint are found too.
    entries: () => entries(snapshot, tenant),
    async tiles({ level, index, width }) {
      const hashes = await snapshot.hashes(tenant, level, index * TILE_WIDTH, index * TILE_WIDTH + width);
      return hashes.length === 0 ? null : encodeTile(hashes);
    },
    async offeredKeys() {
      const origin = latest === null ? null : originOf(latest);
      return origin === null ? [] : (await publicKeys('checkpoint')).map((key) => noteVerifierKey(origin, key));
    },
    jwks: async () => ({ keys: (await publicKeys('outcome')).map(publicJwk) }),
    close: () => snapshot.close(),
  };
}

async function* entries(snapshot: AuditSnapshot, tenant: string): AsyncGenerator<Uint8Array> {
  let next = 0;
  for await (const { position, leaf_id, leaf } of snapshot.entries(tenant)) {
    if (position !== next) throw new CoreError('ledger_malformed', `there is no row of ledger_entries for position ${next}`);
    if (leaf === null) throw new CoreError('ledger_malformed', `ledger_leaves ${leaf_id}, entry ${position}, is missing`);
    yield leaf.bytes;
    next += 1;
  }
}
