import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type SlackView, visibleText } from '@countersign/dev-env/slack';
import { cardText, type DialogShown } from '@countersign/dev-env/teams';
import { type Asked, type ChatServer, SLACK_CHANNEL, slackAccount, startChatServer, TEAMS_CHANNEL } from './support/chat-server.js';
import { until } from './support/until.js';

/*
 * C2 on the running product: however much a request holds and in whatever language, Slack, Teams and mail take its card, the pages of both platforms
 * hold all of it, and it is decided where its last page stands. Policy demands that all of it was opened. Random hostile requests are in each bot's own
 * tests.
 */

jest.setTimeout(120_000);

let chat: ChatServer;
beforeAll(async () => {
  chat = await startChatServer((policy) => policy.replace('      timeout: 4h\n', '      timeout: 4h\n      obligations: { must_open: true }\n'));
}, 120_000);
afterAll(() => chat?.close(), 60_000);

const LONG = 'Löschen für Größen, Straßen & <Ämter> 👩‍👩‍👧‍👦 '.repeat(900);
const GERMAN = {
  parameters: { Empfänger: 'Müller & Söhne GmbH', Begründung: 'Grüße aus Köln 🎉', Betrag: '1.234,56 €' },
  reason: 'Für die Kündigungsprognose – siehe „Anhang“',
};
const REQUESTS: [string, object, readonly string[]][] = [
  ['41 KB of German and emoji', { parameters: { statement: LONG } }, [LONG.trim()]],
  [
    '30 fields with long names and texts',
    {
      parameters: Object.fromEntries(Array.from({ length: 30 }, (_, nth) => [`${'feld_'.repeat(12)}${String(nth)}`, `${'wert 🧾 '.repeat(30)}${String(nth)}`])),
    },
    ['wert 🧾 '.repeat(30) + '29'],
  ],
  [
    'titles of 200 characters, an emoji at their cut, and a reason of 4,000',
    {
      reason: 'ä'.repeat(3_998) + '🚀',
      context: {
        links: Array.from({ length: 20 }, (_, nth) => ({
          title: `${'t'.repeat(195)} 🔥${String(nth).padStart(2, '0')}`,
          url: `https://a.example/${String(nth)}`,
        })),
      },
    },
    ['ä'.repeat(3_998) + '🚀'],
  ],
  ['little, in German', GERMAN, ['Müller & Söhne GmbH', 'Grüße aus Köln 🎉', '1.234,56 €', 'Für die Kündigungsprognose – siehe „Anhang“']],
];

const letters = (text: string): string => text.replaceAll(/\s/gu, '');

/** The id of the button with this label; undefined where there is none. */
function buttonIn(blocks: unknown, label: string): string | undefined {
  if (typeof blocks !== 'object' || blocks === null) return undefined;
  const { type, text, action_id } = blocks as { type?: unknown; text?: { text?: unknown }; action_id?: unknown };
  if (type === 'button' && text?.text === label) return String(action_id);
  for (const part of Object.values(blocks)) {
    const found = buttonIn(part, label);
    if (found !== undefined) return found;
  }
  return undefined;
}

const pressCard = async (id: string, label: string) => {
  const [card] = chat.slackCards(id);
  const actionId = buttonIn(card?.blocks, label);
  if (actionId === undefined) throw new Error(`the card has no button ${label}`);
  await chat.slack.client.press({ user: slackAccount('alice'), channel: SLACK_CHANNEL, ts: card?.ts ?? '', actionId });
};

/** Turns the pages of Slack's modal; what stands in their boxes, and the last one. */
async function readInSlack(): Promise<{ text: string; last: SlackView }> {
  let text = '';
  for (let page = 1; ; page++) {
    const view = await chat.slack.wire.until(
      () => chat.slack.views(slackAccount('alice')).find(({ blocks }) => visibleText(blocks).startsWith(`Page ${String(page)} of`)),
      `page ${String(page)} in Slack`,
    );
    text += visibleText(view.blocks.filter(({ type }) => type === 'rich_text').slice(1));
    const next = buttonIn(view.blocks, 'Next page');
    if (next === undefined) return { text, last: view };
    await chat.slack.client.press({ user: slackAccount('alice'), viewId: view.id, actionId: next });
  }
}

async function readInTeams(id: string): Promise<{ text: string; last: DialogShown }> {
  const activityId = chat.teamsCards(id)[0]?.id ?? '';
  let page = await chat.teams.client.openDialog({ user: 'bob', conversation: TEAMS_CHANNEL, activityId, title: 'Show all in a window' });
  for (let text = ''; ; page = await chat.teams.client.sendDialog(page, { title: 'Next page' })) {
    if (page.shown.kind !== 'dialog') throw new Error(JSON.stringify(page.shown));
    const { body } = page.shown.card as { body: { type: string }[] };
    text += cardText({ type: 'AdaptiveCard', body: body.filter(({ type }) => type === 'Container') });
    if (!JSON.stringify(page.shown.card).includes('"Next page"')) return { text, last: page };
  }
}

async function approveInSlack({ id }: Asked, last: SlackView): Promise<void> {
  const own = buttonIn(last.blocks, 'Approve');
  if (own === undefined) await pressCard(id, 'Approve');
  else await chat.slack.client.press({ user: slackAccount('alice'), viewId: last.id, actionId: own });
}

