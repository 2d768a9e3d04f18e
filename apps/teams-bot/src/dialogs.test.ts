import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createAccountLinks, cut, type Form, wholeText } from '@countersign/chat';
import { cardOf } from '@countersign/core/card';
import { demandPasskey, offerEverything } from '@countersign/dev-env/approval-world';
import { cardComplaints, type CardPress, cardText, type DialogShown, findAction } from '@countersign/dev-env/teams';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { AdaptiveCard } from './adaptive-card.js';
import { VERBS } from './buttons.js';
import { formCard, wordsCard } from './dialogs.js';
import { messageCard } from './message-card.js';
import { MOST_BYTES } from './render.js';
import { CHANNEL, GROUP, PEOPLE, startTeamsRig, TENANT_ID, type TeamsName, type TeamsRig } from './testing/teams-rig.js';

/* What people see and press in Teams besides the two buttons of a card: dialogs, their own view, the message extension. */

let rig: TeamsRig;
beforeEach(async () => {
  rig = await startTeamsRig();
});
afterEach(() => rig.close());

interface Posted {
  id: string;
  conversation: string;
  activityId: string;
}
async function posted(submission = {}, place = GROUP): Promise<Posted> {
  await rig.allow(place);
  const { id } = await rig.world.open(submission);
  await rig.bot.work();
  const card = rig.teams.activities(place).findLast((one) => cardText(rig.teams.card(one.id)).includes(`${id} · asked`));
  if (card === undefined) throw new Error('there is no card');
  return { id, conversation: place, activityId: card.id };
}
const open = (user: string, { conversation, activityId }: Posted, title: string, more: object = {}) =>
  rig.teams.client.openDialog({ user, conversation, activityId, title, ...more });
const press = (user: string, { conversation, activityId }: Posted, verb: string, more: Partial<CardPress> = {}) =>
  rig.teams.client.press({ user, conversation, activityId, verb, force: true, ...more });
const look = (user: string, { conversation, activityId }: Posted, more: object = {}) => rig.teams.client.look({ user, conversation, activityId, ...more });
const wordsOf = ({ shown }: DialogShown): string =>
  shown.kind === 'message' ? shown.text : shown.kind === 'dialog' ? cardText(shown.card) : `trouble: ${shown.why}`;
const decisions = async (id: string) => (await rig.world.state(id)).decisions.map(({ person, verdict, reason }) => [person.email, verdict, reason]);
const questions = async (id: string) => (await rig.world.state(id)).questions.map(({ text }) => text);
const dataOf = async (id: string) => ({ request_id: id, request_digest: (await rig.world.state(id)).request.request_digest });

