import type { SigningKeyStore } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { instant, instantOrNull } from './rows.js';

interface SigningKeyRow {
  kid: string;
  purpose: string;
  algorithm: string;
  public_key: Buffer;
  sealed_private_key: Buffer;
  created_at: Date;
  retired_at: Date | null;
}

/** The service's signing keys: public halves in the open, private ones sealed. A purpose has one key that is not retired. */
export function signingKeyStore(database: Database): SigningKeyStore {
  return {
    list: async () => {
      const rows = await database.run<SigningKeyRow>({ name: 'signing-keys', text: 'SELECT * FROM signing_keys ORDER BY created_at, kid', values: [] });
      return rows.map((row) => ({ ...row, created_at: instant(row.created_at), retired_at: instantOrNull(row.retired_at) }));
    },
    insert: async ({ public_key, sealed_private_key, ...key }) => {
      await database.run({
        name: 'insert-signing-key',
        text: `INSERT INTO signing_keys (kid, purpose, algorithm, public_key, sealed_private_key, created_at, retired_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
        values: [key.kid, key.purpose, key.algorithm, Buffer.from(public_key), Buffer.from(sealed_private_key), key.created_at, key.retired_at],
      });
    },
    rotate: (rotation) => rotate(database, rotation),
  };
}

/** The row that is retired is the gate: who retires it writes the successor and the leaf, in the one statement. */
async function rotate(database: Database, { retired, successor, tenant, leaf }: Parameters<SigningKeyStore['rotate']>[0]): Promise<{ changed: boolean }> {
  const values = new Values();
  const ofTenant = values.add(tenant, 'text');
  const from = values.add(retired, 'text');
  const purpose = values.add(successor.purpose, 'text');
  const at = values.add(successor.created_at, 'timestamptz');
  const kid = values.add(successor.kid, 'text');
  const { members } = leafMembers(values, ofTenant, [leaf], 'gate');
  const text = `WITH gate AS (UPDATE signing_keys SET retired_at = ${at} WHERE kid = ${from} AND purpose = ${purpose} AND retired_at IS NULL RETURNING kid),
    -- Counted, so that the old key has left the index of active keys before the new one enters it.
    successor AS (INSERT INTO signing_keys (kid, purpose, algorithm, public_key, sealed_private_key, created_at)
      SELECT ${[
        kid,
        purpose,
        values.add(successor.algorithm, 'text'),
        values.add(successor.public_key, 'bytea'),
        values.add(successor.sealed_private_key, 'bytea'),
        at,
      ].join(', ')} WHERE (SELECT count(*) FROM gate) = 1),
    ${members.join(',\n')}
    SELECT EXISTS (SELECT FROM gate) AS changed`;
  const { rows, again } = await database.runCounting<{ changed: boolean }>({ name: 'rotate-signing-key', text, values: values.values });
  if (rows[0]?.changed === true) return { changed: true };
  if (!again) return { changed: false };
  // The answer of an earlier try got lost: the successor is there if it happened.
  const found = await database.run({ name: 'signing-key', text: 'SELECT FROM signing_keys WHERE kid = $1', values: [successor.kid] });
  return { changed: found.length > 0 };
}
