import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { slackInstall, slackTokenContext } from '@countersign/core/flow';
import { createHash, randomBytes } from 'node:crypto';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

const hashOf = (text: string): Uint8Array => createHash('sha256').update(text).digest();
/** Whether the link would begin an installation now. */
const begins = (url: string, of = world): Promise<boolean> => of.store.slackInstalls.startLink('default', hashOf(url.split('#')[1] ?? ''), randomBytes(32));
const link = (as: string, of = world) => of.call('POST', '/v1/slack/install-links', { as });

test('C5: an administrator gets a link whose secret stands in its fragment; nobody else does, and no credential that cannot administer', async () => {
  const { status, json } = await link(world.tokens.olivia);
  expect(status).toBe(201);
  expect(json.url).toMatch(/\/slack\/install#[\w-]{43}$/);
  expect(Date.parse(json.expires_at) - Date.now()).toBeGreaterThan(9 * 60_000);
  expect(await begins(json.url)).toBe(true);
  for (const as of [world.tokens.alice, world.key, await world.newToken('olivia', ['read'])]) expect((await link(as)).status).toBe(403);
  expect(await begins(`${String(json.url)}x`)).toBe(false);
});

test('C5: where changes take two people, the link works from when the second one has approved it', async () => {
  const two = await createApiWorld();
  try {
    await two.sql(`UPDATE directory_people SET roles = '{administrator}' WHERE email = 'carol@example.com'`);
    const { status, json } = await link(two.tokens.olivia, two);
    expect([status, json.pending]).toEqual([202, true]);
    expect(await begins(json.url, two)).toBe(false);
    const path = `/v1/action-requests/${String(json.change.action_request)}`;
    const { request_digest } = (await two.call('GET', path, { as: two.tokens.carol })).json;
    const approved = await two.call('POST', `${path}/decisions`, { as: two.tokens.carol, body: { verdict: 'approve', request_digest } });
    expect(approved.status).toBe(201);
    await two.settleChanges();
    expect(await begins(json.url, two)).toBe(true);
  } finally {
    await two.close();
  }
});

test('installations are listed without their tokens, and forgotten by administrators', async () => {
  const token = 'xoxb-very-secret';
  await slackInstall(
    { ...world.flow, slackInstalls: world.store.slackInstalls },
    {
      ...{ tenant: 'default', id: 'E0GRID', team_id: null, team_name: null, enterprise_id: 'E0GRID', enterprise_name: 'Grid', enterprise_install: true },
      ...{ app_id: 'A0', bot_id: 'B0', bot_user_id: 'U0', scopes: ['chat:write'], installed_by: 'per_olivia' },
    },
    token,
  );
  const [kept] = await world.store.slackInstalls.list('default');
  if (kept === undefined) throw new Error('nothing was kept');
  expect(Buffer.from(await world.flow.sealer.open(slackTokenContext(kept), kept.sealed_token)).toString()).toBe(token);
  const listed = await world.call('GET', '/v1/slack/installations', { as: world.tokens.olivia });
  expect(listed.json.data).toEqual([
    {
      ...{ id: 'E0GRID', team: null, enterprise: { id: 'E0GRID', name: 'Grid' }, enterprise_install: true, bot_user_id: 'U0', scopes: ['chat:write'] },
      ...{ installed_by: 'per_olivia', installed_at: kept.installed_at },
    },
  ]);
  expect((await world.call('GET', '/v1/slack/installations', { as: world.tokens.alice })).status).toBe(403);
  expect((await world.call('DELETE', '/v1/slack/installations/E0GRID', { as: world.tokens.alice })).status).toBe(403);
  expect((await world.call('DELETE', '/v1/slack/installations/E0GRID', { as: world.tokens.olivia })).status).toBe(204);
  expect((await world.call('DELETE', '/v1/slack/installations/E0GRID', { as: world.tokens.olivia })).status).toBe(404);
});
