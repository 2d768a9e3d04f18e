import type { JsonObject, NoticeKind } from '@countersign/contracts';
import type { NoticeRecord, NoticeStore, PlatformName, ToldNotice } from '@countersign/core/ports';
import type { Database } from './database.js';
import { StoreError } from './errors.js';
import { instant } from './rows.js';

interface NoticeRow {
  tenant: string;
  id: string;
  kind: NoticeKind;
  request_id: string | null;
  groups: string[];
  people: string[];
  channels: JsonObject[];
  text: string;
  at: Date;
}

const COLUMNS = 'n.tenant, n.id, n.kind, n.request_id, n.groups, n.people, n.channels, n.text, n.at';

/** What people are told besides the card: a task per notice and connected platform, and the notices themselves for the inbox. */
export function noticeStore(database: Database): NoticeStore {
  return {
    claim: async (platform, limit, leaseSeconds) => {
      const rows = await database.run<NoticeRow & { platform: PlatformName; attempts: number; claimed_at: Date; superseded: boolean }>({
        name: 'claim-notices',
        text: `WITH due AS (SELECT tenant, platform, notice_id FROM notice_tasks
            WHERE platform = $1 AND due_at <= now() AND (leased_until IS NULL OR leased_until <= now()) ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED),
          claimed AS (UPDATE notice_tasks t SET leased_until = now() + make_interval(secs => $3), attempts = t.attempts + 1
            FROM due WHERE t.tenant = due.tenant AND t.platform = due.platform AND t.notice_id = due.notice_id RETURNING t.tenant, t.platform, t.notice_id, t.attempts)
          SELECT ${COLUMNS}, c.platform, c.attempts, clock_timestamp() AS claimed_at, EXISTS (SELECT FROM notices m WHERE m.tenant = n.tenant
            AND m.request_id = n.request_id AND m.kind = n.kind AND m.created_at > n.created_at) AS superseded FROM claimed c JOIN notices n ON n.tenant = c.tenant AND n.id = c.notice_id ORDER BY n.created_at`,
        values: [platform, limit, leaseSeconds],
      });
      return rows.map((row) => {
        const { tenant, attempts, superseded } = row;
        return { tenant, platform: row.platform, notice: noticeOf(row), attempts, claimed_at: instant(row.claimed_at), superseded };
      });
    },
    renew: async ({ tenant, platform, notice, attempts }, leaseSeconds) => {
      const rows = await database.run({
        name: 'renew-notice',
        text: `UPDATE notice_tasks SET leased_until = now() + make_interval(secs => $4)
          WHERE tenant = $1 AND platform = $2 AND notice_id = $3 AND attempts = $5 RETURNING attempts`,
        values: [tenant, platform, notice.id, leaseSeconds, attempts],
      });
      return rows.length > 0;
    },
    finish: async ({ tenant, platform, notice, attempts }) => {
      await database.run({
        name: 'finish-notice',
        // Whoever took it over since ends it.
        text: 'DELETE FROM notice_tasks WHERE tenant = $1 AND platform = $2 AND notice_id = $3 AND attempts = $4',
        values: [tenant, platform, notice.id, attempts],
      });
    },
    retry: async ({ tenant, platform, notice, attempts }, delaySeconds) => {
      await database.run({
        name: 'retry-notice',
        // Whoever took it over since keeps it.
        text: `UPDATE notice_tasks SET leased_until = NULL, due_at = now() + make_interval(secs => $4)
          WHERE tenant = $1 AND platform = $2 AND notice_id = $3 AND attempts = $5`,
        values: [tenant, platform, notice.id, delaySeconds, attempts],
      });
    },
    telling: async ({ tenant, platform, notice }, place, key) => {
      const [row] = await database.run<ToldRow>({
        name: 'telling-notice',
        // A row that is told stays as it is; the update is there to answer it.
        text: `INSERT INTO told_notices AS t (tenant, platform, notice_id, place, key, state) VALUES ($1, $2, $3, $4, $5, 'telling')
          ON CONFLICT (tenant, platform, notice_id, place) DO UPDATE SET tries = t.tries + 1 RETURNING t.key, t.state, t.tries`,
        values: [tenant, platform, notice.id, place, key],
      });
      if (row === undefined) throw new StoreError('unavailable', 'An insert answered no row.');
      return { tenant, platform, notice_id: notice.id, place, ...row };
    },
    told: async ({ tenant, platform, notice_id, place }, ref) => {
      await database.run({
        name: 'told-notice',
        text: `UPDATE told_notices SET state = 'told', ref = $5, at = now() WHERE tenant = $1 AND platform = $2 AND notice_id = $3 AND place = $4`,
        values: [tenant, platform, notice_id, place, ref === null ? null : JSON.stringify(ref)],
      });
    },
    untold: async ({ tenant, platform, notice_id, place }) => {
      await database.run({
        name: 'untold-notice',
        text: `DELETE FROM told_notices WHERE tenant = $1 AND platform = $2 AND notice_id = $3 AND place = $4 AND state = 'telling'`,
        values: [tenant, platform, notice_id, place],
      });
    },
    toldByRef: async (platform, ref) => {
      const rows = await database.run<{ tenant: string; request_id: string | null }>({
        name: 'notice-by-ref',
        text: `SELECT DISTINCT n.tenant, n.request_id FROM told_notices t JOIN notices n ON n.tenant = t.tenant AND n.id = t.notice_id
          WHERE t.platform = $1 AND t.ref::jsonb @> $2::jsonb LIMIT 2`,
        values: [platform, JSON.stringify(ref)],
      });
      // A reference that fits notices of two requests names neither.
      const [found] = rows;
      return found === undefined || rows.length > 1 ? null : found;
    },
    since: async ({ tenant, person_id, groups, seconds }) => {
      const rows = await database.run<NoticeRow>({
        name: 'notices-since',
        text: `SELECT ${COLUMNS} FROM notices n WHERE n.tenant = $1 AND n.created_at > clock_timestamp() - make_interval(secs => $4) AND ($2 = ANY (n.people) OR n.groups && $3::text[])
          ORDER BY n.created_at DESC, n.id DESC LIMIT 100`,
        values: [tenant, person_id, groups, seconds],
      });
      return rows.map(noticeOf).toReversed();
    },
  };
}

type ToldRow = Pick<ToldNotice, 'key' | 'state' | 'tries'>;

function noticeOf({ tenant: _tenant, id, kind, request_id, groups, people, channels, text, at }: NoticeRow): NoticeRecord {
  return { id, kind, request_id, groups, people, channels, text, at: instant(at) };
}