describe('dialogs', () => {
  test.each([GROUP, CHANNEL])('C3: a denial takes its reason from the dialog, and the card closes for everybody (%s)', async (place) => {
    const card = await posted({}, place);
    const form = await open('bob', card, 'Deny with a reason');
    expect(form.shown).toMatchObject({ kind: 'dialog', title: 'Deny the request' });
    const sent = await rig.teams.client.sendDialog(form, { title: 'Deny', inputs: { f_reason: 'Zu breit: **alles** 😀' } });
    expect(wordsOf(sent)).toContain('You denied it');
    expect(await decisions(card.id)).toEqual([['bob@example.com', 'deny', 'Zu breit: **alles** 😀']]);
    await rig.bot.work();
    expect(findAction(rig.teams.card(card.activityId), 'approve')).toBeUndefined();
  });

  test('C2: the whole of a request of 41 KB stands on the pages of a dialog, letter for letter, and is decided on the last', async () => {
    const card = await posted({ parameters: { sql: 'é😀"\\'.repeat(8_000) } });
    let page = await open('alice', card, 'Show all in a window');
    const boxes: string[] = [];
    for (;;) {
      if (page.shown.kind !== 'dialog') throw new Error(wordsOf(page));
      const body = page.shown.card['body'];
      boxes.push(cardText({ type: 'AdaptiveCard', body: Array.isArray(body) ? body.filter((element) => Object(element)['type'] === 'Container') : [] }));
      expect(cardText(page.shown.card)).toContain(`http://localhost:8080/requests/${card.id}`);
      if (!JSON.stringify(page.shown.card).includes('"Next page"')) break;
      expect(JSON.stringify(page.shown.card)).not.toContain('"Approve"');
      page = await rig.teams.client.sendDialog(page, { title: 'Next page' });
    }
    expect(boxes.length).toBeGreaterThan(2);
    const { publicUrl } = { publicUrl: 'http://localhost:8080' };
    expect(boxes.join('')).toBe(wholeText(cardOf(await rig.world.state(card.id), { publicUrl, notice: null })));
    expect(wordsOf(await rig.teams.client.sendDialog(page, { title: 'Approve' }))).toContain('You approved it');
    expect(await decisions(card.id)).toEqual([['alice@example.com', 'approve', null]]);
  });

  test('C2: Approve on a card that does not show all opens the whole, and decides nothing yet', async () => {
    const card = await posted({ parameters: { sql: 'x'.repeat(41_220) } });
    const first = await press('alice', card, 'approve');
    expect([first.shown.kind, await decisions(card.id)]).toEqual(['card', []]);
    expect(JSON.stringify(first.json)).toContain('"Next page"');
    await press('alice', card, 'everything');
    for (let turn = 0; turn < 9 && findAction(rig.teams.card(card.activityId, 'alice'), 'approve') === undefined; turn++)
      await press('alice', card, 'everything');
    expect((await press('alice', card, 'approve')).shown).toMatchObject({ kind: 'card' });
    expect(await decisions(card.id)).toEqual([['alice@example.com', 'approve', null]]);
  });

  test('C3: a question is asked in a dialog, and Teams’ second try of the same invoke asks it once', async () => {
    const card = await posted();
    const form = await open('alice', card, 'Ask a question');
    const sent = await rig.teams.client.sendDialog(form, { title: 'Ask', inputs: { f_text: 'Which *tables*?' } });
    expect(wordsOf(sent)).toContain('Asked.');
    const again = await rig.teams.client.replay(sent);
    expect([again.status, JSON.stringify(again.json)]).toEqual([200, expect.stringContaining('sent already')]);
    // Also by another process of the service.
    rig.use(rig.createBot());
    await rig.teams.client.replay(sent);
    expect(await questions(card.id)).toEqual(['Which *tables*?']);
  });

  test('what is missing in a form is said, and what was written stays in it', async () => {
    await rig.world.policy(offerEverything);
    const card = await posted();
    const form = await open('alice', card, 'Hand over');
    const sent = await rig.teams.client.sendDialog(form, {
      title: form.shown.kind === 'dialog' ? titleOfSend(form.shown.card) : '',
      inputs: { f_until: 'for 2 days' },
      force: true,
    });
    expect(wordsOf(sent)).toMatch(/Nothing was done/);
    expect(JSON.stringify(sent.json)).toContain('"value":"for 2 days"');
  });

  test('C4: a passkey is asked for in the dialog by a link for this person alone', async () => {
    await rig.world.policy(demandPasskey);
    const card = await posted();
    const whole = await open('alice', card, 'Show all in a window');
    const sent = await rig.teams.client.sendDialog(whole, { title: 'Approve' });
    expect(JSON.stringify(sent.json)).toMatch(/"Action.OpenUrl","title":"Confirm with passkey","url":"http:\/\/localhost:8080\/requests\/[^"]*#step-up/);
    expect(await decisions(card.id)).toEqual([]);
  });

  test('a client without dialogs gets the form as a message in its own chat, and sends it from there', async () => {
    await rig.teams.client.installPersonal('alice');
    const card = await posted();
    const data = { ...(await dataOf(card.id)), verb: VERBS.dialog, open: 'ask', msteams: { type: 'task/fetch' } };
    await rig.teams.client.submit({ user: 'alice', conversation: card.conversation, activityId: card.activityId, verb: 'x', data });
    const own = rig.teams.personal('alice').id;
    const form = rig.teams.activities(own).at(-1);
    expect(cardText(rig.teams.card(form?.id ?? ''))).toContain('Ask a question');
    await press('alice', { id: card.id, conversation: own, activityId: form?.id ?? '' }, VERBS.send, { inputs: { f_text: 'Why now?' } });
    expect(await questions(card.id)).toEqual(['Why now?']);
    // Nothing of it stands in the group.
    expect(rig.teams.activities(GROUP).filter(({ id }) => cardText(rig.teams.card(id)).includes('Your question'))).toEqual([]);
  });
});

const titleOfSend = (card: unknown): string => String(findAction(card, VERBS.send)?.['title'] ?? '');

