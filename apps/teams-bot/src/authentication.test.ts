import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type DeliveryOptions, type FakeBotFramework, startFakeBotFramework, type TokenForgery } from '@countersign/dev-env/teams';
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthentication, registeredCredentials } from './authentication.js';
import { createTeamsCalls } from './teams-calls.js';
import { GROUP, startTeamsRig, TENANT_ID, type TeamsRig } from './testing/teams-rig.js';

/* Who may speak to the bot, and as whom it speaks. */

describe('the attacks on what Teams signs', () => {
  let rig: TeamsRig;
  let card: { id: string; activityId: string };

  beforeAll(async () => {
    // botbuilder prints a token whose signature is wrong.
    jest.spyOn(console, 'error').mockImplementation(() => {});
    rig = await startTeamsRig();
    await rig.allow(GROUP);
    const { id } = await rig.world.open();
    await rig.bot.work();
    card = { id, activityId: rig.teams.activities(GROUP).findLast((one) => rig.teams.card(one.id) !== undefined)?.id ?? '' };
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await rig.close();
  });

  const press = (how: DeliveryOptions) => rig.teams.client.press({ user: 'alice', conversation: GROUP, activityId: card.activityId, verb: 'approve', ...how });
  const untouched = async (): Promise<void> => {
    const state = await rig.world.state(card.id);
    expect([state.request.status, state.decisions]).toEqual(['pending', []]);
  };

  test.each<[string, TokenForgery]>([
    ['no token', 'no_token'],
    ['no JWT', 'no_parts'],
    ['a JWT that is no JSON', 'not_json'],
    ['a good token of another scheme', 'other_scheme'],
    ['alg none', 'no_algorithm'],
    ['HS256 with the published key as its secret', 'public_key_as_secret'],
    ['a forged key under a known kid', 'foreign_key'],
    ['a key that nobody published', 'unknown_key'],
    ['a published key that may not sign for Teams', 'other_endorsement'],
    ['an audience that is another bot', 'other_audience'],
    ['an audience that is another bot, too', 'two_audiences'],
    ['another issuer', 'other_issuer'],
    ['the issuer of the emulator', 'emulator_issuer'],
    ['the issuer of the emulator, version 2', 'emulator_issuer_v2'],
    ['the token of another bot, as to a skill', 'skill'],
    ['a serviceUrl that is swapped in the token', 'other_service_url_claim'],
    ['no serviceUrl in the token', 'no_service_url_claim'],
    ['an end that is over', 'expired'],
    ['no end', 'no_expiry'],
    ['a beginning that is to come', 'not_yet_valid'],
  ])('C5: %s is answered with 401, and decides nothing', async (_what, forgery) => {
    expect((await press({ forgery })).status).toBe(401);
    await untouched();
  });

  test.each<[string, DeliveryOptions]>([
    ['no serviceUrl', { serviceUrl: null }],
    ['an empty serviceUrl', { serviceUrl: '' }],
    ["another serviceUrl of Teams'", { serviceUrl: 'https://smba.trafficmanager.net/emea/' }],
    ['a serviceUrl of somebody else', { serviceUrl: 'https://smba.trafficmanager.net.evil.example/' }],
    ['another channel', { activity: { channelId: 'directline' } }],
    ['no channel', { activity: { channelId: null } }],
    ['the channel of the emulator', { activity: { channelId: 'emulator' } }],
  ])('C5: a body with %s, under a good token, is answered with 401, and decides nothing', async (_what, how) => {
    expect((await press(how)).status).toBe(401);
    await untouched();
  });

  test.each<[string, DeliveryOptions['activity']]>([
    ['another tenant', { conversation: { id: GROUP, conversationType: 'groupChat', tenantId: 'x' }, channelData: { tenant: { id: 'x' } } }],
    ['no aadObjectId', { from: { id: '29:alice', name: 'Alice' } }],
  ])('C5: %s under a good token is answered with words, and decides nothing', async (_what, activity) => {
    const { status, shown } = await press({ activity: activity ?? {} });
    expect([status, shown.kind]).toEqual([200, 'message']);
    await untouched();
  });

  test('C5: a bot of many tenants counts the people of those that are listed, and of no other', async () => {
    await rig.restart({ appType: 'MultiTenant', tenantIds: [randomUUID(), randomUUID()] });
    expect((await press({})).shown).toMatchObject({ kind: 'message', text: expect.stringContaining('nothing was decided') });
    await untouched();
    await rig.restart({ appType: 'MultiTenant', tenantIds: [randomUUID(), TENANT_ID.toUpperCase()] });
    expect((await press({ activity: { channelData: { tenant: { id: randomUUID() } } } })).shown.kind).toBe('message');
    await untouched();
  });

  test('a token that ended four minutes ago is taken, for clocks differ; and after all that, so is a good one', async () => {
    expect((await press({ forgery: 'barely_expired' })).status).toBe(200);
    expect((await rig.world.state(card.id)).decisions).toHaveLength(1);
  });
});

