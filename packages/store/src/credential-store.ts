import type { ApiKeyRecord, CredentialStore, KeyRights, PersonalTokenRecord, SessionRecord } from '@countersign/core/ports';
import type { Database } from './database.js';
import { instant, instantOrNull, PERSON_JSON, type PersonJson, personOf } from './rows.js';

/**
 * Keys, tokens, sessions and sign-in links, by the hash of their secret. Whether one is over or revoked is said by its record;
 * look-ups by hash happen at each call and are prepared statements, as is what every start and every sign-in does; the rest is Prisma's,
 * whose engine takes 60 MB and holds the process up for a good while at its first query.
 */
export function credentialStore(database: Database): CredentialStore {
  return {
    apiKeyByHash: async (hash) =>
      one(await database.run<ApiKeyRow>({ name: 'api-key', text: 'SELECT * FROM api_keys WHERE hash = $1', values: [hash] }), apiKeyOf),
    apiKey: async (tenant, id) =>
      one(await database.run<ApiKeyRow>({ name: 'api-key-id', text: 'SELECT * FROM api_keys WHERE tenant = $1 AND id = $2', values: [tenant, id] }), apiKeyOf),
    insertApiKey: async ({ rights, hash, sealed_webhook_secret, ...key }) => {
      await database.ordinary((prisma) =>
        prisma.apiKey.create({ data: { ...key, rights: { ...rights }, hash: bytes(hash), sealed_webhook_secret: bytes(sealed_webhook_secret) } }),
      );
    },
    personalTokenByHash: async (hash) =>
      one(
        await database.run<PersonalTokenRow>({ name: 'personal-token', text: 'SELECT * FROM personal_tokens WHERE hash = $1', values: [hash] }),
        personalTokenOf,
      ),
    personByTokenHash: async (hash) =>
      one(
        await database.run<PersonalTokenRow & WithPerson>({
          name: 'person-by-token',
          text: `SELECT c.*, ${PERSON_OF_CREDENTIAL} FROM personal_tokens c WHERE c.hash = $1`,
          values: [hash],
        }),
        ({ person, ...row }) => ({ token: personalTokenOf(row), person: person === null ? null : personOf(person) }),
      ),
    insertPersonalToken: async ({ hash, ...token }) => {
      await database.ordinary((prisma) => prisma.personalToken.create({ data: { ...token, hash: bytes(hash) } }));
    },
    sessionByHash: async (hash) =>
      one(await database.run<SessionRow>({ name: 'session', text: 'SELECT * FROM sessions WHERE hash = $1', values: [hash] }), sessionOf),
    personBySessionHash: async (hash) =>
      one(
        await database.run<SessionRow & WithPerson>({
          name: 'person-by-session',
          text: `SELECT c.*, ${PERSON_OF_CREDENTIAL} FROM sessions c WHERE c.hash = $1`,
          values: [hash],
        }),
        ({ person, ...row }) => ({ session: sessionOf(row), person: person === null ? null : personOf(person) }),
      ),
    insertSession: async ({ hash, tenant, person_id, issuer, method, created_at, expires_at }) => {
      await database.run({
        name: 'insert-session',
        text: 'INSERT INTO sessions (hash, tenant, person_id, issuer, method, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING',
        values: [hash, tenant, person_id, issuer, method, created_at, expires_at],
      });
    },
    endSession: async (hash) => {
      await database.run({ name: 'end-session', text: 'DELETE FROM sessions WHERE hash = $1', values: [hash] });
    },
    insertSignInLink: async ({ hash, tenant, person_id, expires_at }) => {
      await database.run({
        name: 'insert-sign-in-link',
        text: 'INSERT INTO sign_in_links (hash, tenant, person_id, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
        values: [hash, tenant, person_id, expires_at],
      });
    },
    spendSignInLink: async (hash) => {
      // At most once, also when the answer gets lost: a person can ask for another link.
      const [spent] = await database.once<{ tenant: string; person_id: string }>({
        name: 'spend-sign-in-link',
        text: 'UPDATE sign_in_links SET spent_at = now() WHERE hash = $1 AND spent_at IS NULL AND expires_at > clock_timestamp() RETURNING tenant, person_id',
        values: [hash],
      });
      return spent ?? null;
    },
    voidSignInLinks: async (tenant) => {
      await database.run({
        name: 'void-sign-in-links',
        text: 'UPDATE sign_in_links SET spent_at = now() WHERE tenant = $1 AND spent_at IS NULL',
        values: [tenant],
      });
    },
  };
}

/** The person behind a token or session `c`, as the directory has them now. */
const PERSON_OF_CREDENTIAL = `(SELECT ${PERSON_JSON} FROM directory_people p WHERE p.tenant = c.tenant AND p.id = c.person_id) AS person`;

interface WithPerson {
  person: PersonJson | null;
}

interface ApiKeyRow extends Omit<ApiKeyRecord, 'hash' | 'created_at' | 'expires_at' | 'revoked_at'> {
  hash: Buffer;
  rights: KeyRights;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
}

type PersonalTokenRow = Omit<PersonalTokenRecord, 'created_at' | 'expires_at' | 'revoked_at'> & {
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
};
type SessionRow = Omit<SessionRecord, 'created_at' | 'expires_at'> & { created_at: Date; expires_at: Date };

function apiKeyOf(row: ApiKeyRow): ApiKeyRecord {
  return { ...row, created_at: instant(row.created_at), expires_at: instantOrNull(row.expires_at), revoked_at: instantOrNull(row.revoked_at) };
}

function personalTokenOf(row: PersonalTokenRow): PersonalTokenRecord {
  return { ...row, created_at: instant(row.created_at), expires_at: instantOrNull(row.expires_at), revoked_at: instantOrNull(row.revoked_at) };
}

function sessionOf(row: SessionRow): SessionRecord {
  return { ...row, created_at: instant(row.created_at), expires_at: instant(row.expires_at) };
}

function one<Row, Result>(rows: Row[], map: (row: Row) => Result): Result | null {
  const [row] = rows;
  return row === undefined ? null : map(row);
}

/** Prisma wants bytes over a buffer of their own. */
function bytes(value: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(value);
}