async function approveInTeams({ id }: Asked, last: DialogShown): Promise<void> {
  const activityId = chat.teamsCards(id)[0]?.id ?? '';
  if (JSON.stringify(last.json).includes('"Approve"')) await chat.teams.client.sendDialog(last, { title: 'Approve' });
  else await chat.teams.client.press({ user: 'bob', conversation: TEAMS_CHANNEL, activityId, verb: 'approve' });
}

/** What a platform refused of us. */
const refusals = (): string[] => [
  ...chat.slack.wire.traffic.flatMap(({ request, answer }) => (answer?.body.includes('"ok":false') === true ? [`${request.name}: ${answer.body}`] : [])),
  ...chat.teams.wire.traffic.flatMap(({ request, answer }) => ((answer?.status ?? 0) >= 400 ? [`${request.name}: ${answer?.body ?? ''}`] : [])),
  ...chat.teams.warnings,
];

describe.each(REQUESTS)('%s', (what, members, all) => {
  test.each(['Slack', 'Teams'] as const)(
    'C2, B5: is shown everywhere, stands whole on the pages of both, and is approved in %s by who has seen its end',
    async (where) => {
      const asked = await chat.ask(members);
      const { id } = asked;
      await chat.posted(id);
      expect([chat.slackCards(id).length, chat.teamsCards(id).length]).toEqual([1, 1]);
      const partial = !chat.texts(id).every((text) => all.every((one) => letters(text).includes(letters(one))));
      if (what !== 'little, in German') expect(partial).toBe(true);
      if (partial) for (const text of chat.texts(id)) expect(text).toMatch(/continues: shown|does not show all/);

      // Who has not seen its end does not approve it, whatever button they press.
      const before = chat.toldInSlack('alice').length;
      await pressCard(id, 'Approve');
      await until(() => chat.slack.views(slackAccount('alice')).length > 0 || chat.toldInSlack('alice').length > before, 'the answer to the early press');
      if (chat.toldInSlack('alice').length > before) {
        expect(chat.toldInSlack('alice').at(-1)).toContain('seen everything first');
        await pressCard(id, 'Show everything');
      }
      expect(await chat.read(id)).toMatchObject({ status: 'pending', decisions: [] });

      const [inSlack, inTeams] = [await readInSlack(), await readInTeams(id)];
      expect(letters(inSlack.text)).toBe(letters(inTeams.text));
      for (const one of all) expect(letters(inSlack.text)).toContain(letters(one));
      await until(async () => (await chat.recorded(id, 'card.opened')) === 2, 'the record that both opened it');

      await (where === 'Slack' ? approveInSlack(asked, inSlack.last) : approveInTeams(asked, inTeams.last));
      await chat.closed(id, where === 'Slack' ? 'Approved by Alice Adams' : 'Approved by Bob Brown');
      expect(await chat.read(id)).toMatchObject({ decisions: [{ via: where.toLowerCase() }] });
      while (chat.slack.views(slackAccount('alice')).length > 0) await chat.slack.client.closeView(slackAccount('alice'));
      expect(refusals()).toEqual([]);
    },
  );
});

test.each(['Slack', 'Teams'] as const)(
  'C3: a denial’s reason of 2,000 characters reaches the caller whole from %s, and one of 5,000 decides nothing',
  async (where) => {
    const { id, request_digest } = await chat.ask(GERMAN);
    await chat.posted(id);
    const activityId = chat.teamsCards(id)[0]?.id ?? '';
    // A client counts UTF-16 units, and may cut the last emoji in half.
    const cutInHalf = `${'Zu groß 🙈 '.repeat(181)}Zu groß!🙈`.slice(0, 2_000);
    const reason = `${cutInHalf.slice(0, -1)}\ufffd`;
    expect([cutInHalf.length, /\p{Cs}/u.test(cutInHalf)]).toEqual([2_000, true]);
    const deny = async (words: string): Promise<void> => {
      if (where === 'Teams') {
        const data = { request_id: id, request_digest, reason: words };
        await chat.teams.client.press({ user: 'bob', conversation: TEAMS_CHANNEL, activityId, verb: 'deny', data, force: true });
        return;
      }
      await pressCard(id, 'Deny');
      await chat.slack.wire.until(() => chat.slack.views(slackAccount('alice')).some(({ blocks }) => blocks.some(({ type }) => type === 'input')), 'the form');
      const before = chat.toldInSlack('alice').length;
      const sent = await chat.slack.client.submit({ user: slackAccount('alice'), values: { reason: words }, force: true });
      expect(sent.status).toBe(200);
      await until(() => sent.formErrors !== undefined || chat.toldInSlack('alice').length > before, 'the answer to the form');
      while (chat.slack.views(slackAccount('alice')).length > 0) await chat.slack.client.closeView(slackAccount('alice'));
    };
    await deny('x'.repeat(5_000));
    expect(await chat.read(id)).toMatchObject({ status: 'pending', decisions: [] });
    await deny(cutInHalf);
    await chat.closed(id, 'Denied by');
    expect(await chat.read(id)).toMatchObject({ status: 'denied', decisions: [{ verdict: 'deny', reason }] });
    expect(refusals()).toEqual([]);
  },
);
