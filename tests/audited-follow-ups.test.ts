import { mkdtemp, rm, readFile, writeFile, copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from '@countersign/cli';
import { type Running, start } from '@countersign/server';
import { readConfig } from '@countersign/service';
import { findEmbeddedServer } from '@countersign/store';
import { freePort } from '@countersign/dev-env/free-port';
import { type MailServer, startMailServer } from '@countersign/dev-env/mail';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { type Api, apiOf, EXPORT } from './support/api.js';
import { tokenOf } from './support/mail-harness.js';
import { root } from './support/running-server.js';
import { until } from './support/until.js';

const RULE = `
  - id: restart
    effect: require
    actions: [ops.restart]
    break_glass: { group: security, review_by: data-owners, review_within: 1h }
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1 }]
      obligations: { ticket: { pattern: "CHG-[0-9]{4}" }, must_open: true }
      delegation: { within: anyone, max_duration: 14d }
      counter: [parameters.rows]

  - id: soon
    effect: require
    actions: [ops.soon]
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1, escalate: [{ after: 1s, to: security }] }]
      timeout: { after: 4h, reminders: [1s] }

  - id: over
    effect: require
    actions: [ops.over]
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1 }]
      timeout: { after: 1s, on_timeout: deny }
`;

let home: string;
let running: Running;
let api: Api;
let mail: MailServer;
/** As the role that owns the tables. */
let owner: pg.Client;

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'countersign-follow-ups-'));
  const example = path.join(root, 'apps/server/src/quickstart');
  await writeFile(path.join(home, 'policy.yaml'), (await readFile(path.join(example, 'policy.yaml'), 'utf8')).replace('\nrules:\n', `\nrules:${RULE}\n`));
  await copyFile(path.join(example, 'directory.yaml'), path.join(home, 'directory.yaml'));
  const port = await freePort();
  mail = await startMailServer();
  await writeFile(path.join(home, 'ca.pem'), mail.ca);
  const read = readConfig({
    ...{ COUNTERSIGN_HOME: home, PORT: String(port), LOG_LEVEL: 'silent' },
    ...{ SMTP_URL: mail.url, MAIL_FROM: 'approvals@example.com', SMTP_CA: path.join(home, 'ca.pem') },
  });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  running = await start(read.config);
  api = apiOf(port, `localhost:${port}`);
  owner = new pg.Client({ connectionString: (await findEmbeddedServer(home))?.ownerUrl });
  owner.on('error', () => {});
  await owner.connect();
  await happen();
  await until(async () => (await verify()).waiting === 0, 'every leaf to have its place');
}, 120_000);

afterAll(async () => {
  await owner?.end();
  await running?.shutdown.stop('the test is over');
  running?.shutdown.release();
  await mail?.close();
  await rm(home, { recursive: true, force: true });
}, 60_000);

/** A decision with a ticket in somebody's stead, everything opened, a question with its answer, a counter-proposal taken, a denial with a hint, a link of a mail, and a broken glass reviewed. */
async function happen(): Promise<void> {
  const key = running.quickstart?.api_key ?? '';
  const as = (name: string): string => running.quickstart?.people[`${name}@example.com`]?.token ?? '';
  const post = async (who: string, at: string, body?: object) => {
    const reply = await api.call('POST', at, { as: who, ...(body === undefined ? {} : { body }) });
    expect([at, reply.status < 300 ? 'done' : reply.text]).toEqual([at, 'done']);
    return reply.json;
  };
  const ask = async () => (await api.submit(key, { ...EXPORT, action: 'ops.restart', resource: { type: 'service', id: 'billing' } })).json;
  const people = (await api.call('GET', '/v1/me', { as: as('alice') })).json;
  await post(as('alice'), '/v1/delegations', { delegate: 'carol@example.com', until: new Date(Date.now() + 86_400_000).toISOString() });

  const decided = await ask();
  const question = await post(as('bob'), `/v1/action-requests/${decided.id}/questions`, { text: 'Why now?' });
  await post(key, `/v1/action-requests/${decided.id}/questions/${question.id}/answers`, { text: 'It is quiet' });
  const { view_digest } = (await api.call('GET', `/v1/previews/web/${decided.id}`, { as: as('carol') })).json;
  await post(as('carol'), `/v1/action-requests/${decided.id}/opened`, { view_digest });
  const body = { verdict: 'approve', request_digest: decided.request_digest, ticket: 'CHG-0001', delegate_for: people.person.id };
  await post(as('carol'), `/v1/action-requests/${decided.id}/decisions`, body);

  const other = await ask();
  const proposal = await post(as('bob'), `/v1/action-requests/${other.id}/proposals`, { parameters: { 'parameters.rows': 10 } });
  await post(key, `/v1/action-requests/${other.id}/proposals/${proposal.id}/accept`);

  const denied = await ask();
  await post(as('bob'), `/v1/action-requests/${denied.id}/decisions`, { verdict: 'deny', request_digest: denied.request_digest, ask_again: 'never' });

  const mailed = await ask();
  const received = await until(() => mail.to('alice@example.com').find(({ parsed }) => String(parsed.html).includes(mailed.id)), 'the mail to alice');
  const link = new URL(running.quickstart?.people['alice@example.com']?.sign_in_url ?? '').hash.slice(1);
  const session = await api.call('POST', '/v1/sessions', { body: { token: link } });
  const headers = { cookie: (session.headers['set-cookie'] ?? '').split(';')[0] ?? '', origin: running.url };
  expect(await api.call('POST', '/v1/mail-links/open', { headers, body: { token: tokenOf(received) } })).toMatchObject({ status: 200 });

  const broken = await ask();
  await post(as('carol'), `/v1/action-requests/${broken.id}/decisions`, {
    verdict: 'approve',
    request_digest: broken.request_digest,
    break_glass: true,
    reason: 'It burns',
  });
  const [review] = (await api.call('GET', '/v1/reviews', { as: as('alice') })).json.data;
  await post(as('alice'), `/v1/reviews/${review.id}`, { finding: 'justified', note: 'It burned' });
}

