import type { LeafRecord, MailRecord, MailStore } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { instant, instantOrNull } from './rows.js';

interface MailRow {
  tenant: string;
  id: string;
  person_id: string;
  request_id: string | null;
  created_at: Date;
  expires_at: Date;
  sent_at: Date | null;
  refused: string | null;
}

const COLUMNS = 'tenant, id, person_id, request_id, created_at, expires_at, sent_at, refused';

/** Mails: taken before they are sent, so that one is sent once, and links that are spent once. */
export function mailStore(database: Database): MailStore {
  const one = async (tenant: string, id: string): Promise<MailRecord | null> => {
    const [row] = await database.run<MailRow>({ name: 'mail', text: `SELECT ${COLUMNS} FROM mails WHERE tenant = $1 AND id = $2`, values: [tenant, id] });
    return row === undefined ? null : mailOf(row);
  };
  return {
    take: async ({ tenant, id, person_id, request_id, expires_at }, { lease_seconds, refused_seconds }) => {
      // Two statements: what the first finds there already, it leaves as it is, and the second judges.
      await database.run({
        name: 'mail-remember',
        text: 'INSERT INTO mails (tenant, id, person_id, request_id, expires_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING',
        values: [tenant, id, person_id, request_id, expires_at],
      });
      const [taken] = await database.once<MailRow>({
        name: 'mail-take',
        text: `UPDATE mails SET sending_until = clock_timestamp() + make_interval(secs => $3), refused = NULL, refused_at = NULL
          WHERE tenant = $1 AND id = $2 AND sent_at IS NULL AND (sending_until IS NULL OR sending_until <= clock_timestamp())
            AND (refused_at IS NULL OR refused_at <= clock_timestamp() - make_interval(secs => $4)) RETURNING ${COLUMNS}`,
        values: [tenant, id, lease_seconds, refused_seconds],
      });
      if (taken !== undefined) return { kind: 'taken', mail: mailOf(taken) };
      const mail = await one(tenant, id);
      if (mail === null) throw new Error(`the mail ${id} was not remembered`);
      return { kind: mail.sent_at !== null ? 'sent' : mail.refused !== null ? 'refused' : 'busy', mail };
    },
    sent: async (tenant, id) => {
      await database.run({
        name: 'mail-sent',
        text: 'UPDATE mails SET sent_at = coalesce(sent_at, clock_timestamp()), sending_until = NULL WHERE tenant = $1 AND id = $2',
        values: [tenant, id],
      });
    },
    returned: async (tenant, id, refused) => {
      await database.run({
        name: 'mail-returned',
        text: `UPDATE mails SET sending_until = NULL, refused = $3, refused_at = CASE WHEN $3::text IS NULL THEN NULL ELSE clock_timestamp() END
          WHERE tenant = $1 AND id = $2 AND sent_at IS NULL`,
        values: [tenant, id, refused],
      });
    },
    get: one,
    open: (mail, leaf) => open(database, mail, leaf),
    wasOpened: async ({ tenant, id, person_id, session_id, request_id }) => {
      const rows = await database.run({
        name: 'mail-was-opened',
        text: 'SELECT id FROM mails WHERE tenant = $1 AND id = $2 AND person_id = $3 AND session_id = $4 AND request_id = $5',
        values: [tenant, id, person_id, session_id, request_id],
      });
      return rows.length > 0;
    },
  };
}

async function open(
  database: Database,
  { tenant, id, person_id, session_id }: { tenant: string; id: string; person_id: string; session_id: string },
  leaf: LeafRecord,
): Promise<boolean> {
  const values = new Values();
  const of = values.add(tenant, 'text');
  const { members } = leafMembers(values, of, [leaf], 'gate');
  const [found] = await database.once<{ opened: boolean }>({
    name: 'mail-open',
    text: `WITH gate AS (UPDATE mails m SET opened_at = ${values.add(leaf.at, 'timestamptz')}, session_id = ${values.add(session_id, 'text')}
        FROM action_requests r
        WHERE m.tenant = ${of} AND m.id = ${values.add(id, 'uuid')} AND m.person_id = ${values.add(person_id, 'text')}
          AND m.opened_at IS NULL AND m.expires_at > clock_timestamp()
          AND r.tenant = m.tenant AND r.id = m.request_id AND r.status = 'pending' AND r.expires_at > clock_timestamp() RETURNING m.id)
      ${members.map((member) => `, ${member}`).join('\n')}
      SELECT EXISTS (SELECT FROM gate) AS opened`,
    values: values.values,
  });
  return found?.opened === true;
}

function mailOf(row: MailRow): MailRecord {
  const { tenant, id, person_id, request_id, refused } = row;
  return {
    tenant,
    id,
    person_id,
    request_id,
    refused,
    created_at: instant(row.created_at),
    expires_at: instant(row.expires_at),
    sent_at: instantOrNull(row.sent_at),
  };
}