describe('forms and messages', () => {
  const text = fc.oneof(
    fc.constantFrom(
      '',
      'x'.repeat(41_220),
      '😀'.repeat(3_001),
      '\\n\\n'.repeat(400),
      '**b** [x](https://evil.example) <at>A</at> {{DATE(2026-01-01T00:00:00Z)}}',
      '"'.repeat(9_000),
    ),
    fc.string({ unit: 'grapheme', maxLength: 300 }),
  );
  const within = (card: AdaptiveCard): void => {
    expect(cardComplaints(JSON.parse(JSON.stringify(card)))).toEqual([]);
    expect(Buffer.byteLength(JSON.stringify(card))).toBeLessThanOrEqual(MOST_BYTES);
  };

  test('Teams takes them whatever they hold: known elements, below 25 KB, in place and in a dialog', () => {
    const field = { required: true, label: 'A label' };
    fc.assert(
      fc.property(text, text, fc.nat(40), (one, other, many) => {
        const form: Form = {
          action: 'ask',
          title: 'Ask a question',
          intro: [one, other],
          submit: 'Ask',
          subject: 'q_1',
          fields: [
            { ...field, kind: 'text', id: 'a', multiline: true, max: 2_000, hint: 'A hint' },
            {
              ...field,
              kind: 'choice',
              id: 'b',
              many: true,
              options: Array.from({ length: many + 1 }, (_, nth) => ({ value: String(nth), label: `${String(nth)} ${one}` })),
            },
            { ...field, kind: 'confirm', id: 'c', text: cut(other, 500) },
          ],
        };
        const about = { request_id: 'ar_1', request_digest: 'sha256:1', card: '1' };
        for (const drawn of ['card', 'dialog'] as const) within(formCard(form, about, drawn, one, { a: other, b: ['1', '2'] }));
        const button = { label: one, action: 'ask' as const, request_id: 'ar_1', request_digest: 'sha256:1' };
        const message = {
          title: one,
          lines: [one, other],
          links: [{ label: 'Open', url: 'https://a.example/' }],
          actions: Array.from({ length: many }, () => button),
        };
        within(messageCard(message, { about: { request_id: 'ar_1', url: 'https://a.example/1' }, card: '1' }));
        within(wordsCard(one, { label: 'Open', url: 'https://a.example/' }, null));
      }),
      { numRuns: 60 },
    );
  });

  test('C2: nothing of others is read as markup in a form: a choice that could be stands above it by number', () => {
    const attack = '[Ticket](https://evil.example) **b** <at>Alice</at>';
    const form: Form = {
      action: 'reveal',
      title: 'Reveal',
      intro: [attack],
      submit: 'Reveal',
      subject: null,
      fields: [{ kind: 'choice', id: 'p', label: 'Which', required: true, many: false, options: [{ value: '/a', label: attack }] }],
    };
    const card = formCard(form, { request_id: 'ar_1', request_digest: null, card: null }, 'dialog');
    expect(cardText(card)).toContain(`1: ${attack}`);
    expect(JSON.stringify(card, (key, value: unknown) => (key === 'inlines' ? [] : value))).not.toContain('evil.example');
  });
});

describe('buttons of messages', () => {
  test.each([GROUP, CHANNEL])('C3: a reply to a card offers what can be done at once, bound to that card (%s)', async (place) => {
    const [card, other] = [await posted({}, place), await posted({}, place)];
    const { messenger } = rig.bot;
    const action = { label: 'Ask about it', action: 'ask' as const, ...(await dataOf(card.id)) };
    const message = { title: 'A reminder', lines: ['Still needed: 1 of data-owners'], links: [], actions: [action] };
    const ref = await messenger.reply({ conversation: place, activity: card.activityId }, message, 'key-1');
    const reply = { ...card, activityId: String(ref['activity']) };
    expect(rig.teams.activity(reply.activityId)?.conversationId).toBe(place === CHANNEL ? `${CHANNEL};messageid=${card.activityId}` : GROUP);
    const sent = await rig.teams.client.sendDialog(await open('alice', reply, 'Ask about it'), { title: 'Ask', inputs: { f_text: 'Why?' } });
    expect([wordsOf(sent), await questions(card.id)]).toEqual([expect.stringContaining('Asked.'), ['Why?']]);
    // Another request's card behind the same button.
    const forged = { ...(await dataOf(card.id)), verb: VERBS.dialog, open: 'ask', card: other.activityId };
    expect(wordsOf(await open('alice', reply, 'Ask about it', { data: forged }))).toContain('does not belong');
    // Outside of channels it says itself what it is about.
    expect(cardText(rig.teams.card(reply.activityId)).includes(`About ${card.id}`)).toBe(place === GROUP);
  });
});

