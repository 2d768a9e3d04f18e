import type { CredentialStore, PersonalTokenRecord, SessionRecord } from '@countersign/core/ports';
import { API_KEY_COLUMNS, apiKeyInsert, apiKeyOf, type ApiKeyRow } from './api-key-rows.js';
import { type Database, Values } from './database.js';
import { instant, instantOrNull, PERSON_JSON, type PersonJson, personOf } from './rows.js';
import { sessionInsert } from './session-insert.js';

/**
 * Keys, tokens, sessions and sign-in links, by the hash of their secret. Whether one is over or revoked is said by its record;
 * look-ups by hash happen at each call and are prepared statements, as is what every start and every sign-in does; the rest is Prisma's,
 * whose engine takes 60 MB and holds the process up for a good while at its first query.
 */
export function credentialStore(database: Database): CredentialStore {
  return {
    apiKeyByHash: async (hash) =>
      one(
        await database.run<ApiKeyRow>({
          name: 'api-key',
          text: `SELECT ${API_KEY_COLUMNS} FROM api_keys k WHERE k.hash = $1 OR (k.previous_hash = $1 AND k.previous_until > clock_timestamp())`,
          values: [hash],
        }),
        apiKeyOf,
      ),
    apiKey: async (tenant, id) =>
      one(
        await database.run<ApiKeyRow>({
          name: 'api-key-id',
          text: `SELECT ${API_KEY_COLUMNS} FROM api_keys k WHERE k.tenant = $1 AND k.id = $2`,
          values: [tenant, id],
        }),
        apiKeyOf,
      ),
    insertApiKey: async (key) => {
      const values = new Values();
      await database.once({ name: 'insert-api-key', text: apiKeyInsert(values, key), values: values.values });
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
    insertSession: async (session) => {
      await database.run({ name: 'insert-session', ...sessionInsert(session, 1) });
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

type PersonalTokenRow = Omit<PersonalTokenRecord, 'created_at' | 'expires_at' | 'revoked_at' | 'last_used_at' | 'stepped_up_at'> & {
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
  stepped_up_at: Date | null;
};
type SessionRow = Omit<SessionRecord, 'auth_time' | 'created_at' | 'last_used_at' | 'expires_at'> & {
  auth_time: Date | null;
  created_at: Date;
  last_used_at: Date;
  expires_at: Date;
};

function personalTokenOf(row: PersonalTokenRow): PersonalTokenRecord {
  return {
    ...row,
    created_at: instant(row.created_at),
    expires_at: instantOrNull(row.expires_at),
    revoked_at: instantOrNull(row.revoked_at),
    last_used_at: instantOrNull(row.last_used_at),
    stepped_up_at: instantOrNull(row.stepped_up_at),
  };
}

function sessionOf(row: SessionRow): SessionRecord {
  return {
    ...row,
    auth_time: instantOrNull(row.auth_time),
    created_at: instant(row.created_at),
    last_used_at: instant(row.last_used_at),
    expires_at: instant(row.expires_at),
  };
}

function one<Row, Result>(rows: Row[], map: (row: Row) => Result): Result | null {
  const [row] = rows;
  return row === undefined ? null : map(row);
}

/** Prisma wants bytes over a buffer of their own. */
function bytes(value: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(value);
}
