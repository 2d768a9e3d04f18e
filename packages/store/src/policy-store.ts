import type { PolicyStore } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { instant } from './rows.js';

/** Policy bundles by digest, and which one is in force. A bundle is never changed or removed: requests are pinned to it. */
export function policyStore(database: Database): PolicyStore {
  return {
    activate: (policy) => activate(database, policy),
    canonical: async (tenant, digest) => {
      const [found] = await database.run<{ canonical: string }>({
        name: 'policy',
        text: 'SELECT canonical FROM policies WHERE tenant = $1 AND digest = $2',
        values: [tenant, digest],
      });
      return found?.canonical ?? null;
    },
    active: async (tenant) => {
      const [found] = await database.run<{ digest: string; activated_at: Date; activated_by: string }>({
        name: 'active-policy',
        text: 'SELECT digest, activated_at, activated_by FROM active_policies WHERE tenant = $1',
        values: [tenant],
      });
      return found === undefined ? null : { digest: found.digest, activated_at: instant(found.activated_at), by: found.activated_by };
    },
  };
}

/** Text, activation and leaf in one statement; the row of the policy in force is the gate, so of two equal activations one counts. */
async function activate(database: Database, policy: Activation): Promise<{ changed: boolean }> {
  const values = new Values();
  const tenant = values.add(policy.tenant, 'text');
  const digest = values.add(policy.digest, 'text');
  const leaf = leafMembers(values, tenant, [policy.leaf], 'gate');
  const { rows, again } = await database.runCounting<{ changed: boolean }>({
    name: 'activate',
    text: `WITH text AS (INSERT INTO policies (tenant, digest, canonical) VALUES (${tenant}, ${digest}, ${values.add(policy.canonical, 'text')}) ON CONFLICT DO NOTHING),
      gate AS (INSERT INTO active_policies (tenant, digest, activated_at, activated_by) VALUES (${tenant}, ${digest}, now(), ${values.add(policy.by, 'text')})
        ON CONFLICT (tenant) DO UPDATE SET digest = excluded.digest, activated_at = excluded.activated_at, activated_by = excluded.activated_by
        WHERE active_policies.digest <> excluded.digest RETURNING tenant)
      ${leaf.members.map((member) => `, ${member}`).join('\n')}
      SELECT EXISTS (SELECT FROM gate) AS changed`,
    values: values.values,
  });
  if (rows[0]?.changed === true || !again) return { changed: rows[0]?.changed === true };
  // The answer of an earlier try got lost: its leaf tells whether it was us.
  const [written] = await database.run<{ id: string }>({
    name: 'activate:written',
    text: 'SELECT id FROM ledger_leaves WHERE tenant = $1 AND id = $2',
    values: [policy.tenant, policy.leaf.id],
  });
  return { changed: written !== undefined };
}

type Activation = Parameters<PolicyStore['activate']>[0];
