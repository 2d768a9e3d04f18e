import type { AccountKind, Forgery, PlatformHarness, PressAnswer, ShownCard } from '@countersign/chat/conformance';
import { offerEverything } from '@countersign/dev-env/approval-world';
import { type Interaction, type SlackMessage, type SlackUser, visibleText } from '@countersign/dev-env/slack';
import { ACTIONS, actOf, OPEN_WHOLE } from '../buttons.js';
import { FORM_MODAL } from '../forms.js';
import { MODALS } from '../modals.js';
import { accountOf, CHANNEL, createSlackWorld, MALLORY, SECOND_OF_BOB } from './slack-world.js';

/** What an account of alice's must be to be no good. */
const CHANGES: Partial<Record<AccountKind, Partial<SlackUser>>> = {
  'deactivated account': { deleted: true },
  'guest account': { is_restricted: true },
  'outside account': { is_stranger: true },
  'bot account': { is_bot: true },
};

/** Slack for the conformance suite: presses and forms as Slack signs and sends them, answers as Slack shows them. */
export async function createSlackHarness(): Promise<PlatformHarness> {
  const made = await createSlackWorld();
  const { slack, world } = made;
  const userOf = (person: string) => (person.startsWith('U0') ? person : accountOf(person));
  const cardsOf = (id: string) => slack.messages(CHANNEL.name).filter(({ blocks }) => carries(blocks, id));
  const cardOf = (id: string): SlackMessage => {
    const [card] = cardsOf(id);
    if (card === undefined) throw new Error(`there is no card of ${id}`);
    return card;
  };
  const answers = (user: string) => [...slack.ephemeral(user), ...slack.direct(user)];

  /** What is said to the user from now on, by an interaction that asks for words. */
  async function answered(user: string, interact: () => Promise<Interaction>): Promise<PressAnswer> {
    const before = answers(user).length;
    let interaction = await interact();
    const reply = async (): Promise<PressAnswer> => {
      const told = await slack.wire.until(() => (answers(user).length > before ? answers(user).at(-1)?.text : undefined), `an answer for ${user}`);
      return {
        accepted: /^You (approved|denied) it\./.test(told),
        privateText: told,
        again: () =>
          answered(user, async () => {
            interaction = { ...interaction, ...(await slack.client.replay(interaction)) };
            return interaction;
          }),
      };
    };
    return reply();
  }

  /** Opens the whole, turns its pages and presses Approve on the last. */
  async function approveAtTheEnd(user: string, pressed: { user: string; channel: string; ts: string; actionId: string }): Promise<Interaction> {
    await slack.client.press(pressed);
    for (let page = 1; ; page++) {
      const view = await slack.wire.until(
        () => slack.views(user).find(({ blocks }) => visibleText(blocks).startsWith(`Page ${String(page)} of`)),
        `page ${String(page)}`,
      );
      const last = parts(view.blocks).find(({ type, text }) => type === 'button' && wordsOf(text) === 'Approve');
      if (typeof last?.action_id === 'string') return slack.client.press({ user, viewId: view.id, actionId: last.action_id });
      await slack.client.press({ user, viewId: view.id, actionId: 'countersign_page_next' });
    }
  }

  return {
    world,
    via: 'slack',
    places: 1,
    async work(workers = 1) {
      const others = Array.from({ length: workers - 1 }, () => made.createBot());
      await Promise.all([made.bot, ...others].map((bot) => bot.work()));
      await Promise.all(others.map((bot) => bot.stop()));
    },
    cards: async (id) => cardsOf(id).map(shown),
    messages: () => slack.messages(CHANNEL.name).filter(({ user }) => user === slack.botUserId).length,
    markup: async (id) => cardsOf(id).flatMap(markup),
    links: async (id) =>
      cardsOf(id).flatMap(({ blocks }) => parts(blocks).flatMap(({ url, text }) => (typeof url === 'string' ? [{ url, text: wordsOf(text) }] : []))),
    async everything(person, id) {
      const user = userOf(person);
      await slack.client.press({ user, channel: CHANNEL.name, ts: cardOf(id).ts, actionId: ACTIONS.everything });
      for (let read = ''; ;) {
        const page = read.split('\f').length;
        const view = await slack.wire.until(
          () => slack.views(user).find(({ blocks }) => visibleText(blocks).startsWith(`Page ${String(page)} of`)),
          `page ${String(page)}`,
        );
        read += visibleText(view.blocks.filter((block) => block['type'] === 'rich_text').slice(1)).replaceAll('\n', '');
        if (!visibleText(view.blocks).includes('Next page')) return read.replaceAll('\f', '');
        read += '\f';
        await slack.client.press({ user, viewId: view.id, actionId: 'countersign_page_next' });
      }
    },
    complaints: () => made.warnings,
    async press({ person, request, verdict, reason }) {
      const user = userOf(person);
      const { ts, blocks } = cardOf(request);
      const label = verdict === 'approve' ? 'Approve' : 'Deny';
      const labels = label === 'Approve' ? ['Approve', 'Show everything'] : [label];
      const button = parts(blocks).find(({ type, text }) => type === 'button' && labels.includes(wordsOf(text)));
      if (typeof button?.action_id !== 'string') throw new Error(`the card of ${request} has no button ${label}`);
      const pressed = { user, channel: CHANNEL.name, ts, actionId: button.action_id };
      if (pressed.actionId === ACTIONS.approve) return answered(user, () => slack.client.press(pressed));
      const pressing =
        pressed.actionId === OPEN_WHOLE || pressed.actionId === ACTIONS.everything ? await approveAtTheEnd(user, pressed) : await slack.client.press(pressed);
      const view = await slack.wire.until(
        () => slack.views(user).find(({ blocks, callback_id }) => callback_id === MODALS.said || blocks.some(({ type }) => type === 'input')),
        'the modal',
      );
      if (view.callback_id === MODALS.said) {
        const again = async () => answered(user, async () => ({ ...pressing, ...(await slack.client.replay(pressing)) }));
        return { accepted: false, privateText: visibleText(view.blocks), again };
      }
      return answered(user, () => slack.client.submit({ user, force: true, ...(reason === undefined ? {} : { values: { reason } }) }));
    },
    async forge({ person, request, forgery, other }) {
      const user = userOf(person);
      const forged = await forgedPress(request, forgery, other);
      return answered(user, () => slack.client.press({ user, channel: CHANNEL.name, actionId: ACTIONS.approve, ...forged }));
    },
    async account(kind) {
      if (kind === 'unknown account') return MALLORY;
      if (kind === 'second account') return SECOND_OF_BOB;
      slack.changeUser(accountOf('alice'), CHANGES[kind] ?? {});
      return 'alice';
    },
    failLookUp() {
      slack.fail('users.info', 'server_error');
    },
    down: () => slack.wire.refuse(),
    up: () => slack.wire.accept(),
    loseAnswer(of) {
      slack.fail(of === 'post' ? 'chat.postMessage' : 'chat.update', 'lose_answer');
    },
    actions: {
      async act({ person, request, action, values, subject, forged }) {
        const user = userOf(person);
        const { ts, value } = await forgedPress(request, forged?.forgery ?? null, forged?.other ?? request);
        // A member of the value that the button carries.
        const carried = JSON.stringify({ ...(JSON.parse(value) as object), ...(subject === undefined ? {} : { subject }) });
        await slack.client.press({ user, channel: CHANNEL.name, ts, actionId: actOf(action), value: carried });
        const view = await slack.wire.until(
          () => slack.views(user).find(({ callback_id }) => callback_id === FORM_MODAL || callback_id === MODALS.said),
          'a form, or what came of it',
        );
        const text = visibleText(view.blocks);
        if (view.callback_id === MODALS.said || values === undefined) {
          await slack.client.closeView(user);
          return { form: view.callback_id === FORM_MODAL, text };
        }
        const { privateText } = await answered(user, () => slack.client.submit({ user, force: true, values }));
        return { form: false, text: privateText ?? '' };
      },
      offerEverything: () => world.policy(offerEverything),
      events: async (id) => (await world.store.requests.timeline(world.tenant, id)).map(({ event }) => event),
    },
    pressCopy: () => Promise.reject(new Error('a post is found again, so there is no copy')),
    close: () => made.close(),
  };

  async function forgedPress(request: string, forgery: Forgery | null, other: string): Promise<{ ts: string; value: string }> {
    const digestOf = async (id: string) => (await world.state(id)).request.request_digest;
    const own = { request_id: request, request_digest: await digestOf(request) };
    const { ts } = cardOf(request);
    switch (forgery) {
      case null:
        return { ts, value: JSON.stringify(own) };
      case 'data of another request':
        return { ts, value: JSON.stringify({ request_id: other, request_digest: await digestOf(other) }) };
      case 'digest of another request':
        return { ts, value: JSON.stringify({ ...own, request_digest: await digestOf(other) }) };
      case 'a request that does not exist':
        return { ts, value: JSON.stringify({ ...own, request_id: own.request_id.replace(/.{12}$/, '0'.repeat(12)) }) };
      case 'another message':
        return { ts: slack.sayAs(accountOf('carol'), CHANNEL.name, 'look').ts, value: JSON.stringify(own) };
    }
  }
}

