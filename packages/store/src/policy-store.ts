import type { PolicyActivationRecord, PolicySourceRecord, PolicyStore } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { hasLeaf } from './control.js';
import { type Database, Values } from './database.js';
import { StoreError } from './errors.js';
import { instant, instantOrNull } from './rows.js';

/** Policy bundles by digest, and which one is in force. A bundle is never changed or removed: requests are pinned to it. */
export function policyStore(database: Database): PolicyStore {
  return {
    activate: (policy) => activate(database, policy),
    store: (policy) => store(database, policy),
    canonical: async (tenant, digest) => (await one(database, tenant, digest))?.canonical ?? null,
    active: async (tenant) => {
      const [found] = await database.run<{ digest: string; activated_at: Date; activated_by: string }>({
        name: 'active-policy',
        text: 'SELECT digest, activated_at, activated_by FROM active_policies WHERE tenant = $1',
        values: [tenant],
      });
      return found === undefined ? null : { digest: found.digest, activated_at: instant(found.activated_at), by: found.activated_by };
    },
    list: async (tenant, limit) => {
      const rows = await database.run<PolicyRow>({
        name: 'policies',
        text: 'SELECT digest, canonical, created_at FROM policies WHERE tenant = $1 ORDER BY created_at DESC, digest LIMIT $2',
        values: [tenant, limit],
      });
      return rows.map(storedOf);
    },
    one: (tenant, digest) => one(database, tenant, digest),
    history: async (tenant, limit) => {
      const rows = await database.run<Omit<PolicyActivationRecord, 'activated_at'> & { activated_at: Date }>({
        name: 'policy-history',
        text: `SELECT digest, previous, activated_at, activated_by AS by, source AS origin FROM policy_activations WHERE tenant = $1
          ORDER BY activated_at DESC, id DESC LIMIT $2`,
        values: [tenant, limit],
      });
      return rows.map((row) => ({ ...row, activated_at: instant(row.activated_at) }));
    },
    async looked(tenant, { source, kind, at, result }) {
      const read = result.kind === 'read';
      await database.run({
        name: read ? 'policy-look' : 'policy-look:failed',
        text: `INSERT INTO policy_sources (tenant, source, kind, looked_at, digest, revision, failed_at, problems) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
          ON CONFLICT (tenant, source) DO UPDATE SET kind = excluded.kind, looked_at = excluded.looked_at, problems = excluded.problems,
            ${read ? 'digest = excluded.digest, revision = excluded.revision, failed_at = NULL' : 'failed_at = coalesce(policy_sources.failed_at, excluded.failed_at)'}`,
        values: [
          tenant,
          source,
          kind,
          at,
          read ? result.digest : null,
          read ? result.revision : null,
          read ? null : at,
          read ? null : JSON.stringify(result.problems),
        ],
      });
    },
    looks: async (tenant) => {
      const rows = await database.run<LookRow>({
        name: 'policy-looks',
        text: 'SELECT source, kind, looked_at, digest, revision, failed_at, problems FROM policy_sources WHERE tenant = $1 ORDER BY source',
        values: [tenant],
      });
      return rows.map((row) => ({ ...row, looked_at: instant(row.looked_at), failed_at: instantOrNull(row.failed_at), problems: row.problems ?? [] }));
    },
  };
}

interface PolicyRow {
  digest: string;
  canonical: string;
  created_at: Date;
}
type LookRow = Omit<PolicySourceRecord, 'looked_at' | 'failed_at' | 'problems'> & {
  looked_at: Date;
  failed_at: Date | null;
  problems: PolicySourceRecord['problems'] | null;
};

const storedOf = ({ digest, canonical, created_at }: PolicyRow) => ({ digest, canonical, stored_at: instant(created_at) });

async function one(database: Database, tenant: string, digest: string): Promise<ReturnType<typeof storedOf> | null> {
  const [found] = await database.run<PolicyRow>({
    name: 'policy',
    text: 'SELECT digest, canonical, created_at FROM policies WHERE tenant = $1 AND digest = $2',
    values: [tenant, digest],
  });
  return found === undefined ? null : storedOf(found);
}