describe('attacks on dialogs', () => {
  test('A4: another request, another digest, another card or a made-up one behind a dialog decides nothing', async () => {
    const [card, other] = [await posted(), await posted()];
    const form = await open('alice', card, 'Show all in a window');
    const [own, foreign] = [await dataOf(card.id), await dataOf(other.id)];
    const verb = { verb: VERBS.approve };
    for (const data of [
      { ...foreign, ...verb, card: card.activityId },
      { ...own, ...verb, card: other.activityId },
      { ...own, ...verb, request_digest: foreign.request_digest, card: card.activityId },
      { ...own, ...verb, card: '1700000000000' },
      { ...own, ...verb, request_id: `ar_${randomUUID()}`, card: card.activityId },
      { ...verb },
      { ...own, verb: VERBS.send, open: 'approve', card: other.activityId },
      { ...own, verb: VERBS.send, open: 'break_glass', card: other.activityId },
    ]) {
      const sent = await rig.teams.client.sendDialog(form, { title: 'Approve', data });
      expect({ data, kind: sent.shown.kind }).toEqual({ data, kind: expect.stringMatching(/message|dialog/) });
    }
    // The same from another conversation than the card's.
    const elsewhere = { ...form, from: { ...form.from, conversation: CHANNEL, activityId: '1700000000000' } };
    await rig.teams.client.sendDialog(elsewhere, { title: 'Approve', data: { ...own, ...verb, card: card.activityId } });
    expect([await decisions(card.id), await decisions(other.id)]).toEqual([[], []]);
  });

  test('A4: a forged subject, action or page does nothing, and is answered', async () => {
    const [card, other] = [await posted(), await posted()];
    await rig.teams.client.sendDialog(await open('alice', other, 'Ask a question'), { title: 'Ask', inputs: { f_text: 'Why?' } });
    const subject = (await rig.world.state(other.id)).questions[0]?.id ?? '';
    const form = await open('dana', card, 'Ask a question');
    for (const more of [
      { open: 'answer', subject, f_text: 'Because' },
      { open: 'answer', subject: { x: 1 }, f_text: 'Because' },
      { open: 'no_such_action' },
      { open: 7 },
      { open: 'whole', page: -1, of: 'x' },
      { open: 'whole', page: 1e99 },
      { open: 'bulk', m_requests: `${other.id} x`, f_verdict: 'approve' },
    ]) {
      const data = { ...(await dataOf(card.id)), verb: VERBS.send, card: card.activityId, ...more };
      expect((await rig.teams.client.sendDialog(form, { title: 'Ask', data, force: true })).shown.kind).not.toBe('trouble');
    }
    expect((await rig.world.state(other.id)).questions[0]?.answer).toBeNull();
    expect([await decisions(card.id), await decisions(other.id)]).toEqual([[], []]);
  });

  test.each([
    [
      'another tenant',
      { channelData: { tenant: { id: randomUUID() } }, conversation: { id: GROUP, conversationType: 'groupChat', isGroup: true, tenantId: randomUUID() } },
    ],
    ['no aadObjectId', { from: { id: '29:somebody', name: 'Somebody' } }],
    ['an aadObjectId that is not the account’s', { from: { id: '29:somebody', name: 'Somebody', aadObjectId: PEOPLE.alice } }],
    ['no value', { value: {} }],
  ])('C5: %s behind a dialog decides nothing, and is answered', async (_, activity) => {
    const card = await posted();
    const form = await open('alice', card, 'Deny with a reason');
    const sent = await rig.teams.client.sendDialog(form, { title: 'Deny', inputs: { f_reason: 'no' }, activity });
    expect(sent.shown.kind).not.toBe('trouble');
    const whole = await open('alice', card, 'Show all in a window');
    await rig.teams.client.sendDialog(whole, { title: 'Approve', activity });
    expect(await decisions(card.id)).toEqual([]);
  });

  test('C5: a guest is refused in a dialog, with why', async () => {
    const card = await posted();
    rig.teams.changePerson('alice', { userPrincipalName: 'alice_elsewhere.example#EXT#@example.onmicrosoft.com' });
    const form = await open('alice', card, 'Ask a question');
    expect(wordsOf(form)).toContain('Guests');
    expect((await press('alice', card, 'approve')).shown).toMatchObject({ kind: 'message', text: expect.stringContaining('Guests') });
    expect([await decisions(card.id), await questions(card.id)]).toEqual([[], []]);
  });

  test('C5: a guest reads what the card shows, and gets no more of it in private', async () => {
    const card = await posted({ reason: 'a reason at the end' });
    rig.teams.changePerson('alice', { userPrincipalName: 'alice_elsewhere.example#EXT#@example.onmicrosoft.com' });
    const whole = await open('alice', card, 'Show all in a window');
    expect(wordsOf(whole)).toContain('Guests');
    expect(wordsOf(whole)).not.toContain(`Request: ${card.id}`);
    const { shown } = await press('alice', card, 'everything');
    expect(shown).toMatchObject({ kind: 'message', text: expect.stringContaining('Guests') });
  });

  test.each(['no_token', 'foreign_key'] as const)('C5: a forged token (%s) opens and sends nothing', async (forgery) => {
    const card = await posted();
    expect((await open('alice', card, 'Deny with a reason', { forgery })).status).toBe(401);
    const form = await open('alice', card, 'Deny with a reason');
    expect((await rig.teams.client.sendDialog(form, { title: 'Deny', inputs: { f_reason: 'no' }, forgery })).status).toBe(401);
    expect(await decisions(card.id)).toEqual([]);
  });
});

