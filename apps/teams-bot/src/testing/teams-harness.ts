import type { FormValues } from '@countersign/chat';
import type { Forgery, PersonPress, PlatformHarness, PressAnswer, ShownCard } from '@countersign/chat/conformance';
import type { JsonObject } from '@countersign/contracts';
import { offerEverything } from '@countersign/dev-env/approval-world';
import { type CardPress, type CardPressed, cardText, type StoredActivity } from '@countersign/dev-env/teams';
import { randomUUID } from 'node:crypto';
import { VERBS } from '../buttons.js';
import { isObject, object, text } from '../incoming-activity.js';
import { CHANNEL, GROUP, PEOPLE, startTeamsRig, TENANT_ID } from './teams-rig.js';

const PLACES = [GROUP, CHANNEL];

/** Teams as the conformance suite sees it: a group chat and a channel, both allowed. */
export async function createTeamsHarness(): Promise<PlatformHarness> {
  const rig = await startTeamsRig();
  const { world, teams } = rig;
  for (const place of PLACES) await rig.allow(place);

  const activities = (): StoredActivity[] => PLACES.flatMap((place) => teams.activities(place));
  const cardsOf = (requestId: string): StoredActivity[] => activities().filter(({ id }) => cardText(teams.card(id)).includes(`${requestId} · asked`));

  /** The card that is known, of the first place. */
  async function knownCard(requestId: string): Promise<{ conversation: string; activityId: string }> {
    const [card] = await world.store.cards.posted(world.tenant, 'teams', requestId);
    const { conversation, activity } = card?.ref ?? {};
    if (typeof conversation !== 'string' || typeof activity !== 'string') throw new Error(`there is no card of ${requestId}`);
    return { conversation, activityId: activity };
  }

  async function dataOf(requestId: string): Promise<{ request_id: string; request_digest: string }> {
    return { request_id: requestId, request_digest: (await world.state(requestId)).request.request_digest };
  }

  async function forgedData(request: string, forgery: Forgery | null, other: string): Promise<JsonObject> {
    const data = await dataOf(request);
    switch (forgery) {
      case 'data of another request':
        return dataOf(other);
      case 'digest of another request':
        return { ...data, request_digest: (await dataOf(other)).request_digest };
      case 'a request that does not exist':
        return { ...data, request_id: `ar_${randomUUID()}` };
      case 'another message':
      case null:
        return data;
    }
  }

  async function send(press: CardPress): Promise<PressAnswer> {
    const pressed = await teams.client.press({ force: true, ...press });
    const again = async (): Promise<PressAnswer> => {
      const { json } = await teams.client.replay(pressed);
      return { ...answerOf(json), again };
    };
    return { ...answerOf(pressed.json, pressed.shown), again };
  }

  return {
    world,
    via: 'teams',
    places: PLACES.length,
    async work(workers = 1) {
      const others = Array.from({ length: workers - 1 }, () => rig.createBot());
      await Promise.all([rig.bot, ...others].map((bot) => bot.work()));
      for (const bot of others) await bot.stop();
    },
    cards: (requestId) => Promise.resolve(cardsOf(requestId).map(({ id }) => shownCard(teams.card(id)))),
    messages: () => activities().length,
    markup: (requestId) => Promise.resolve(cardsOf(requestId).flatMap((activity) => markupOf(activity.body))),
    links: (requestId) => Promise.resolve(linksOf(teams.card(cardsOf(requestId)[0]?.id ?? ''))),
    async everything(person, requestId) {
      const { shown } = await teams.client.press({ user: person, verb: 'everything', ...(await knownCard(requestId)) });
      if (shown.kind !== 'card') throw new Error(`Show everything leads to ${JSON.stringify(shown)}`);
      return cardText(shown.card);
    },
    complaints: () => [...rig.warnings, ...teams.warnings],
    async press({ person, request, verdict, reason }: PersonPress) {
      return send({ user: person, verb: verdict, ...(await knownCard(request)), ...(reason === undefined ? {} : { inputs: { reason } }) });
    },
    async forge({ person, request, forgery, other }) {
      const on = await knownCard(forgery === 'another message' ? other : request);
      return send({ user: person, verb: 'approve', ...on, data: await forgedData(request, forgery, other) });
    },
    async account(kind) {
      const person = { key: kind, name: 'Somebody', email: 'somebody@example.com', id: `29:${kind}`, aadObjectId: PEOPLE.alice };
      switch (kind) {
        case 'unknown account':
          return 'mallory';
        case 'deactivated account':
          // Who was deactivated is no member of any conversation any more.
          teams.addPerson(person);
          return kind;
        case 'guest account':
          teams.addPerson({ ...person, userPrincipalName: 'somebody_other.example#EXT#@example.onmicrosoft.com' });
          break;
        case 'outside account':
          teams.addPerson({ ...person, tenantId: randomUUID() });
          break;
        case 'bot account':
          teams.addPerson({ ...person, id: '28:another-bot' });
          break;
        case 'second account': {
          const user = randomUUID();
          teams.addPerson({ ...person, aadObjectId: user });
          await world.store.directory.link(world.tenant, { platform: 'teams', workspace: TENANT_ID, user }, world.people.bob, 'administrator');
          break;
        }
      }
      // Who was added later joins the conversations.
      teams.addConversation({ id: GROUP, type: 'groupChat' });
      teams.addConversation({ id: CHANNEL, type: 'channel', teamId: '19:team@thread.tacv2' });
      return kind;
    },
    failLookUp: () => {
      teams.fail('getMember', 'server_error');
    },
    down: () => teams.wire.refuse(),
    up: () => teams.wire.accept(),
    loseAnswer: (of) => {
      teams.fail(of === 'post' ? 'sendToConversation' : 'updateActivity', 'lose_answer');
    },
    async pressCopy(person, requestId) {
      const known = new Set((await world.store.cards.posted(world.tenant, 'teams', requestId)).map(({ ref }) => ref?.['activity']));
      const copy = cardsOf(requestId).find(({ id }) => !known.has(id));
      if (copy === undefined) throw new Error('there is no copy');
      return send({ user: person, conversation: copy.conversationId, activityId: copy.id, verb: 'approve' });
    },
    actions: {
      async act({ person, request, action, values, subject, forged }) {
        const data = await forgedData(request, forged?.forgery ?? null, forged?.other ?? request);
        const on = await knownCard(forged?.forgery === 'another message' ? forged.other : request);
        const pressed = { ...data, open: action, ...(subject === undefined ? {} : { subject }) };
        const opened = await teams.client.press({ user: person, verb: VERBS.form, ...on, data: pressed, force: true });
        const form = [...parts(opened.json)].some(({ verb }) => verb === VERBS.send);
        if (!form || values === undefined) return { form, text: answerOf(opened.json, opened.shown).privateText ?? '' };
        const sent = await teams.client.press({ user: person, verb: VERBS.send, ...on, data: { ...pressed, ...inputsOf(values) }, force: true });
        return { form: false, text: answerOf(sent.json, sent.shown).privateText ?? '' };
      },
      offerEverything: () => world.policy(offerEverything),
      events: async (id) => (await world.store.requests.timeline(world.tenant, id)).map(({ event }) => event),
    },
    close: () => rig.close(),
  };
}

