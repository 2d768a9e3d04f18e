import type { IdentityLink, IdentityStore, LeafRecord, SessionRecord, SessionView, SignInAttempt, TokenView } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { StoreError } from './errors.js';
import { instant, instantOrNull } from './rows.js';
import { sessionInsert } from './session-insert.js';

/** Sign-ins, identities, and what people list and revoke of their own. What changes something privileged writes its leaf in the same statement. */
export function identityStore(database: Database): IdentityStore {
  return {
    startSignIn: async (attempt) => {
      await database.run({
        name: 'start-sign-in',
        // Those that nobody came back from go with the next one.
        text: `WITH gone AS (DELETE FROM sign_in_attempts WHERE expires_at < clock_timestamp() - interval '1 hour')
          INSERT INTO sign_in_attempts (hash, tenant, provider, browser_hash, return_to, max_age, acr, link_hash, expires_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
        values: [
          attempt.hash,
          attempt.tenant,
          attempt.provider,
          attempt.browser_hash,
          attempt.return_to,
          attempt.max_age,
          attempt.acr,
          attempt.link_hash,
          attempt.expires_at,
        ],
      });
    },
    spendSignIn: async (hash, browserHash) => {
      // At most once, also when the answer gets lost: the person signs in again.
      const [row] = await database.once<Omit<SignInAttempt, 'expires_at'> & { expires_at: Date }>({
        name: 'spend-sign-in',
        text: 'DELETE FROM sign_in_attempts WHERE hash = $1 AND browser_hash = $2 AND expires_at > clock_timestamp() RETURNING *',
        values: [hash, browserHash],
      });
      return row === undefined ? null : { ...row, expires_at: instant(row.expires_at) };
    },

    identity: async (tenant, issuer, subject) => {
      const [row] = await database.run<IdentityRow>({
        name: 'identity',
        text: 'SELECT * FROM identity_links WHERE tenant = $1 AND issuer = $2 AND subject = $3',
        values: [tenant, issuer, subject],
      });
      return row === undefined ? null : identityOf(row);
    },
    identitiesOf: async (tenant, personId) =>
      (
        await database.run<IdentityRow>({
          name: 'identities-of',
          text: 'SELECT * FROM identity_links WHERE tenant = $1 AND ($2::text IS NULL OR person_id = $2) AND cut_at IS NULL ORDER BY linked_at, issuer, subject',
          values: [tenant, personId],
        })
      ).map(identityOf),
    linkIdentity: (link, leaf) => linkIdentity(database, link, leaf),
    cutIdentity: async (tenant, issuer, subject, leaf) => {
      const values = new Values();
      const gate = `UPDATE identity_links SET cut_at = clock_timestamp() WHERE tenant = ${values.add(tenant, 'text')} AND issuer = ${values.add(issuer, 'text')}
        AND subject = ${values.add(subject, 'text')} AND cut_at IS NULL AND how <> 'directory' RETURNING tenant, issuer, subject`;
      // Whoever it was is no longer: what they opened by it ends with it.
      const sessions = 'DELETE FROM sessions s USING gate g WHERE s.tenant = g.tenant AND s.issuer = g.issuer AND s.subject = g.subject';
      return gated(database, 'cut-identity', values, tenant, gate, leaf, [`sessions AS (${sessions})`]);
    },
    usedIdentity: async (tenant, issuer, subject) => {
      await database.run({
        name: 'used-identity',
        text: 'UPDATE identity_links SET last_used_at = clock_timestamp() WHERE tenant = $1 AND issuer = $2 AND subject = $3',
        values: [tenant, issuer, subject],
      });
    },

    openSession: (session, insteadOf) => openSession(database, session, insteadOf),
    sessions: async (tenant, personId) =>
      (
        await database.run<SessionRow>({
          name: 'sessions-of',
          text: `SELECT ${SESSION_COLUMNS} FROM sessions WHERE tenant = $1 AND person_id = $2 AND expires_at > clock_timestamp() ORDER BY created_at DESC, id DESC`,
          values: [tenant, personId],
        })
      ).map(sessionOf),
    endSessionById: async (tenant, personId, id) =>
      (
        await database.run<{ id: string }>({
          name: 'end-session-id',
          text: 'DELETE FROM sessions WHERE tenant = $1 AND person_id = $2 AND id = $3 RETURNING id',
          values: [tenant, personId, id],
        })
      ).length > 0,
    endSessionsOf: async (tenant, personId, but) =>
      (
        await database.run<{ id: string }>({
          name: 'end-sessions-of',
          text: 'DELETE FROM sessions WHERE tenant = $1 AND person_id = $2 AND ($3::text IS NULL OR id <> $3) RETURNING id',
          values: [tenant, personId, but],
        })
      ).length,
    endSessionsAt: async (tenant, issuer, of) =>
      (
        await database.run<{ id: string }>(
          'sid' in of
            ? {
                name: 'end-sessions-sid',
                text: 'DELETE FROM sessions WHERE tenant = $1 AND issuer = $2 AND provider_sid = $3 RETURNING id',
                values: [tenant, issuer, of.sid],
              }
            : {
                name: 'end-sessions-sub',
                text: 'DELETE FROM sessions WHERE tenant = $1 AND issuer = $2 AND subject = $3 RETURNING id',
                values: [tenant, issuer, of.subject],
              },
        )
      ).length,
    firstUseOfLogoutToken: async (tenant, issuer, jti, expiresAt) =>
      (
        await database.once<{ jti: string }>({
          name: 'logout-token',
          text: `WITH gone AS (DELETE FROM logout_token_uses WHERE expires_at < clock_timestamp())
            INSERT INTO logout_token_uses (tenant, issuer, jti, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING jti`,
          values: [tenant, issuer, jti, expiresAt],
        })
      ).length > 0,
    touchSession: async (hash, at) => {
      await database.run({ name: 'touch-session', text: 'UPDATE sessions SET last_used_at = $2 WHERE hash = $1 AND last_used_at < $2', values: [hash, at] });
    },

    insertToken: async ({ id, tenant, person_id, hash, name, scopes, created_at, expires_at, stepped_up_at }, leaf) => {
      const values = new Values();
      const gate = `INSERT INTO personal_tokens (tenant, id, person_id, hash, name, scopes, created_at, expires_at, stepped_up_at) VALUES (${[
        values.add(tenant, 'text'),
        values.add(id, 'text'),
        values.add(person_id, 'text'),
        values.add(hash, 'bytea'),
        values.add(name, 'text'),
        values.add(scopes, 'text[]'),
        values.add(created_at, 'timestamptz'),
        values.add(expires_at, 'timestamptz'),
        values.add(stepped_up_at, 'timestamptz'),
      ].join(', ')}) ON CONFLICT DO NOTHING RETURNING tenant`;
      await gated(database, 'insert-token', values, tenant, gate, leaf);
    },
    tokens: async (tenant, personId) =>
      (
        await database.run<TokenRow>({
          name: 'tokens-of',
          text: `SELECT tenant, id, person_id, name, scopes, created_at, expires_at, revoked_at, last_used_at, stepped_up_at FROM personal_tokens
            WHERE tenant = $1 AND ($2::text IS NULL OR person_id = $2) ORDER BY created_at DESC, id DESC LIMIT 1000`,
          values: [tenant, personId],
        })
      ).map(tokenOf),
    revokeToken: (tenant, id, personId, leaf) => {
      const values = new Values();
      const gate = `UPDATE personal_tokens SET revoked_at = clock_timestamp() WHERE tenant = ${values.add(tenant, 'text')} AND id = ${values.add(id, 'text')}
        AND (${values.add(personId, 'text')} IS NULL OR person_id = $${values.values.length}) AND revoked_at IS NULL RETURNING tenant`;
      return gated(database, 'revoke-token', values, tenant, gate, leaf);
    },
    touchToken: async (hash, at) => {
      await database.run({
        name: 'touch-token',
        text: 'UPDATE personal_tokens SET last_used_at = $2 WHERE hash = $1 AND (last_used_at IS NULL OR last_used_at < $2)',
        values: [hash, at],
      });
    },
  };
}

/**
 * Runs `gate`, which returns a row where it changed something, with its leaf in the same statement; whether it changed something. `more` are
 * members that read the gate.
 */
export async function gated(
  database: Database,
  name: string,
  values: Values,
  tenant: string,
  gate: string,
  leaf: LeafRecord,
  more: readonly string[] = [],
): Promise<boolean> {
  const members = leafMembers(values, values.add(tenant, 'text'), [leaf], 'gate').members;
  const { rows, again } = await database.runCounting<{ changed: boolean }>({
    name,
    text: `WITH gate AS (${gate}), ${[...more, ...members].join(', ')} SELECT EXISTS (SELECT FROM gate) AS changed`,
    values: values.values,
  });
  return rows[0]?.changed === true || (again && (await wasWritten(database, tenant, leaf.id)));
}

/** Where the answer of an earlier try got lost, its leaf tells whether it was us. */
export async function wasWritten(database: Database, tenant: string, leafId: string): Promise<boolean> {
  const found = await database.run<{ id: string }>({
    name: 'leaf-written',
    text: 'SELECT id FROM ledger_leaves WHERE tenant = $1 AND id = $2',
    values: [tenant, leafId],
  });
  return found.length > 0;
}

/** A subject that the directory names comes back after a cut; one that came by e-mail does not. */
async function linkIdentity(database: Database, link: IdentityLink, leaf: LeafRecord): Promise<'linked' | 'taken'> {
  const values = new Values();
  const tenant = values.add(link.tenant, 'text');
  const [issuer, subject, person] = [values.add(link.issuer, 'text'), values.add(link.subject, 'text'), values.add(link.person_id, 'text')];
  const gate = `INSERT INTO identity_links (tenant, issuer, subject, person_id, how, linked_at, last_used_at)
    SELECT ${tenant}, ${issuer}, ${subject}, p.id, ${values.add(link.how, 'text')}, clock_timestamp(), clock_timestamp()
    FROM directory_people p WHERE p.tenant = ${tenant} AND p.id = ${person} AND p.active
      AND NOT EXISTS (SELECT FROM identity_links o WHERE o.tenant = ${tenant} AND o.issuer = ${issuer} AND o.person_id = ${person} AND o.cut_at IS NULL AND o.subject <> ${subject})
    ON CONFLICT (tenant, issuer, subject) DO UPDATE SET person_id = excluded.person_id, how = excluded.how, linked_at = excluded.linked_at, cut_at = NULL
      WHERE identity_links.cut_at IS NOT NULL AND excluded.how = 'directory' RETURNING tenant`;
  try {
    return (await gated(database, 'link-identity', values, link.tenant, gate, leaf)) ? 'linked' : 'taken';
  } catch (error) {
    // Of two subjects that reach for one person at once, the index lets one through.
    if (error instanceof StoreError && error.code === 'refused') return 'taken';
    throw error;
  }
}

async function openSession(database: Database, session: SessionRecord, insteadOf: Uint8Array | null): Promise<void> {
  const { text, values } = sessionInsert(session, 2);
  await database.run({
    name: 'open-session',
    text: `WITH gone AS (DELETE FROM sessions WHERE hash = $1 OR expires_at < clock_timestamp() - interval '1 day') ${text}`,
    values: [insteadOf, ...values],
  });
}

const SESSION_COLUMNS = 'id, tenant, person_id, issuer, method, subject, provider_sid, auth_time, acr, amr, user_agent, created_at, last_used_at, expires_at';

type IdentityRow = Omit<IdentityLink, 'linked_at' | 'last_used_at' | 'cut_at'> & { linked_at: Date; last_used_at: Date | null; cut_at: Date | null };
type Dated<T, K extends keyof T> = Omit<T, K> & { [P in K]: null extends T[P] ? Date | null : Date };
type SessionRow = Dated<SessionView, 'auth_time' | 'created_at' | 'last_used_at' | 'expires_at'>;
type TokenRow = Dated<TokenView, 'created_at' | 'expires_at' | 'revoked_at' | 'last_used_at' | 'stepped_up_at'>;

function identityOf(row: IdentityRow): IdentityLink {
  return { ...row, linked_at: instant(row.linked_at), last_used_at: instantOrNull(row.last_used_at), cut_at: instantOrNull(row.cut_at) };
}

function sessionOf(row: SessionRow): SessionView {
  return {
    ...row,
    auth_time: instantOrNull(row.auth_time),
    created_at: instant(row.created_at),
    last_used_at: instant(row.last_used_at),
    expires_at: instant(row.expires_at),
  };
}

function tokenOf(row: TokenRow): TokenView {
  return {
    ...row,
    created_at: instant(row.created_at),
    expires_at: instantOrNull(row.expires_at),
    revoked_at: instantOrNull(row.revoked_at),
    last_used_at: instantOrNull(row.last_used_at),
    stepped_up_at: instantOrNull(row.stepped_up_at),
  };
}