type Part = Record<string, unknown>;

/** Every object in the blocks. */
function parts(value: unknown): Part[] {
  if (Array.isArray(value)) return value.flatMap(parts);
  if (typeof value !== 'object' || value === null) return [];
  // An object of a parsed JSON document.
  return [value as Part, ...Object.values(value).flatMap(parts)];
}

/** A label is a text object, the text of a link a string. */
const wordsOf = (text: unknown): string => (typeof text === 'string' ? text : String(Object(text).text ?? ''));

const carries = (blocks: readonly Part[], id: string): boolean => parts(blocks).some(({ type, text }) => type === 'plain_text' && wordsOf(text).startsWith(id));

function shown({ blocks }: SlackMessage): ShownCard {
  const own = blocks.map((block) =>
    Array.isArray(block['elements']) ? { ...block, elements: block['elements'].filter((one) => Object(one).type !== 'rich_text_preformatted') } : block,
  );
  const buttons = parts(blocks).flatMap(({ type, text }) => (type === 'button' ? [wordsOf(text)] : []));
  return {
    text: visibleText(blocks),
    own: visibleText(own),
    buttons: buttons.filter((label) => ['Approve', 'Deny', 'Show everything'].includes(label)),
  };
}

/** Rich text elements that are no plain text or link. */
const READ = new Set(['user', 'usergroup', 'channel', 'broadcast', 'emoji', 'team', 'color', 'mrkdwn', 'markdown']);

/** What Slack reads: mrkdwn objects, mentions in the notification's text, elements that stand for somebody, addresses that it would unfurl. */
function markup({ text, blocks, unfurl_links, unfurl_media }: SlackMessage): string[] {
  return [
    ...(text.match(/<[^>]*>?/g) ?? []),
    ...parts(blocks).flatMap((part) => (READ.has(String(part['type'])) ? [JSON.stringify(part)] : [])),
    ...parts(blocks).flatMap((part) => (part['emoji'] === true ? [`emoji: ${wordsOf(part)}`] : [])),
    ...(unfurl_links === false && unfurl_media === false ? [] : ['links are unfurled']),
  ];
}