describe('what each person sees of a card', () => {
  const offers = ({ activityId }: Posted, user?: TeamsName) =>
    (['approve', 'deny', 'everything'] as const).filter((verb) => findAction(rig.teams.card(activityId, user), verb) !== undefined);

  test('the card for everybody has the buttons; where Teams asks, who may not decide sees none', async () => {
    const card = await posted();
    expect(offers(card)).toEqual(['approve', 'deny', 'everything']);
    for (const name of ['alice', 'carol', 'dana', 'mallory'] as const) expect((await look(name, card))?.shown.kind).toBe('card');
    expect(offers(card, 'alice')).toEqual(['approve', 'deny', 'everything']);
    expect(offers(card, 'carol')).toEqual(['everything']);
    expect(offers(card, 'dana')).toEqual(['everything']);
    // Whose account it is has to be proved first, and a press says how.
    expect(offers(card, 'mallory')).toEqual(['approve', 'deny', 'everything']);
    expect(JSON.stringify(rig.teams.card(card.activityId, 'carol'))).not.toContain('Input.');
    // The server decides anyway.
    expect((await press('carol', card, 'approve', { data: await dataOf(card.id) })).shown).toMatchObject({ kind: 'message' });
    expect(await decisions(card.id)).toEqual([]);
  });

  test('who has decided is told what, until the others have too; after the outcome everybody sees the same', async () => {
    const card = await posted({ action: 'iam.role.grant' });
    await press('bob', card, 'approve');
    await rig.bot.work();
    await look('bob', card);
    expect(cardText(rig.teams.card(card.activityId, 'bob'))).toContain('You approved it.');
    expect(offers(card, 'bob')).toEqual(['everything']);
    await press('alice', card, 'approve');
    await rig.bot.work();
    const data = await dataOf(card.id);
    expect(await look('carol', card)).toBeNull();
    // A client that has not heard of it yet still asks.
    expect((await look('carol', card, { force: true, data }))?.shown).toMatchObject({ kind: 'card' });
    expect([offers(card, 'carol'), cardText(rig.teams.card(card.activityId, 'carol'))]).toEqual([[], expect.stringContaining('Approved')]);
  });

  test('in a large conversation Teams is told whom to ask for: those who may decide, and nobody else', async () => {
    for (let nth = 0; nth < 80; nth++) rig.teams.addPerson({ key: `m${String(nth)}`, name: `Member ${String(nth)}`, email: `m${String(nth)}@example.com` });
    rig.teams.addConversation({ id: GROUP, type: 'groupChat' });
    const card = await posted();
    const refresh = Object(rig.teams.card(card.activityId)?.['refresh']);
    const idOf = async (name: TeamsName): Promise<unknown> => JSON.parse(String((await look(name, card, { force: true }))?.request.body)).from.id;
    expect(new Set(refresh['userIds'])).toEqual(new Set([await idOf('alice'), await idOf('bob')]));
    expect(await look('carol', card)).toBeNull();
    expect((await look('alice', card))?.shown.kind).toBe('card');
    expect(rig.warnings).toEqual([]);
  });

  test('a card is posted all the same where Teams does not say who is there', async () => {
    rig.teams.fail('getPagedMembers', 'server_error', { times: 9 });
    const card = await posted();
    expect([rig.teams.card(card.activityId)?.['refresh'], offers(card)]).toEqual([undefined, ['approve', 'deny', 'everything']]);
  });

  test('C5: a guest sees no buttons, and nobody gets the view of a request by another card, tenant or account without an id', async () => {
    rig.teams.changePerson('alice', { userPrincipalName: 'alice_elsewhere.example#EXT#@example.onmicrosoft.com' });
    const [card, other] = [await posted(), await posted()];
    await look('alice', card);
    expect(offers(card, 'alice')).toEqual(['everything']);
    const foreign = await look('bob', card, { data: await dataOf(other.id) });
    expect(foreign?.shown).toMatchObject({ kind: 'message', text: expect.stringContaining('does not belong') });
    const outside = await look('bob', card, { activity: { channelData: { tenant: { id: randomUUID() } } } });
    expect(outside?.shown).toMatchObject({ kind: 'message', text: expect.stringContaining('does not know this organisation') });
    await look('bob', card, { activity: { from: { id: '29:nobody', name: 'Nobody' }, channelData: { tenant: { id: TENANT_ID } } } });
    expect(offers(card, 'bob')).toEqual(['everything']);
  });
});

