import { createHash } from 'node:crypto';
import type { PasskeyEvidence } from '@countersign/contracts';
import type {
  AssertionBinding,
  ChallengePurpose,
  LeafRecord,
  NoticeRecord,
  PasskeyChallengeRecord,
  PasskeyRecord,
  PasskeyStore,
  StepUpGiven,
  StepUpIntent,
} from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { noticeMembers } from './follow-up-parts.js';
import { type Database, Values } from './database.js';
import { instant, instantOrNull } from './rows.js';

/**
 * Passkeys and what they signed. Whatever may happen once (a challenge answered, an assertion taken) is one statement that runs at most
 * once: where its answer gets lost, the person presses again.
 */
export function passkeyStore(database: Database): PasskeyStore {
  const one = async (name: string, where: string, values: unknown[]): Promise<PasskeyRecord | null> => {
    const [row] = await database.run<PasskeyRow>({ name, text: `SELECT * FROM passkeys WHERE ${where}`, values });
    return row === undefined ? null : passkeyOf(row);
  };
  return {
    list: async (tenant, person_id) => {
      const rows = await database.run<PasskeyRow>({
        name: 'passkeys',
        text: 'SELECT * FROM passkeys WHERE tenant = $1 AND person_id = $2 ORDER BY created_at, id',
        values: [tenant, person_id],
      });
      return rows.map(passkeyOf);
    },
    get: (tenant, id) => one('passkey', 'tenant = $1 AND id = $2', [tenant, id]),
    byCredential: (tenant, credential) => one('passkey-credential', 'tenant = $1 AND credential_id = $2', [tenant, credential]),
    insertChallenge: async ({ tenant, challenge, person_id, session, purpose, created_at, expires_at }) => {
      await database.run({
        name: 'insert-passkey-challenge',
        // Answered or not, nobody asks for them after a day.
        text: `WITH old AS (DELETE FROM passkey_challenges WHERE tenant = $1 AND expires_at < now() - interval '1 day')
          INSERT INTO passkey_challenges (tenant, challenge, person_id, session, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
        values: [tenant, challenge, person_id, session, JSON.stringify(purpose), created_at, expires_at],
      });
    },
    spendChallenge: async (tenant, challenge) => {
      const [row] = await database.once<ChallengeRow>({
        name: 'spend-passkey-challenge',
        text: `UPDATE passkey_challenges SET spent_at = now() WHERE tenant = $1 AND challenge = $2 AND spent_at IS NULL AND expires_at > clock_timestamp()
          RETURNING tenant, challenge, person_id, session, purpose, created_at, expires_at`,
        values: [tenant, challenge],
      });
      return row === undefined ? null : { ...row, created_at: instant(row.created_at), expires_at: instant(row.expires_at) };
    },
    enrol: (passkey, leaf, notice) => enrol(database, passkey, leaf, notice),
    rename: async (tenant, id, person_id, name) => {
      const rows = await database.run({
        name: 'rename-passkey',
        text: 'UPDATE passkeys SET name = $4 WHERE tenant = $1 AND id = $2 AND person_id = $3 AND removed_at IS NULL RETURNING id',
        values: [tenant, id, person_id, name],
      });
      return rows.length > 0;
    },
    remove: (removal) => remove(database, removal),
    used: (use) => used(database, use),
    take: (handle, binding) => take(database, handle, binding),
    insertIntent: async ({ tenant, id, request_id, person_id, verdict, reason, given, via, created_at, expires_at }) => {
      await database.run({
        name: 'insert-step-up-intent',
        text: `WITH old AS (DELETE FROM step_up_intents WHERE tenant = $1 AND expires_at < now() - interval '7 days')
          INSERT INTO step_up_intents (tenant, id, request_id, person_id, verdict, reason, via, created_at, expires_at, given) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
        values: [
          tenant,
          id,
          request_id,
          person_id,
          verdict,
          reason,
          via,
          created_at,
          expires_at,
          Object.keys(given).length === 0 ? null : JSON.stringify(given),
        ],
      });
    },
    intent: async (tenant, id) => {
      const [row] = await database.run<IntentRow>({
        name: 'step-up-intent',
        text: 'SELECT * FROM step_up_intents WHERE tenant = $1 AND id = $2 AND expires_at > clock_timestamp()',
        values: [tenant, id],
      });
      if (row === undefined) return null;
      return {
        ...row,
        given: row.given ?? {},
        created_at: instant(row.created_at),
        expires_at: instant(row.expires_at),
        used_at: instantOrNull(row.used_at),
      };
    },
  };
}

