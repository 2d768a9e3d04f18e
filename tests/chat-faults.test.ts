import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { cardText } from '@countersign/dev-env/teams';
import { type Asked, type ChatServer, SLACK_CHANNEL, slackAccount, startChatServer, TEAMS_CHANNEL } from './support/chat-server.js';
import { verifyByCommand } from './support/ledger-check.js';
import { until } from './support/until.js';

/* Slack, Teams and mail in trouble, and kill -9 of the one server that serves all three: decided once, delivered once, the cards right in the end. */

jest.setTimeout(180_000);

let chat: ChatServer;
beforeAll(async () => {
  chat = await startChatServer();
}, 120_000);
afterAll(() => chat?.close(), 60_000);

const APPROVED = 'Approved by Alice Adams';

/** What the caller was told of a request: each attempt of a callback, without the times. */
const callbacks = async (id: string): Promise<string[]> => {
  await chat.receiver.of(id);
  return [...new Set(chat.receiver.attempts.filter(({ json }) => json.data.action_request === id).map(({ json }) => `${json.data.id} ${json.data.status}`))];
};

/** One decision, one outcome, one callback, and nothing in the record twice. */
async function expectOnce(id: string, status: string): Promise<void> {
  const { decisions, outcome, ...read } = await chat.read(id);
  expect({ status: read.status, decisions: decisions.length }).toEqual({ status, decisions: 1 });
  expect(await callbacks(id)).toEqual([`${outcome.id} ${status}`]);
  expect(await chat.recorded(id, 'decision.recorded')).toBe(1);
}

async function pressInSlack({ id }: Asked) {
  const [card] = chat.slackCards(id);
  return chat.slack.client.press({ user: slackAccount('alice'), channel: SLACK_CHANNEL, ts: card?.ts ?? '', actionId: 'countersign_approve' });
}

/** Both platforms answer again. */
function heal(): void {
  chat.slack.wire.heal();
  chat.teams.wire.heal();
}

const POST_IN_TEAMS = /sendToConversation|createConversation|replyToActivity/;
const calls = (name: string | RegExp) => (wire: ChatServer['slack']['wire']) =>
  wire.traffic.filter(({ request }) => (typeof name === 'string' ? request.name === name : name.test(request.name))).length;
const updatesInSlack = () => calls('chat.update')(chat.slack.wire);
const updatesInTeams = () => calls('updateActivity')(chat.teams.wire);

describe('kill -9', () => {
  test('C1: between a post and its record: Slack’s card is found again, Teams has one copy at most, and that one decides nothing', async () => {
    chat.slack.fail('chat.postMessage', 'hold_answer');
    chat.teams.fail(POST_IN_TEAMS, 'hold_answer');
    const asked = await chat.ask();
    const { id } = asked;
    await until(() => chat.slackCards(id).length === 1 && chat.teamsCards(id).length === 1, 'the cards, of which the server has not heard');
    await chat.kill();
    heal();
    await chat.restart();
    await chat.posted(id);
    expect(chat.slackCards(id)).toHaveLength(1);
    expect(chat.teamsCards(id)).toHaveLength(2);

    await pressInSlack(asked);
    await until(async () => (await chat.read(id)).status === 'approved', 'the approval');
    const openInTeams = () => chat.teamsCards(id).filter((card) => JSON.stringify(chat.teams.card(card.id)).includes('"Approve"'));
    await until(() => chat.texts(id).filter((text) => text.includes(APPROVED)).length === 2 && openInTeams().length === 1, 'the closed cards');
    const [copy] = openInTeams();
    const { shown } = await chat.teams.client.press({ user: 'bob', conversation: TEAMS_CHANNEL, activityId: copy?.id ?? '', verb: 'deny' });
    expect(JSON.stringify(shown)).toContain('does not belong to this card');
    await expectOnce(id, 'approved');
  });

  test('C1: between a press and the update of the cards: decided once, delivered once, every card closes, and the press sent again does nothing', async () => {
    const asked = await chat.ask();
    const { id } = asked;
    await chat.posted(id);
    const before = { slack: updatesInSlack(), teams: updatesInTeams() };
    chat.slack.fail('chat.update', 'hang', { times: 100 });
    chat.teams.fail('updateActivity', 'hang', { times: 100 });
    const pressed = await pressInSlack(asked);
    expect(pressed.status).toBe(200);
    await until(() => updatesInSlack() > before.slack && updatesInTeams() > before.teams, 'updates that are under way');
    await chat.kill();
    expect(chat.deciding(id)).not.toEqual([]);
    heal();
    await chat.restart();
    await chat.closed(id, APPROVED);
    await chat.slack.client.replay(pressed);
    const [card] = chat.teamsCards(id);
    const data = { request_id: id, request_digest: asked.request_digest };
    const { shown } = await chat.teams.client.press({ user: 'bob', conversation: TEAMS_CHANNEL, activityId: card?.id ?? '', verb: 'deny', data, force: true });
    expect(JSON.stringify(shown)).toContain(`Too late: ${APPROVED}`);
    expect([chat.slackCards(id).length, chat.teamsCards(id).length]).toEqual([1, 1]);
    await expectOnce(id, 'approved');
  });

  test('C1: after the update was done and before that was known: the card is right, and is posted no second time', async () => {
    const asked = await chat.ask();
    const { id } = asked;
    await chat.posted(id);
    chat.slack.fail('chat.update', 'hold_answer');
    chat.teams.fail('updateActivity', 'hold_answer');
    await chat.server.decide(chat.server.token('bob'), asked, 'deny', 'Too wide');
    await until(() => chat.deciding(id).length === 0, 'cards that are closed, of which the server has not heard');
    await chat.kill();
    heal();
    await chat.restart();
    await until(async () => (await chat.recorded(id, 'card.closed')) >= 2, 'the record of the closed cards');
    await chat.closed(id, 'Denied by Bob Brown');
    expect([chat.slackCards(id).length, chat.teamsCards(id).length]).toEqual([1, 1]);
    await expectOnce(id, 'denied');
  });
});

