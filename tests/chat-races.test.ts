import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Asked, type ChatServer, SLACK_CHANNEL, slackAccount, startChatServer, TEAMS_CHANNEL } from './support/chat-server.js';
import { verifiedByOfficialPackage } from './support/callback-receiver.js';
import { verifyByCommand } from './support/ledger-check.js';
import { until } from './support/until.js';

/* C1 on the running product, with Slack, Teams and mail connected at once: three people decide the same request at the same moment, each on another channel. */

jest.setTimeout(180_000);

/** How often; who wins differs by itself, and in the middle rounds each gets a start. */
const ROUNDS = 9;

let chat: ChatServer;
beforeAll(async () => {
  chat = await startChatServer();
}, 120_000);
afterAll(() => chat?.close(), 60_000);

/** What came of a press: null where it decided, else what its person alone was told. */
type Told = string | null;

async function approveInSlack({ id }: Asked): Promise<Told> {
  const [card] = chat.slackCards(id);
  const before = chat.toldInSlack('alice').length;
  const { status } = await chat.slack.client.press({
    user: slackAccount('alice'),
    channel: SLACK_CHANNEL,
    ts: card?.ts ?? '',
    actionId: 'countersign_approve',
  });
  expect(status).toBe(200);
  const told = await chat.slack.wire.until(() => chat.toldInSlack('alice')[before], 'the answer for alice');
  return told.includes('You approved it') ? null : told;
}

async function denyInTeams({ id }: Asked): Promise<Told> {
  const [card] = chat.teamsCards(id);
  const { shown } = await chat.teams.client.press({
    user: 'bob',
    conversation: TEAMS_CHANNEL,
    activityId: card?.id ?? '',
    verb: 'deny',
    inputs: { reason: 'Too wide' },
    // The card may have closed for bob meanwhile; a client may send what it showed a moment ago.
    data: { request_id: id, request_digest: (await chat.read(id)).request_digest, reason: 'Too wide' },
    force: true,
  });
  const told = JSON.stringify(shown);
  return told.includes('You denied it') ? null : told;
}

async function approveByApi(asked: Asked): Promise<Told> {
  const { status, json } = await chat.server.decide(chat.server.token('carol'), asked, 'approve');
  expect([201, 409]).toContain(status);
  return status === 201 ? null : json.detail;
}

const ROADS = [
  { press: approveInSlack, who: 'Alice Adams', via: 'slack', status: 'approved', words: 'Approved by Alice Adams' },
  { press: denyInTeams, who: 'Bob Brown', via: 'teams', status: 'denied', words: 'Denied by Bob Brown' },
  { press: approveByApi, who: 'Carol Chen', via: 'api', status: 'approved', words: 'Approved by Carol Chen' },
] as const;

test('C1, I2: of an approval in Slack, a denial in Teams and an approval by the API at once one counts: one decision, one callback, every card and mail tells it', async () => {
  const asked: Asked[] = [];
  for (let round = 0; round < ROUNDS; round++) asked.push(await chat.ask());
  for (const { id } of asked) await chat.posted(id);
  const { webhook_secret } = chat.server.quickstart();

  for (const [round, request] of asked.entries()) {
    // Each is the first to be sent in a third of the rounds: nobody wins by the order of this file alone.
    const order = ROADS.map((_, nth) => ROADS[(nth + round) % ROADS.length]).filter((road) => road !== undefined);
    const results = await Promise.all(order.map(async (road) => ({ road, told: await road.press(request) })));
    const winners = results.filter(({ told }) => told === null).map(({ road }) => road);
    expect(winners).toHaveLength(1);
    const [winner] = winners;
    if (winner === undefined) return;

    // The losers read who was first, each alone.
    for (const { told } of results) if (told !== null) expect(told).toMatch(new RegExp(`Too late.*${winner.words}`));
    const read = await chat.read(request.id);
    expect(read).toMatchObject({ status: winner.status, decisions: [{ via: winner.via, person: { name: winner.who } }] });

    await chat.closed(request.id, winner.words);
    expect([chat.slackCards(request.id).length, chat.teamsCards(request.id).length]).toEqual([1, 1]);
    const [callback] = await chat.receiver.of(request.id);
    if (callback === undefined) return;
    expect(verifiedByOfficialPackage(callback, webhook_secret)).toMatchObject({ data: { id: read.outcome.id, status: winner.status, sequence: 1 } });
  }

  for (const { id } of asked) {
    const { status, decisions } = await chat.read(id);
    const [decision] = decisions;
    // Each owner's thread ends with what was decided.
    const outcomes = await until(
      () => {
        const told = chat.mailsOf(id).filter(({ parsed }) => parsed.inReplyTo !== undefined);
        return new Set(told.flatMap(({ to }) => to)).size === 3 && told;
      },
      () => `the outcome in the mails of ${id}`,
    );
    for (const { parsed } of outcomes) {
      expect(parsed.text).toContain(status === 'denied' ? 'Denied by' : 'Approved by');
      expect(parsed.text).toContain(decision.person.name);
    }
    // One outcome was told, however often.
    const ids = chat.receiver.attempts.filter(({ json }) => json.data.action_request === id).map(({ json }) => `${json.data.id} ${json.data.status}`);
    expect(new Set(ids).size).toBe(1);
  }
  expect(await verifyByCommand(chat.server.home)).toMatchObject({ findings: [] });
});