/** Key and leaf in one statement; the directory's row is the gate, so that who was deactivated meanwhile gets no key. */
async function enrol(database: Database, passkey: PasskeyRecord, leaf: LeafRecord, notice: NoticeRecord): Promise<boolean> {
  const values = new Values();
  const tenant = values.add(passkey.tenant, 'text');
  const person = values.add(passkey.person_id, 'text');
  const members = [...leafMembers(values, tenant, [leaf], 'gate').members, ...noticeMembers(values, tenant, [notice], 'gate')];
  const [row] = await database.once<{ enrolled: boolean }>({
    name: 'enrol-passkey',
    text: `WITH gate AS (INSERT INTO passkeys (tenant, id, person_id, credential_id, public_key, spki, counter, transports, aaguid, backup_eligible, backed_up, name, created_at)
        SELECT ${[
          tenant,
          values.add(passkey.id, 'text'),
          person,
          values.add(passkey.credential_id, 'text'),
          values.add(passkey.public_key, 'bytea'),
          values.add(passkey.spki, 'bytea'),
          values.add(passkey.counter, 'bigint'),
          values.add(passkey.transports, 'text[]'),
          values.add(passkey.aaguid, 'text'),
          values.add(passkey.backup_eligible, 'boolean'),
          values.add(passkey.backed_up, 'boolean'),
          values.add(passkey.name, 'text'),
          values.add(passkey.created_at, 'timestamptz'),
        ].join(', ')} FROM directory_people p WHERE p.tenant = ${tenant} AND p.id = ${person} AND p.active
        ON CONFLICT (tenant, credential_id) DO NOTHING RETURNING tenant)
      ${members.map((member) => `, ${member}`).join('\n')}
      SELECT EXISTS (SELECT FROM gate) AS enrolled`,
    values: values.values,
  });
  return row?.enrolled === true;
}

/** Each key with its own leaf, one statement a key: a list of them is a handful. */
async function remove(database: Database, removal: Parameters<PasskeyStore['remove']>[0]): Promise<string[]> {
  const removed: string[] = [];
  for (const { id, leaf, notice } of removal.keys) {
    const values = new Values();
    const tenant = values.add(removal.tenant, 'text');
    const key = values.add(id, 'text');
    const person = values.add(removal.person_id, 'text');
    const by = values.add(removal.by, 'text');
    const members = [...leafMembers(values, tenant, [leaf], 'gate').members, ...noticeMembers(values, tenant, [notice], 'gate')];
    const { rows, again } = await database.runCounting<{ removed: boolean }>({
      name: 'remove-passkey',
      text: `WITH gate AS (UPDATE passkeys SET removed_at = now(), removed_by = ${by}
          WHERE tenant = ${tenant} AND id = ${key} AND person_id = ${person} AND removed_at IS NULL RETURNING tenant),
        void AS (UPDATE passkey_assertions a SET taken_at = now() FROM gate WHERE a.tenant = gate.tenant AND a.passkey_id = ${key} AND a.taken_at IS NULL)
        ${members.map((member) => `, ${member}`).join('\n')}
        SELECT EXISTS (SELECT FROM gate) AS removed`,
      values: values.values,
    });
    // After a lost answer our own leaf tells that it was us.
    if (rows[0]?.removed === true || (again && (await isWritten(database, removal.tenant, leaf.id)))) removed.push(id);
  }
  return removed;
}

async function isWritten(database: Database, tenant: string, leaf: string): Promise<boolean> {
  const rows = await database.run({ name: 'leaf-written', text: 'SELECT id FROM ledger_leaves WHERE tenant = $1 AND id = $2', values: [tenant, leaf] });
  return rows.length > 0;
}

