import type { ChatAccount, ChatLinkAttempt, ChatLinkStore, LeafRecord, LinkedAccount, Person } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { StoreError } from './errors.js';
import { gated, wasWritten } from './identity-store.js';
import { instant, instantOrNull, PERSON_JSON, type PersonJson, personOf } from './rows.js';

/** Chat accounts and their persons, and accounts on their way to one. */
export function chatLinkStore(database: Database): ChatLinkStore {
  const links = async (name: string, where: string, values: unknown[]): Promise<LinkedAccount[]> =>
    (
      await database.run<LinkRow>({
        name: `chat-links:${name}`,
        text: `SELECT ${LINK_COLUMNS} FROM chat_account_links l WHERE ${where} ORDER BY l.platform, l.workspace, l."user"`,
        values,
      })
    ).map(linkOf);
  return {
    account: async ({ tenant, platform, workspace, user }) => {
      const [row] = await database.run<LinkRow & { person: PersonJson }>({
        name: 'chat-account',
        text: `SELECT ${LINK_COLUMNS}, ${PERSON_JSON} AS person FROM chat_account_links l JOIN directory_people p ON p.tenant = l.tenant AND p.id = l.person_id
          WHERE l.tenant = $1 AND l.platform = $2 AND l.workspace = $3 AND l."user" = $4`,
        values: [tenant, platform, workspace, user],
      });
      if (row === undefined) return null;
      const { person, ...link } = row;
      return { link: linkOf(link), person: personOf(person) };
    },
    links: (tenant, personId) => links('of', 'l.tenant = $1 AND ($2::text IS NULL OR l.person_id = $2)', [tenant, personId]),
    link: async (tenant, id) => (await links('id', 'l.tenant = $1 AND l.id = $2', [tenant, id]))[0] ?? null,
    startLink: async ({ hash, tenant, platform, workspace, user, label, expires_at }) => {
      await database.run({
        name: 'start-link',
        // The newest link of an account counts alone; those that are over go with it.
        text: `WITH gone AS (DELETE FROM chat_link_attempts
            WHERE (tenant = $2 AND platform = $3 AND workspace = $4 AND "user" = $5 AND hash <> $1) OR expires_at < clock_timestamp() - interval '1 hour')
          INSERT INTO chat_link_attempts (hash, tenant, platform, workspace, "user", label, created_at, expires_at)
          VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), $7) ON CONFLICT DO NOTHING`,
        values: [hash, tenant, platform, workspace, user, label, expires_at],
      });
    },
    openLink: async (hash, { tenant, person_id, session_id }) => {
      const [row] = await database.run<AttemptRow>({
        name: 'open-link',
        text: `UPDATE chat_link_attempts SET person_id = $3, session_id = $4
          WHERE hash = $1 AND tenant = $2 AND ${LIVE} AND (session_id IS NULL OR (session_id = $4 AND person_id = $3)) RETURNING *`,
        values: [hash, tenant, person_id, session_id],
      });
      return row === undefined ? null : attemptOf(row);
    },
    proveLink: async (hash, { session_id }, proof) =>
      (
        await database.run<{ hash: Buffer }>({
          name: 'prove-link',
          text: `UPDATE chat_link_attempts SET proof = $3 WHERE hash = $1 AND session_id = $2 AND ${LIVE} RETURNING hash`,
          values: [hash, session_id, proof],
        })
      ).length > 0,
    wantCode: async (hash, { session_id }, most) =>
      (
        await database.run<{ hash: Buffer }>({
          name: 'want-code',
          text: `UPDATE chat_link_attempts SET code_wanted = true, code_hash = NULL, code_tries = code_tries + CASE WHEN code_wanted THEN 1 ELSE 0 END
            WHERE hash = $1 AND session_id = $2 AND code_tries < $3 AND proof IS NULL AND ${LIVE} RETURNING hash`,
          values: [hash, session_id, most],
        })
      ).length > 0,
    takeCodeTask: async (tenant, platform, codeHash) => {
      const [row] = await database.once<AttemptRow & { person: PersonJson }>({
        name: 'take-code-task',
        text: `UPDATE chat_link_attempts a SET code_hash = $3 FROM directory_people p
          WHERE a.hash = (SELECT hash FROM chat_link_attempts WHERE tenant = $1 AND platform = $2 AND code_wanted AND code_hash IS NULL AND proof IS NULL AND ${LIVE}
            ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED) AND p.tenant = a.tenant AND p.id = a.person_id
          RETURNING a.*, ${PERSON_JSON} AS person`,
        values: [tenant, platform, codeHash],
      });
      if (row === undefined) return null;
      const { person, ...attempt } = row;
      return { ...attemptOf(attempt), person: personOf(person) };
    },
    returnCodeTask: async (hash) => {
      await database.run({
        name: 'return-code-task',
        text: 'UPDATE chat_link_attempts SET code_hash = NULL WHERE hash = $1 AND proof IS NULL',
        values: [hash],
      });
    },
    tryCode: async (hash, { session_id }, codeHash, most) => {
      const [row] = await database.once<{ proof: string | null }>({
        name: 'try-code',
        text: `UPDATE chat_link_attempts SET code_tries = code_tries + 1, proof = CASE WHEN code_hash = $3 THEN 'code' END
          WHERE hash = $1 AND session_id = $2 AND code_hash IS NOT NULL AND code_tries < $4 AND proof IS NULL AND ${LIVE} RETURNING proof`,
        values: [hash, session_id, codeHash, most],
      });
      return row === undefined ? 'over' : row.proof === null ? 'wrong' : 'right';
    },
    finishLink: (hash, by, leaf) => finishLink(database, hash, by, leaf),
    linkAccount: (link, leaf) => linkAccount(database, link, leaf),
    cutLink: (tenant, id, leaf) => {
      const values = new Values();
      const gate = `DELETE FROM chat_account_links WHERE tenant = ${values.add(tenant, 'text')} AND id = ${values.add(id, 'text')} AND how <> 'directory'
        RETURNING tenant, platform, workspace, "user", person_id`;
      const cut = `cut AS (INSERT INTO chat_account_cuts (tenant, platform, workspace, "user", person_id, cut_at)
        SELECT tenant, platform, workspace, "user", person_id, clock_timestamp() FROM gate ON CONFLICT DO NOTHING)`;
      return gated(database, 'cut-link', values, tenant, gate, leaf, [cut]);
    },
  };
}