describe('a user-assigned managed identity', () => {
  let teams: FakeBotFramework;
  let imds: Server;
  let asked: { url: string; headers: Record<string, unknown> }[];
  let refuses: boolean;
  /** The endpoint of the machine's identity (IMDS): it has the token that Entra gives for it. One for all: @azure/identity looks for it once in a process. */
  beforeAll(async () => {
    imds = createServer((request, response) => {
      void (async () => {
        asked.push({ url: request.url ?? '', headers: request.headers });
        const known = new URL(request.url ?? '', 'http://imds').searchParams.get('client_id') === teams.appId && !refuses;
        const token = known ? await (await teams.credentialsFactory.createCredentials(teams.appId)).getToken() : '';
        response.writeHead(known ? 200 : 400, { 'content-type': 'application/json' });
        const [resource, expires_on] = ['https://api.botframework.com', String(Math.floor(Date.now() / 1_000) + 3_600)];
        const given = { access_token: token, expires_in: '3600', expires_on, resource, token_type: 'Bearer' };
        response.end(JSON.stringify(known ? given : { error: 'invalid_request', error_description: 'Identity not found' }));
      })();
    });
    await new Promise<void>((resolve) => imds.listen(0, '127.0.0.1', resolve));
    process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] = `http://127.0.0.1:${String((imds.address() as AddressInfo).port)}`; // a TCP server's address is an object
  });
  afterAll(() => {
    delete process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'];
    imds.close();
  });
  beforeEach(async () => {
    // A bot of its own each time: tokens are remembered in the process.
    teams = await startFakeBotFramework({ conversations: [{ id: GROUP, type: 'groupChat' }] });
    asked = [];
    refuses = false;
  });
  afterEach(() => teams.close());

  const reference = () => ({
    bot: { id: `28:${teams.appId}`, name: '' },
    serviceUrl: teams.serviceUrl,
    conversation: { id: GROUP, conversationType: 'groupChat', isGroup: true, name: '', tenantId: teams.tenantId },
  });
  function say(): Promise<void> {
    const config = {
      auth: 'on' as const,
      appType: 'UserAssignedMSI' as const,
      appId: teams.appId,
      tenantIds: [teams.tenantId],
      openIdMetadataUrl: teams.openIdMetadataUrl,
      linkMode: 'proof' as const,
      openPlaces: false,
    };
    return createTeamsCalls(createAuthentication(config, registeredCredentials(config)), teams.appId).say(reference(), 'Hello');
  }

  test('speaks with the token of the machine (IMDS), and needs no secret', async () => {
    await say();
    expect(teams.activities(GROUP)).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      url: expect.stringMatching(/^\/metadata\/identity\/oauth2\/token\/?\?.*resource=https%3A%2F%2Fapi\.botframework\.com/),
      headers: { metadata: 'true' },
    });
  });

  test('that gives no token is told as the registration’s trouble, not as Teams’', async () => {
    refuses = true;
    await expect(say()).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('managed identity gives the bot no token') });
    expect(teams.activities(GROUP)).toHaveLength(0);
  });
});