interface Result {
  ok: boolean;
  waiting: number | null;
  rows: Record<string, number>;
  findings: { table: string; column: string | null }[];
}

async function verify(): Promise<Result> {
  const out: string[] = [];
  const terminal = { env: {}, cwd: home, out: (line: string) => void out.push(line), err: () => {}, stdin: () => Promise.resolve(new Uint8Array()) };
  await run(['ledger', 'verify', '--home', home, '--json'], terminal);
  return JSON.parse(out.join('\n'));
}

test('E1: what stands beside a request, and what a decision came with, is as it was logged', async () => {
  expect(await verify()).toMatchObject({
    ok: true,
    findings: [],
    rows: { reviews: 1, questions: 1, proposals: 1, card_openings: 1, mails: 1, delegations: 1 },
  });
});

test('C6: a reminder, an escalation and the end of the time come by themselves, in the running server, and are logged', async () => {
  const key = running.quickstart?.api_key ?? '';
  const ask = async (action: string): Promise<string> => (await api.submit(key, { ...EXPORT, action, resource: { type: 'service', id: 'billing' } })).json.id;
  const [soon, over] = [await ask('ops.soon'), await ask('ops.over')];
  const read = async () => (await api.call('GET', `/v1/action-requests/${over}`, { as: key })).json;
  await until(async () => (await read()).status === 'denied', 'the end of the time');
  expect((await read()).outcome).toMatchObject({ status: 'denied', decisions: [], reason: expect.stringContaining('in time') });
  const events = async (): Promise<string[]> =>
    (await api.call('GET', `/v1/action-requests/${soon}/events`, { as: key })).json.data
      .map(({ event }: { event: string }) => event)
      // Mails go out when they do.
      .filter((event: string) => event !== 'card.posted');
  await until(async () => (await events()).length === 3, 'what comes by itself');
  expect((await events()).toSorted()).toEqual(['action_request.opened', 'reminder.sent', 'request.escalated']);
  await until(async () => (await verify()).waiting === 0, 'every leaf to have its place');
  expect(await verify()).toMatchObject({ ok: true, findings: [] });
});

const changes: [string, string, string | null][] = [
  ['decisions', `UPDATE decisions SET given = '{"ticket":"CHG-9999"}' WHERE given->>'ticket' IS NOT NULL`, 'ticket'],
  ['decisions', `UPDATE decisions SET given = NULL WHERE given->>'break_glass' IS NOT NULL`, 'break_glass'],
  ['decisions', `UPDATE decisions SET given = '{"ask_again":"later"}' WHERE given->>'ask_again' IS NOT NULL`, 'ask_again'],
  ['reviews', `UPDATE reviews SET finding = 'unjustified'`, 'finding'],
  ['reviews', `UPDATE reviews SET finding = NULL, reviewed_by = NULL, reviewed_at = NULL`, 'finding'],
  ['reviews', `UPDATE reviews SET note = 'Nothing to see'`, 'note'],
  ['reviews', 'DELETE FROM reviews', null],
  ['questions', `UPDATE questions SET text = 'All fine?'`, 'text'],
  ['questions', `UPDATE questions SET answer = NULL`, 'answer'],
  ['proposals', `UPDATE proposals SET parameters = '{"parameters.rows": 1000000}'`, 'parameters'],
  ['proposals', `UPDATE proposals SET accepted_as = NULL`, 'accepted_as'],
  ['card_openings', 'DELETE FROM card_openings', null],
  ['card_openings', `INSERT INTO card_openings SELECT tenant, request_id, 'per_forged', view_digest, opened_at + interval '1 second' FROM card_openings`, null],
  ['mails', `UPDATE mails SET person_id = 'per_forged' WHERE opened_at IS NOT NULL`, 'person_id'],
  ['mails', `UPDATE mails SET opened_at = opened_at - interval '1 hour' WHERE opened_at IS NOT NULL`, 'opened_at'],
  ['mails', 'DELETE FROM mails WHERE opened_at IS NOT NULL', null],
  ['delegations', `UPDATE delegations SET until_at = until_at + interval '1 year'`, 'until_at'],
  ['delegations', `UPDATE delegations SET delegate_id = 'per_forged'`, 'delegate_id'],
  [
    'delegations',
    `INSERT INTO delegations SELECT tenant, 'dg_forged', delegate_id, person_id, from_at, until_at, reason, created_at, NULL FROM delegations`,
    null,
  ],
];
test.each(changes)('E1, E2: whoever owns the database changes %s by "%s", and the verifier names it', async (table, sql, column) => {
  await owner.query(`CREATE TABLE kept AS SELECT * FROM ${table}`);
  expect((await owner.query(sql)).rowCount).toBeGreaterThan(0);
  try {
    const { ok, findings } = await verify();
    expect(ok).toBe(false);
    expect(findings).toEqual(expect.arrayContaining([expect.objectContaining({ table, column })]));
  } finally {
    // The workers of the running server never see the table empty.
    await owner.query(`BEGIN; DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM kept; DROP TABLE kept; COMMIT`);
  }
});
