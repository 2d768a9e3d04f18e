import type { SigningKeyStore } from '@countersign/core/ports';
import type { Database } from './database.js';
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
  };
}
