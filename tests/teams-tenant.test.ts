import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { countersign, type Ran } from '@countersign/cli/testing';
import { freePort } from '@countersign/dev-env/free-port';
import { cardText, type FakeBotFramework, startFakeBotFramework } from '@countersign/dev-env/teams';
import { type Running, start } from '@countersign/server';
import { readConfig } from '@countersign/service';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type Api, apiOf, EXPORT } from './support/api.js';
import { until } from './support/until.js';

/*
 * The road of docs/teams.md on the running product, with authentication on: Teams is played by a server that signs as Teams does. What it
 * does not play is Azure's, Entra's and Teams' own pages.
 */
const CHANNEL = '19:approvals@thread.tacv2';
const alice = randomUUID();

describe('a tenant of Teams', () => {
  let home: string;
  let teams: FakeBotFramework;
  let running: Running;
  let api: Api;

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'countersign-teams-tenant-'));
    const port = await freePort();
    teams = await startFakeBotFramework({
      // The bot shows no secret to a service on this machine, and asks Entra for nothing.
      anonymousBot: true,
      people: [
        { key: 'alice', name: 'Alice Adams', email: 'alice@example.com', aadObjectId: alice },
        { key: 'mallory', name: 'Mallory', email: 'mallory@example.com' },
      ],
      conversations: [{ id: CHANNEL, type: 'channel', name: 'Approvals', teamId: '19:team@thread.tacv2', teamName: 'Platform' }],
    });
    const read = readConfig({
      COUNTERSIGN_HOME: home,
      PORT: String(port),
      LOG_LEVEL: 'silent',
      MicrosoftAppType: 'SingleTenant',
      MicrosoftAppId: teams.appId,
      MicrosoftAppPassword: teams.appPassword,
      MicrosoftAppTenantId: teams.tenantId,
      TEAMS_OPENID_METADATA_URL: teams.openIdMetadataUrl,
    });
    if (!read.ok) throw new Error(JSON.stringify(read.problems));
    running = await start(read.config);
    teams.connect(`${running.url}/api/messages`);
    api = apiOf(port, `localhost:${String(port)}`);
  }, 120_000);
  afterAll(async () => {
    await running?.shutdown.stop('the test is over');
    running?.shutdown.release();
    await teams?.close();
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  const cli = (...args: string[]): Promise<Ran> => countersign(args, { cwd: home, env: { COUNTERSIGN_HOME: home } });
  const key = (): string => running.quickstart?.api_key ?? '';
  const cards = () => teams.activities(CHANNEL).filter(({ id }) => teams.card(id) !== undefined);
  const cardOf = (id: string) => teams.wire.until(() => cards().find((card) => cardText(teams.card(card.id)).includes(id)), `the card of ${id}`);

  test('C1, C5: from an added bot to the first approval: allowed by command, shown, pressed, closed, and in the ledger', async () => {
    expect((await cli('teams', 'places', '--as', 'olivia@example.com')).out).toContain('The bot was added to no group or channel yet');
    await teams.client.installIn(CHANNEL, 'alice');
    await teams.client.addressBot(CHANNEL, 'alice', 'hi');
    expect(teams.activities(CHANNEL).at(-1)?.body['text']).toContain('once an administrator allows');
    const listed = await cli('teams', 'places', '--as', 'olivia@example.com');
    expect(listed.out).toMatch(/^pl_\S+ {2}channel {3}gets no cards {2}Platform \/ Approvals, last heard /);

    const { id } = (await api.submit(key(), EXPORT)).json;
    expect(await cli('teams', 'allow', 'platform / approvals', '--as', 'alice@example.com')).toMatchObject({
      code: 1,
      err: expect.stringContaining('forbidden'),
    });
    expect(await cli('teams', 'allow', 'nowhere', '--as', 'olivia@example.com')).toMatchObject({
      code: 1,
      err: expect.stringContaining('countersign teams places'),
    });
    expect(await cli('teams', 'allow', 'platform / approvals', '--as', 'olivia@example.com')).toMatchObject({
      code: 0,
      out: expect.stringContaining('gets cards (allowed by'),
    });

    const card = await cardOf(id);
    const press = (user: string) => teams.client.press({ user, conversation: CHANNEL, activityId: card.id, verb: 'approve' });
    expect((await press('mallory')).shown).toMatchObject({ kind: 'message', text: expect.stringContaining('belongs to nobody') });
    expect((await press('alice')).shown.kind).toBe('card');
    await until(async () => (await api.call('GET', `/v1/action-requests/${id}`, { as: key() })).json.status === 'approved', 'the approval');
    await teams.wire.until(() => cardText(teams.card(card.id)).includes('Approved by Alice'), 'the closed card');

    const [place = ''] = listed.out.split(' ');
    expect(await cli('teams', 'disallow', place, '--as', 'olivia@example.com')).toMatchObject({
      code: 0,
      out: expect.stringContaining('gets no cards (not allowed by'),
    });
    const verified = await cli('ledger', 'verify', '--json');
    expect([verified.code, verified.err]).toEqual([0, '']);
    expect(JSON.parse(verified.out)).toMatchObject({ ok: true, rows: { chat_places: 1 } });
  });

  test('C5: what Teams did not sign for this bot gets 401, also from this machine', async () => {
    for (const forgery of ['no_token', 'foreign_key', 'other_audience', 'expired'] as const)
      expect((await teams.client.addressBot(CHANNEL, 'alice', 'hi', { forgery })).status).toBe(401);
  });
});