describe('the message extension', () => {
  test('lists what waits for the one who looks, from conversations too that the bot is not in; what is put into one says nothing of it', async () => {
    const { id } = await rig.world.open({
      reason: 'secret plans',
      resource: { type: 'postgres_table', id: 'prod.customers <b>', labels: { data_class: 'pii' } },
    });
    rig.teams.addConversation({ id: '19:elsewhere@thread.v2', type: 'groupChat', installed: false });
    const { shown } = await rig.teams.client.query('alice', '19:elsewhere@thread.v2');
    if (shown.kind !== 'list') throw new Error(JSON.stringify(shown));
    expect(shown.entries.map(({ title }) => title)).toEqual([expect.stringContaining('data.export')]);
    expect(shown.entries[0]?.title).not.toMatch(/[<>&]/);
    expect(JSON.stringify(shown.entries[0]?.card)).toContain(`/requests/${id}`);
    expect(cardText(shown.entries[0]?.card)).not.toMatch(/secret|customers|data\.export/);
  });

  test('finds by words, page by page, and says when nothing is left', async () => {
    for (let nth = 0; nth < 3; nth++) await rig.world.open();
    const listed = async (how: object) => (await rig.teams.client.query('alice', GROUP, how)).shown;
    expect(await listed({ search: 'DATA.EXPORT' })).toMatchObject({ kind: 'list', entries: [{}, {}, {}] });
    expect(await listed({ skip: 2 })).toMatchObject({ kind: 'list', entries: [{}] });
    expect(await listed({ skip: 3 })).toMatchObject({ kind: 'message' });
    expect(await listed({ search: 'no such thing' })).toMatchObject({ kind: 'message', text: 'Nothing that waits for you is called so.' });
    expect((await rig.teams.client.query('carol', GROUP)).shown).toEqual({ kind: 'message', text: 'Nothing waits for you.' });
  });

  test('C5: lists nothing to an account of nobody, of another tenant or without an id', async () => {
    await rig.world.open();
    const listed = async (who: string, activity: object = {}) => (await rig.teams.client.query(who, GROUP, { activity: { ...activity } })).shown.kind;
    expect(await listed('mallory')).toBe('message');
    expect(await listed('alice', { channelData: { tenant: { id: randomUUID() } } })).toBe('message');
    expect(await listed('alice', { from: { id: '29:x', name: 'X' } })).toBe('message');
    expect((await rig.teams.client.query('alice', GROUP, { forgery: 'no_token' })).status).toBe(401);
  });

  test('C5: lists nothing to an account that was linked by an address, once addresses do not count', async () => {
    await rig.world.open();
    const alice = await rig.world.store.directory.person(rig.world.tenant, rig.world.people.alice);
    if (alice === null) throw new Error('there is no alice');
    const links = createAccountLinks({
      ...{ tenant: rig.world.tenant, links: rig.world.store.chatLinks, publicUrl: 'http://localhost:8080', cooldownSeconds: 0 },
      ...rig.world.flow,
    });
    expect(await links.linkByEmail({ platform: 'teams', workspace: TENANT_ID, user: PEOPLE.mallory }, alice)).toBe('linked');
    await rig.restart({ linkMode: 'email' });
    expect((await rig.teams.client.query('mallory', GROUP)).shown.kind).toBe('list');
    await rig.restart({ linkMode: 'proof' });
    expect((await rig.teams.client.query('mallory', GROUP)).shown.kind).toBe('message');
    expect((await rig.teams.client.query('alice', GROUP)).shown.kind).toBe('list');
  });
});