const LIVE = 'spent_at IS NULL AND expires_at > clock_timestamp()';

/**
 * Who has the account now, and whether the person has another one in its workspace: `taken` and `second`.
 * @param counting an SQL condition on the other link `o` that makes it a second one
 * @param free a condition under which the link that is there gives way
 */
function obstacles(account: Record<'tenant' | 'platform' | 'workspace' | 'user' | 'person', string>, counting = 'true', free = 'false'): string {
  const here = `o.tenant = ${account.tenant} AND o.platform = ${account.platform} AND o.workspace = ${account.workspace}`;
  return `EXISTS (SELECT FROM chat_account_links o WHERE ${here} AND o."user" = ${account.user} AND NOT (${free})) AS taken,
    EXISTS (SELECT FROM chat_account_links o WHERE ${here} AND o.person_id = ${account.person} AND o."user" <> ${account.user} AND ${counting}) AS second`;
}

async function finishLink(
  database: Database,
  hash: Uint8Array,
  by: { session_id: string; person_id: string },
  leaf: LeafRecord,
): Promise<'linked' | 'taken' | 'second' | 'over'> {
  const values = new Values();
  const [key, session, person] = [values.add(hash, 'bytea'), values.add(by.session_id, 'text'), values.add(by.person_id, 'text')];
  const leaves = leafMembers(values, '(SELECT tenant FROM gate)', [leaf], 'gate');
  const tried = database.runCounting<{ linked: boolean; taken: boolean; second: boolean; tenant: string | null }>({
    name: 'finish-link',
    text: `WITH found AS (SELECT a.*, ${obstacles({ tenant: 'a.tenant', platform: 'a.platform', workspace: 'a.workspace', user: 'a."user"', person: 'a.person_id' }, 'true', `o.person_id = a.person_id AND o.how = 'email'`)}
        FROM chat_link_attempts a WHERE hash = ${key} AND session_id = ${session} AND person_id = ${person} AND proof IS NOT NULL AND ${LIVE}),
      spent AS (UPDATE chat_link_attempts a SET spent_at = clock_timestamp() FROM found f
        WHERE a.hash = f.hash AND a.spent_at IS NULL AND NOT f.taken AND NOT f.second RETURNING a.*),
      gate AS (INSERT INTO chat_account_links (tenant, platform, workspace, "user", person_id, how, linked_at)
        SELECT tenant, platform, workspace, "user", person_id, 'proof', clock_timestamp() FROM spent
        WHERE EXISTS (SELECT FROM directory_people p WHERE p.tenant = spent.tenant AND p.id = spent.person_id AND p.active)
        ON CONFLICT (tenant, platform, workspace, "user") DO UPDATE SET how = excluded.how, linked_at = excluded.linked_at
          WHERE chat_account_links.person_id = excluded.person_id AND chat_account_links.how = 'email' RETURNING tenant),
      ${leaves.members.join(', ')}
      SELECT EXISTS (SELECT FROM gate) AS linked, coalesce((SELECT taken FROM found), false) AS taken, coalesce((SELECT second FROM found), false) AS second,
        (SELECT tenant FROM chat_link_attempts WHERE hash = ${key}) AS tenant`,
    values: values.values,
  });
  // Of two accounts that reach for one person at once, the index lets one through; the other attempt is not spent.
  const done = await tried.catch((error: unknown) => (error instanceof StoreError && error.code === 'refused' ? null : Promise.reject(error)));
  if (done === null) return 'second';
  const { rows, again } = done;
  const [row] = rows;
  if (row === undefined) return 'over';
  if (row.linked || (again && row.tenant !== null && (await wasWritten(database, row.tenant, leaf.id)))) return 'linked';
  return row.taken ? 'taken' : row.second ? 'second' : 'over';
}