test('C1: all three are down: people decide by the API, and when they are back every card closes, what still waits is shown, and what does not is shown to nobody', async () => {
  const decided = await chat.ask();
  await chat.posted(decided.id);
  await Promise.all([chat.slack.wire.refuse(), chat.teams.wire.refuse(), chat.mail.down()]);
  const [waits, gone] = [await chat.ask(), await chat.ask()];
  await chat.server.decide(chat.server.token('alice'), decided, 'approve');
  await chat.server.call('POST', `/v1/action-requests/${gone.id}/cancel`, { as: chat.server.quickstart().api_key, body: {} });
  // The caller waits for no platform.
  await expectOnce(decided.id, 'approved');
  expect(chat.deciding(decided.id)).not.toEqual([]);
  await Promise.all([chat.slack.wire.accept(), chat.teams.wire.accept(), chat.mail.up()]);
  await chat.hurry();
  await chat.closed(decided.id, APPROVED);
  await chat.posted(waits.id);
  expect([chat.slackCards(waits.id).length, chat.teamsCards(waits.id).length, chat.deciding(gone.id)]).toEqual([1, 1, []]);
  const outcomes = () => chat.mailsOf(decided.id).filter(({ parsed }) => parsed.inReplyTo !== undefined && parsed.text?.includes('Approved by') === true);
  await until(() => new Set(outcomes().flatMap(({ to }) => to)).size === 3, 'the outcome by mail', 60_000);
  await chat.server.decide(chat.server.token('alice'), waits, 'approve');
  await chat.closed(waits.id, APPROVED);
});

test('429 with Retry-After and 500s delay cards on both platforms, on post and on update; none is lost and none is doubled', async () => {
  chat.slack.rateLimit('chat.postMessage', 1);
  chat.teams.throttle(POST_IN_TEAMS, 1);
  chat.slack.fail('chat.postMessage', 'server_error');
  chat.teams.fail(POST_IN_TEAMS, 'server_error');
  const { id, request_digest } = await chat.ask();
  await chat.posted(id);
  chat.slack.rateLimit('chat.update', 1);
  chat.teams.throttle('updateActivity', 1);
  chat.slack.fail('chat.update', 'server_error');
  chat.teams.fail('updateActivity', 'server_error');
  await chat.server.decide(chat.server.token('alice'), { id, request_digest }, 'approve');
  await chat.closed(id, APPROVED, 60_000);
  expect([chat.slackCards(id).length, chat.teamsCards(id).length]).toEqual([1, 1]);
  await expectOnce(id, 'approved');
});

test('C5: where neither platform says who pressed, both presses are refused in private, nothing is decided, and the next press counts', async () => {
  const asked = await chat.ask();
  const { id } = asked;
  await chat.posted(id);
  chat.slack.fail('users.info', 'server_error');
  chat.teams.fail('getMember', 'server_error');
  const before = chat.toldInSlack('alice').length;
  await pressInSlack(asked);
  expect(await chat.slack.wire.until(() => chat.toldInSlack('alice')[before], 'the answer for alice')).toMatch(/nothing was decided/i);
  const [card] = chat.teamsCards(id);
  const deny = () => chat.teams.client.press({ user: 'bob', conversation: TEAMS_CHANNEL, activityId: card?.id ?? '', verb: 'deny' });
  expect(JSON.stringify((await deny()).shown)).toMatch(/nothing was decided/i);
  expect(await chat.read(id)).toMatchObject({ status: 'pending', decisions: [] });
  await deny();
  await chat.closed(id, 'Denied by Bob Brown');
  await expectOnce(id, 'denied');
});

/** A request of so short a time whose cards were shown before its end; of a longer time where the machine is too slow for it. */
async function shownInTime(seconds: number): Promise<Asked> {
  const asked = await chat.ask({ timeout_seconds: seconds });
  const shown = () => chat.slackCards(asked.id).length > 0 && chat.teamsCards(asked.id).length > 0;
  await until(async () => shown() || (await chat.read(asked.id)).status === 'expired', 'the cards or the end', 120_000);
  return shown() ? asked : shownInTime(2 * seconds);
}

test('C6: what nobody decides in time closes on both platforms by itself, and a press on it comes too late', async () => {
  const asked = await shownInTime(5);
  const { id } = asked;
  const [card] = chat.teamsCards(id);
  expect(cardText(chat.teams.card(card?.id ?? ''))).toContain('Decide before');
  await chat.closed(id, 'Expired');
  const before = chat.toldInSlack('alice').length;
  const value = JSON.stringify({ request_id: id, request_digest: asked.request_digest });
  const ts = chat.slackCards(id)[0]?.ts ?? '';
  await chat.slack.client.press({ user: slackAccount('alice'), channel: SLACK_CHANNEL, ts, actionId: 'countersign_approve', value });
  expect(await chat.slack.wire.until(() => chat.toldInSlack('alice')[before], 'the answer for alice')).toContain('Too late');
  expect((await chat.read(id)).decisions).toEqual([]);
});

test('E1: after all of it the ledger is in order, and says of each request what its row says', async () => {
  expect(await verifyByCommand(chat.server.home)).toMatchObject({ findings: [] });
});
