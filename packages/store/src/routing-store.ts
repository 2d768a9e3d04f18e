import type { NoticeRecord, PlatformName, ReachablePerson, RoutingFailure, RoutingStore } from '@countersign/core/ports';
import { ADMINISTRATORS } from '@countersign/contracts';
import { type Database, Values } from './database.js';
import { noticeMembers } from './follow-up-parts.js';
import { instant, PERSON_JSON, type PersonJson, personOf } from './rows.js';

interface FailureRow {
  tenant: string;
  platform: PlatformName | '*';
  target: string;
  reason: string;
  since: Date;
  last_at: Date;
}

/** Who can be reached, and what nothing can be shown at. */
export function routingStore(database: Database): RoutingStore {
  return {
    platforms: async (tenant) =>
      (
        await database.run<{ platform: PlatformName }>({
          name: 'connected-platforms',
          // One that the configuration has no longer, or that nothing works on, shows nothing to anybody.
          text: `SELECT platform FROM chat_platforms WHERE tenant = $1 AND connected_at > now() - interval '15 minutes' ORDER BY platform`,
          values: [tenant],
        })
      ).map(({ platform }) => platform),
    reachable: (tenant, who) => reachable(database, tenant, who),
    failing: async (tenant) =>
      (
        await database.run<FailureRow>({
          name: 'routing-failures',
          text: 'SELECT tenant, platform, target, reason, since, last_at FROM routing_failures WHERE tenant = $1 ORDER BY last_at DESC, platform, target',
          values: [tenant],
        })
      ).map(failureOf),
    failed: (failure, notice) => failed(database, failure, notice),
    mended: async (tenant, platform, targets) => {
      await database.run({
        name: 'routing-mended',
        text: 'DELETE FROM routing_failures WHERE tenant = $1 AND platform = $2 AND target = ANY ($3::text[])',
        values: [tenant, platform, targets],
      });
    },
  };
}

async function reachable(
  database: Database,
  tenant: string,
  { groups, people }: { groups: readonly string[]; people: readonly string[] },
): Promise<ReachablePerson[]> {
  const rows = await database.run<{ person: PersonJson; accounts: ReachablePerson['accounts'] | null }>({
    name: 'reachable-people',
    text: `WITH named AS (
        SELECT m.person_id AS id FROM directory_memberships m WHERE m.tenant = $1 AND m.group_name = ANY ($2::text[])
        UNION SELECT g.delegate_id FROM delegations g JOIN directory_memberships m ON m.tenant = g.tenant AND m.person_id = g.person_id
          WHERE g.tenant = $1 AND m.group_name = ANY ($2::text[]) AND g.ended_at IS NULL AND g.from_at <= clock_timestamp() AND g.until_at > clock_timestamp()
        UNION SELECT a.id FROM directory_people a WHERE a.tenant = $1 AND '${ADMINISTRATORS}' = ANY ($2::text[]) AND 'administrator' = ANY (a.roles)
        UNION SELECT q.id FROM directory_people q WHERE q.tenant = $1 AND (q.id IN (SELECT lower(ref) FROM unnest($3::text[]) AS ref)
          OR lower(q.email) IN (SELECT lower(ref) FROM unnest($3::text[]) AS ref)))
      SELECT ${PERSON_JSON} AS person, (SELECT json_agg(json_build_object('platform', l.platform, 'workspace', l.workspace, 'user', l."user", 'how', l.how)
          ORDER BY l.platform, l.workspace, l."user") FROM chat_account_links l WHERE l.tenant = p.tenant AND l.person_id = p.id) AS accounts
      FROM directory_people p WHERE p.tenant = $1 AND p.deleted_at IS NULL AND p.id IN (SELECT id FROM named) ORDER BY lower(p.email), p.id`,
    values: [tenant, groups, people],
  });
  return rows.map(({ person, accounts }) => ({ person: personOf(person), accounts: accounts ?? [] }));
}

/** A failure that is known already is only seen again; xmax is 0 where the row is new. */
async function failed(database: Database, failure: Omit<RoutingFailure, 'since' | 'last_at'>, notice: NoticeRecord): Promise<boolean> {
  const values = new Values();
  const tenant = values.add(failure.tenant, 'text');
  const seen = `seen AS (INSERT INTO routing_failures (tenant, platform, target, reason) VALUES (${tenant}, ${values.add(failure.platform, 'text')},
      ${values.add(failure.target, 'text')}, ${values.add(failure.reason, 'text')})
    ON CONFLICT (tenant, platform, target) DO UPDATE SET reason = excluded.reason, last_at = clock_timestamp() RETURNING (xmax = 0) AS new)`;
  const [row] = await database.run<{ new: boolean }>({
    name: 'routing-failed',
    text: `WITH ${[seen, 'gate AS (SELECT new FROM seen WHERE new)', ...noticeMembers(values, tenant, [notice], 'gate')].join(',\n')} SELECT new FROM seen`,
    values: values.values,
  });
  return row?.new === true;
}

function failureOf({ since, last_at, ...row }: FailureRow): RoutingFailure {
  return { ...row, since: instant(since), last_at: instant(last_at) };
}