/** An address that the operator vouches for is the person's beside what the directory names. */
const OWN = `o.how IN ('proof', 'email')`;

async function linkAccount(
  database: Database,
  { tenant, platform, workspace, user, person_id, how }: ChatAccount & { tenant: string; person_id: string; how: 'email' | 'administrator' },
  leaf: LeafRecord,
): Promise<'linked' | 'taken' | 'second'> {
  const values = new Values();
  const [t, p, w, u, person, h] = [tenant, platform, workspace, user, person_id, how].map((value) => values.add(value, 'text'));
  // The six values above, in their order.
  const account = { tenant: t ?? '', platform: p ?? '', workspace: w ?? '', user: u ?? '', person: person ?? '' };
  const leaves = leafMembers(values, account.tenant, [leaf], 'gate');
  const { rows, again } = await database.runCounting<{ linked: boolean; taken: boolean; second: boolean }>({
    name: 'link-account',
    text: `WITH found AS (SELECT ${obstacles(account, OWN)}),
      gate AS (INSERT INTO chat_account_links (tenant, platform, workspace, "user", person_id, how, linked_at)
        SELECT ${[t, p, w, u, person, h].join(', ')}, clock_timestamp() FROM found WHERE NOT taken AND (NOT second OR ${h} = 'administrator') ON CONFLICT DO NOTHING RETURNING tenant),
      ${leaves.members.join(', ')}
      SELECT EXISTS (SELECT FROM gate) AS linked, taken, second FROM found`,
    values: values.values,
  });
  if (rows[0]?.linked === true || (again && (await wasWritten(database, tenant, leaf.id)))) return 'linked';
  return rows[0]?.second === true && !rows[0].taken ? 'second' : 'taken';
}

const LINK_COLUMNS = `l.id, l.platform, l.workspace, l."user", l.person_id, l.how, l.linked_at,
  (SELECT max(c.cut_at) FROM chat_account_cuts c WHERE c.tenant = l.tenant AND c.platform = l.platform
    AND ((c.workspace = l.workspace AND c."user" = l."user") OR c.person_id = l.person_id)) AS cut_at`;

type LinkRow = Omit<LinkedAccount, 'linked_at' | 'cut_at'> & { linked_at: Date; cut_at: Date | null };
type AttemptRow = Omit<ChatLinkAttempt, 'created_at' | 'expires_at'> & { created_at: Date; expires_at: Date; spent_at?: Date | null };

function linkOf(row: LinkRow): LinkedAccount {
  return { ...row, linked_at: instant(row.linked_at), cut_at: instantOrNull(row.cut_at) };
}

function attemptOf({ spent_at: _spent, ...row }: AttemptRow): ChatLinkAttempt & { person?: Person } {
  return { ...row, created_at: instant(row.created_at), expires_at: instant(row.expires_at) };
}