/** The counter rises, or the authenticator has none and says 0 always (WebAuthn level 3, section 6.1.1): judged where it is stored, so that of a key and its clone one counts. */
async function used(database: Database, use: Parameters<PasskeyStore['used']>[0]): Promise<boolean> {
  const { tenant, id, counter, backed_up, assertion, intent, session } = use;
  const [row] = await database.once<{ used: boolean }>({
    name: 'passkey-used',
    text: `WITH gate AS (UPDATE passkeys k SET counter = $3::bigint, backed_up = $4::boolean, last_used_at = now() FROM directory_people p
        WHERE k.tenant = $1::text AND k.id = $2::text AND k.removed_at IS NULL AND (k.counter < $3::bigint OR (k.counter = 0 AND $3::bigint = 0))
          AND p.tenant = k.tenant AND p.id = k.person_id AND p.active RETURNING k.tenant, k.id, k.person_id),
      old AS (DELETE FROM passkey_assertions WHERE tenant = $1::text AND expires_at < now() - interval '1 day'),
      assertion AS (INSERT INTO passkey_assertions (hash, tenant, passkey_id, person_id, request_digest, view_digest, verdict, evidence, expires_at)
        SELECT $5::bytea, gate.tenant, gate.id, gate.person_id, $6::text, $7::text, $8::text, $9::json, $10::timestamptz FROM gate WHERE $5::bytea IS NOT NULL),
      intended AS (UPDATE step_up_intents i SET used_at = now() FROM gate
        WHERE i.tenant = gate.tenant AND i.id = $11::uuid AND i.person_id = gate.person_id AND i.used_at IS NULL),
      proved AS (UPDATE sessions s SET hash = $13::bytea, auth_time = $15::timestamptz, amr = ARRAY(SELECT DISTINCT unnest(s.amr || $14::text[]) ORDER BY 1) FROM gate
        WHERE s.hash = $12::bytea AND s.tenant = gate.tenant AND s.person_id = gate.person_id)
      SELECT EXISTS (SELECT FROM gate) AS used`,
    values: [
      tenant,
      id,
      counter,
      backed_up,
      assertion?.hash ?? null,
      assertion?.request_digest ?? null,
      assertion?.view_digest ?? null,
      assertion?.verdict ?? null,
      assertion === null ? null : JSON.stringify(assertion.evidence),
      assertion?.expires_at ?? null,
      intent,
      session?.hash ?? null,
      session?.next ?? null,
      session?.amr ?? [],
      session?.at ?? null,
    ],
  });
  return row?.used === true;
}

/** Taken first, compared then: whoever names it for something else has spent it. */
async function take(database: Database, handle: string, binding: AssertionBinding): Promise<PasskeyEvidence | null> {
  const [row] = await database.once<AssertionBinding & { evidence: PasskeyEvidence }>({
    name: 'take-passkey-assertion',
    text: `UPDATE passkey_assertions a SET taken_at = now() FROM passkeys k WHERE a.hash = $1 AND a.taken_at IS NULL AND a.expires_at > clock_timestamp()
        AND k.tenant = a.tenant AND k.id = a.passkey_id AND k.removed_at IS NULL
      RETURNING a.tenant, a.person_id, a.request_digest, a.view_digest, a.verdict, a.evidence`,
    values: [createHash('sha256').update(handle, 'utf8').digest()],
  });
  if (row === undefined) return null;
  const bound =
    row.tenant === binding.tenant &&
    row.person_id === binding.person_id &&
    row.request_digest === binding.request_digest &&
    row.view_digest === binding.view_digest &&
    row.verdict === binding.verdict;
  return bound ? row.evidence : null;
}

/** The driver gives a bigint as text. */
type PasskeyRow = Omit<PasskeyRecord, 'counter' | 'created_at' | 'last_used_at' | 'removed_at'> & {
  counter: string;
  created_at: Date;
  last_used_at: Date | null;
  removed_at: Date | null;
};
type ChallengeRow = Omit<PasskeyChallengeRecord, 'created_at' | 'expires_at'> & { purpose: ChallengePurpose; created_at: Date; expires_at: Date };
type IntentRow = Omit<StepUpIntent, 'given' | 'created_at' | 'expires_at' | 'used_at'> & {
  given: StepUpGiven | null;
  created_at: Date;
  expires_at: Date;
  used_at: Date | null;
};

function passkeyOf(row: PasskeyRow): PasskeyRecord {
  return {
    ...row,
    counter: Number(row.counter),
    created_at: instant(row.created_at),
    last_used_at: instantOrNull(row.last_used_at),
    removed_at: instantOrNull(row.removed_at),
  };
}