async function store(database: Database, policy: Parameters<PolicyStore['store']>[0]): Promise<{ stored: boolean }> {
  const values = new Values();
  const tenant = values.add(policy.tenant, 'text');
  const { members } = leafMembers(values, tenant, [policy.leaf], 'gate');
  const { rows, again } = await database.runCounting<{ stored: boolean }>({
    name: 'policy-store',
    text: `WITH gate AS (INSERT INTO policies (tenant, digest, canonical, stored_by) VALUES (${tenant}, ${values.add(policy.digest, 'text')},
        ${values.add(policy.canonical, 'text')}, ${values.add(policy.by, 'text')}) ON CONFLICT DO NOTHING RETURNING tenant)
      ${members.map((member) => `, ${member}`).join('\n')} SELECT EXISTS (SELECT FROM gate) AS stored`,
    values: values.values,
  });
  return { stored: rows[0]?.stored === true || (again && (await hasLeaf(database, policy.tenant, policy.leaf.id))) };
}

/**
 * Under the lock that commits share (migration `control`): text, activation, its place in the history and leaf in one statement. The row of
 * the policy in force is the gate, so of two equal activations one counts.
 */
async function activate(database: Database, policy: Activation): Promise<{ changed: boolean }> {
  const values = new Values();
  const tenant = values.add(policy.tenant, 'text');
  const digest = values.add(policy.digest, 'text');
  const by = values.add(policy.by, 'text');
  const { members } = leafMembers(values, tenant, [policy.leaf], 'gate');
  const expected =
    policy.expect === undefined ? 'true' : `EXISTS (SELECT FROM active_policies WHERE tenant = ${tenant} AND digest = ${values.add(policy.expect, 'text')})`;
  const text = `WITH text AS (INSERT INTO policies (tenant, digest, canonical) VALUES (${tenant}, ${digest}, ${values.add(policy.canonical, 'text')}) ON CONFLICT DO NOTHING),
      before AS (SELECT digest FROM active_policies WHERE tenant = ${tenant}),
      gate AS (INSERT INTO active_policies (tenant, digest, activated_at, activated_by) SELECT ${tenant}, ${digest}, clock_timestamp(), ${by} WHERE ${expected}
        ON CONFLICT (tenant) DO UPDATE SET digest = excluded.digest, activated_at = excluded.activated_at, activated_by = excluded.activated_by
        WHERE active_policies.digest <> excluded.digest RETURNING tenant, activated_at),
      history AS (INSERT INTO policy_activations (tenant, id, digest, previous, activated_at, activated_by, source)
        SELECT ${tenant}, ${values.add(policy.leaf.id, 'text')}, ${digest}, (SELECT digest FROM before), gate.activated_at, ${by},
          ${values.add(JSON.stringify(policy.origin ?? { kind: 'other', by: policy.by }), 'json')} FROM gate)
      ${members.map((member) => `, ${member}`).join('\n')}
      SELECT EXISTS (SELECT FROM gate) AS changed`;
  for (let tries = 1; ; tries += 1) {
    try {
      const { changed } = await database.transaction(async (client) => {
        await client.query('SELECT countersign_take_control($1)', [policy.tenant]);
        const { rows } = await client.query<{ changed: boolean }>(text, values.values);
        return { changed: rows[0]?.changed === true };
      });
      // What an earlier try committed is no race that was lost: the leaf is ours. The lock has waited for that try's end.
      return { changed: changed || (tries > 1 && (await hasLeaf(database, policy.tenant, policy.leaf.id))) };
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'commit_unknown') || tries === MOST_TRIES) throw error;
    }
  }
}

/** How often an activation whose connection breaks is tried. */
const MOST_TRIES = 5;

type Activation = Parameters<PolicyStore['activate']>[0];
