import type { GroupEntry, ScimStore, ScimTokenRecord, ScimUser } from '@countersign/core/ports';
import { foldRef } from '@countersign/core/decision';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { dated, type Dated, SCIM_COLUMNS } from './directory-reads.js';
import { instant, instantOrNull } from './rows.js';

type TokenRow = Omit<ScimTokenRecord, 'created_at' | 'expires_at' | 'revoked_at' | 'last_used_at'> & {
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
};

/** What SCIM clients prove themselves by, and what they read. */
export function scimStore(database: Database): ScimStore {
  const tokens = async (name: string, where: string, values: unknown[]): Promise<ScimTokenRecord[]> =>
    (await database.run<TokenRow>({ name: `scim-tokens:${name}`, text: `SELECT * FROM scim_tokens WHERE ${where} ORDER BY created_at DESC, id`, values })).map(
      tokenOf,
    );
  return {
    insertToken: async (token, leaf) => {
      const values = new Values();
      const tenant = values.add(token.tenant, 'text');
      const columns = [
        values.add(token.id, 'text'),
        values.add(token.hash, 'bytea'),
        values.add(token.prefix, 'text'),
        values.add(token.name, 'text'),
        values.add(token.created_by, 'text'),
        values.add(token.created_at, 'timestamptz'),
        values.add(token.expires_at, 'timestamptz'),
      ];
      const { members } = leafMembers(values, tenant, [leaf], 'gate');
      await database.run({
        name: 'insert-scim-token',
        text: `WITH gate AS (INSERT INTO scim_tokens (tenant, id, hash, prefix, name, created_by, created_at, expires_at) VALUES (${[tenant, ...columns].join(', ')})
          ON CONFLICT DO NOTHING RETURNING tenant), ${members.join(', ')} SELECT 1`,
        values: values.values,
      });
    },
    tokenByHash: async (hash) => (await tokens('hash', 'hash = $1', [Buffer.from(hash)]))[0] ?? null,
    tokens: (tenant) => tokens('all', 'tenant = $1', [tenant]),
    revokeToken: async (tenant, id, leaf) => {
      const values = new Values();
      const ofTenant = values.add(tenant, 'text');
      const gate = `UPDATE scim_tokens SET revoked_at = clock_timestamp() WHERE tenant = ${ofTenant} AND id = ${values.add(id, 'text')} AND revoked_at IS NULL RETURNING tenant`;
      const { members } = leafMembers(values, ofTenant, [leaf], 'gate');
      const text = `WITH gate AS (${gate}), ${members.join(', ')} SELECT EXISTS (SELECT FROM gate) AS done`;
      const { rows, again } = await database.runCounting<{ done: boolean }>({ name: 'revoke-scim-token', text, values: values.values });
      if (rows[0]?.done === true || !again) return rows[0]?.done === true;
      // The answer of an earlier try got lost: its leaf tells whether it was us.
      const written = await database.run({
        name: 'revoke-scim-token:written',
        text: 'SELECT FROM ledger_leaves WHERE tenant = $1 AND id = $2',
        values: [tenant, leaf.id],
      });
      return written.length > 0;
    },
    usedToken: async (tenant, id) => {
      await database.run({
        name: 'used-scim-token',
        text: `UPDATE scim_tokens SET last_used_at = now() WHERE tenant = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
        values: [tenant, id],
      });
    },

    users: async (tenant, narrow) => {
      const [name, where, values] =
        narrow === undefined
          ? ['all', '', []]
          : 'id' in narrow
            ? ['id', 'AND u.id = $2', [narrow.id]]
            : 'user_name' in narrow
              ? ['name', 'AND u.user_name_key = $2', [foldRef(narrow.user_name)]]
              : ['external', 'AND u.external_id = $2', [narrow.external_id]];
      const rows = await database.run<Dated<ScimUser>>({
        name: `scim-users:${name}`,
        text: `SELECT ${SCIM_COLUMNS} FROM scim_users u WHERE u.tenant = $1 AND u.deleted_at IS NULL ${where} ORDER BY u.created_at, u.id`,
        values: [tenant, ...values],
      });
      return rows.map(dated);
    },
    groups: async (tenant, { members, narrow }) => {
      const [name, where, values] =
        narrow === undefined
          ? ['all', '', []]
          : 'id' in narrow
            ? ['id', 'AND g.id = $2', [narrow.id]]
            : ['name', 'AND countersign_fold(g.name) = $2', [foldRef(narrow.name)]];
      const list = members
        ? 'ARRAY(SELECT m.person_id FROM directory_memberships m WHERE m.tenant = g.tenant AND m.group_name = g.name ORDER BY m.person_id)'
        : 'ARRAY[]::text[]';
      const rows = await database.run<Dated<GroupEntry>>({
        name: `scim-groups:${name}:${members}`,
        text: `SELECT g.id, g.name, g.source, g.external_id, g.revision, g.created_at, g.updated_at, ${list} AS members FROM directory_groups g
          WHERE g.tenant = $1 AND g.source = 'scim' ${where} ORDER BY g.created_at, g.id`,
        values: [tenant, ...values],
      });
      return rows.map((row) => ({ ...row, created_at: instant(row.created_at), updated_at: instant(row.updated_at) }));
    },
    groupsOf: (tenant, users) =>
      database.run({
        name: 'scim-groups-of',
        text: `SELECT m.person_id AS user, g.id, g.name FROM directory_memberships m JOIN directory_groups g ON g.tenant = m.tenant AND g.name = m.group_name
          WHERE m.tenant = $1 AND m.person_id = ANY ($2::text[]) AND g.source = 'scim' ORDER BY g.name`,
        values: [tenant, users],
      }),
  };
}

function tokenOf(row: TokenRow): ScimTokenRecord {
  return {
    ...row,
    created_at: instant(row.created_at),
    expires_at: instantOrNull(row.expires_at),
    revoked_at: instantOrNull(row.revoked_at),
    last_used_at: instantOrNull(row.last_used_at),
  };
}