/** As a form's inputs come back: several choices are one text. */
function inputsOf(values: FormValues): JsonObject {
  return Object.fromEntries(Object.entries(values).map(([id, value]) => (typeof value === 'string' ? [`f_${id}`, value] : [`m_${id}`, value.join(',')])));
}

/** What an invoke's answer shows to the presser. */
function answerOf(json: unknown, shown?: CardPressed['shown']): Omit<PressAnswer, 'again'> {
  if (shown?.kind === 'trouble') throw new Error(`Teams cannot show the answer: ${shown.why}`);
  const { type, value } = object(json);
  const accepted = type === 'application/vnd.microsoft.card.adaptive';
  return { accepted, privateText: accepted ? cardText(value) : text(value) };
}

function shownCard(card: unknown): ShownCard {
  const actions = object(card)['actions'];
  // Of the first rank: the rest stands in the card's menu.
  const first = Array.isArray(actions) ? actions.filter((action) => object(action)['mode'] !== 'secondary') : [];
  const titles = first.map((action) => text(object(action)['title']) ?? '');
  const body = object(card)['body'];
  const own = { ...object(card), body: Array.isArray(body) ? body.filter((element) => object(element)['style'] !== 'emphasis') : [] };
  return { text: cardText(card), own: cardText(own), buttons: titles };
}

/** Every object in the message, with its own strings. */
function* parts(value: unknown): Generator<Record<string, unknown>> {
  if (Array.isArray(value)) for (const item of value) yield* parts(item);
  if (!isObject(value)) return;
  yield value;
  for (const member of Object.values(value)) yield* parts(member);
}

/** Text where Teams reads Markdown, and date macros in a run of text. */
function markupOf(message: unknown): string[] {
  return [...parts(message)].flatMap((part) => {
    if (part['type'] === 'TextRun') return /\{\{(?:DATE|TIME)\([^]*\}\}/i.test(text(part['text']) ?? '') ? [`a macro: ${String(part['text'])}`] : [];
    if (part['type'] === 'mention') return ['a mention'];
    const read = [part['type'] === 'TextBlock' ? part['text'] : null, part['title'], part['label'], part['placeholder'], part['fallbackText']];
    return read.filter((words) => typeof words === 'string' && /[*[\]<>`~]|_\w+_(?=\s)/.test(words)).map(String);
  });
}

function linksOf(card: unknown): { text: string; url: string }[] {
  return [...parts(card)].flatMap((part) => {
    const url = text(object(part['selectAction'])['url']) ?? (part['type'] === 'Action.OpenUrl' && part['title'] !== undefined ? text(part['url']) : null);
    return url === null ? [] : [{ text: text(part['text']) ?? text(part['title']) ?? '', url }];
  });
}
