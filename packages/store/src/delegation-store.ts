import type { PersonView } from '@countersign/contracts';
import type { DelegationRecord, DelegationStore, DelegationView, LeafRecord, NoticeRecord } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { noticeMembers } from './follow-up-parts.js';
import { type DelegationJson, delegationOf } from './follow-up-rows.js';

/** Who stands in for whom. */
export function delegationStore(database: Database): DelegationStore {
  return {
    list: async (tenant, person_id) =>
      (
        await database.run<DelegationRow>({
          name: 'delegations',
          text: `${SELECT} WHERE g.tenant = $1 AND ($2::text IS NULL OR g.person_id = $2 OR g.delegate_id = $2) ORDER BY g.created_at DESC, g.id DESC LIMIT 500`,
          values: [tenant, person_id],
        })
      ).map(viewOf),
    inForce: async (tenant, person_ids) =>
      (
        await database.run<DelegationRow>({
          name: 'delegations-in-force',
          text: `${SELECT} WHERE g.tenant = $1 AND g.person_id = ANY ($2::text[]) AND g.ended_at IS NULL AND g.from_at <= clock_timestamp() AND g.until_at > clock_timestamp()
            ORDER BY g.created_at, g.id`,
          values: [tenant, person_ids],
        })
      ).map(viewOf),
    get: async (tenant, id) => {
      const [row] = await database.run<DelegationRow>({ name: 'delegation', text: `${SELECT} WHERE g.tenant = $1 AND g.id = $2`, values: [tenant, id] });
      return row === undefined ? null : viewOf(row);
    },
    create: (delegation, leaf, notices) => create(database, delegation, leaf, notices),
    end: (tenant, id, at, leaf, notices) => end(database, { tenant, id, at, leaf, notices }),
  };
}

interface DelegationRow extends DelegationJson {
  person: PersonView;
  delegate: PersonView;
  state: DelegationView['state'];
}

const PERSON = (name: string): string => `json_build_object('id', ${name}.id, 'email', ${name}.email, 'name', ${name}.name)`;
const SELECT = `SELECT g.*, ${PERSON('p')} AS person, ${PERSON('d')} AS delegate,
    CASE WHEN g.ended_at IS NOT NULL THEN 'taken_back' WHEN g.until_at <= clock_timestamp() THEN 'over' WHEN g.from_at > clock_timestamp() THEN 'to_come' ELSE 'in_force' END AS state
  FROM delegations g JOIN directory_people p ON p.tenant = g.tenant AND p.id = g.person_id JOIN directory_people d ON d.tenant = g.tenant AND d.id = g.delegate_id`;

const viewOf = (row: DelegationRow): DelegationView => ({ ...delegationOf(row), person: row.person, delegate: row.delegate, state: row.state });

/**
 * In a transaction under the tenant's lock: what is asked of the other rows must hold when this one commits, or two people who name each
 * other at once would both be away. Ids make it safe to run again.
 */
async function create(database: Database, delegation: DelegationRecord, leaf: LeafRecord, notices: NoticeRecord[]): ReturnType<DelegationStore['create']> {
  const { tenant, id, person_id, delegate_id, from, until, reason, created_at } = delegation;
  return database.transaction(async (client) => {
    await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('delegations ' || $1, 0))`, [tenant]);
    const { rows } = await client.query<{ overlaps: boolean; delegate_away: boolean; active: boolean; written: boolean }>(
      `WITH live AS (SELECT g.person_id FROM delegations g WHERE g.tenant = $1 AND g.ended_at IS NULL AND g.from_at < $5::timestamptz AND g.until_at > $4::timestamptz AND g.id <> $6),
        humans AS (SELECT p.id, p.human, p.active FROM directory_people p WHERE p.tenant = $1)
      SELECT EXISTS (SELECT FROM live l JOIN humans a ON a.id = l.person_id JOIN humans b ON b.id = $2 AND b.human = a.human) AS overlaps,
        EXISTS (SELECT FROM live l JOIN humans a ON a.id = l.person_id JOIN humans b ON b.id = $3 AND b.human = a.human) AS delegate_away,
        (SELECT count(*) = 2 FROM humans WHERE id IN ($2, $3) AND active) AS active,
        EXISTS (SELECT FROM delegations g WHERE g.tenant = $1 AND g.id = $6) AS written`,
      [tenant, person_id, delegate_id, from, until, id],
    );
    const [found] = rows;
    if (found === undefined || !found.active) return 'not_active';
    if (found.written) return 'created';
    if (found.overlaps) return 'overlaps';
    if (found.delegate_away) return 'delegate_away';
    const values = new Values();
    const ofTenant = values.add(tenant, 'text');
    const row = [
      ofTenant,
      ...[id, person_id, delegate_id].map((text) => values.add(text, 'text')),
      values.add(from, 'timestamptz'),
      values.add(until, 'timestamptz'),
      values.add(reason, 'text'),
      values.add(created_at, 'timestamptz'),
    ];
    const members = [...noticeMembers(values, ofTenant, notices, 'gate'), ...leafMembers(values, ofTenant, [leaf], 'gate').members];
    await client.query(
      `WITH gate AS (INSERT INTO delegations (tenant, id, person_id, delegate_id, from_at, until_at, reason, created_at) VALUES (${row.join(', ')}) RETURNING tenant)
        ${members.map((member) => `, ${member}`).join('\n')} SELECT 1`,
      values.values,
    );
    return 'created';
  });
}

async function end(
  database: Database,
  { tenant, id, at, leaf, notices }: { tenant: string; id: string; at: string; leaf: LeafRecord; notices: NoticeRecord[] },
): Promise<boolean> {
  const values = new Values();
  const ofTenant = values.add(tenant, 'text');
  const members = [...(notices.length === 0 ? [] : noticeMembers(values, ofTenant, notices, 'gate')), ...leafMembers(values, ofTenant, [leaf], 'gate').members];
  const [row] = await database.run<{ ended: boolean }>({
    name: `end-delegation:N${notices.length}`,
    text: `WITH gate AS (UPDATE delegations SET ended_at = ${values.add(at, 'timestamptz')}
        WHERE tenant = ${ofTenant} AND id = ${values.add(id, 'text')} AND ended_at IS NULL AND until_at > clock_timestamp() RETURNING tenant)
      ${members.map((member) => `, ${member}`).join('\n')}
      SELECT EXISTS (SELECT FROM gate) AS ended`,
    values: values.values,
  });
  return row?.ended === true;
}
