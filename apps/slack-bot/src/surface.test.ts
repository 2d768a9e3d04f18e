import { createHash } from 'node:crypto';
import { ask } from '@countersign/core/flow';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { visibleText } from '@countersign/dev-env/slack';
import { ACTIONS, actOf, MORE_ACTION, OPEN_WHOLE } from './buttons.js';
import { FILE_ACTION } from './modals.js';
import { createSlackWorld, MALLORY, type SlackWorld } from './testing/slack-world.js';

/* App Home, shortcuts, commands and actions at Slack. What each action does is shown by packages/chat. */

let made: SlackWorld;
let world: SlackWorld['world'];
let slack: SlackWorld['slack'];

beforeEach(async () => {
  made = await createSlackWorld();
  ({ world, slack } = made);
});
afterEach(() => made.close());

async function posted(submission = {}): Promise<{ id: string; ts: string }> {
  const { id } = await world.open(submission);
  await made.bot.work();
  return { id, ts: slack.messages('approvals').at(-1)?.ts ?? '' };
}
const decisions = async (id: string) => (await world.state(id)).decisions.map(({ person, verdict }) => `${person.email} ${verdict}`);
const homeText = (user: string) => visibleText(slack.home(user)?.blocks ?? []);
/** The home that this person sees once it holds these words. */
const homeWith = (user: string, words: string) =>
  slack.wire.until(() => (homeText(user).includes(words) ? slack.home(user) : undefined), `a home of ${user} with: ${words}`);
const viewWith = (user: string, words: string) =>
  slack.wire.until(() => slack.views(user).find(({ blocks }) => visibleText(blocks).includes(words)), `a modal of ${user} with: ${words}`);
const told = (user: string) => slack.wire.until(() => [...slack.ephemeral(user), ...slack.direct(user)].at(-1)?.text, `words for ${user}`);
const buttonsIn = (blocks: readonly object[]) =>
  [...JSON.stringify(blocks).matchAll(/"action_id":"(?<id>countersign_[a-z_0-9]+)"/g)].map(({ groups }) => groups?.['id']);

describe('App Home', () => {
  test('C3: it lists what waits for a person; the whole opens first, Approve stands at its end, and the home follows', async () => {
    const { id } = await world.open();
    await slack.client.openHome('U0ALICE');
    const home = await homeWith('U0ALICE', '1 request waits for you');
    expect(homeText('U0ALICE')).toContain('data.export');
    expect(buttonsIn(home.blocks)).not.toContain(actOf('approve'));
    await slack.client.press({ user: 'U0ALICE', viewId: home.id, actionId: OPEN_WHOLE });
    const whole = await viewWith('U0ALICE', `Request: ${id}`);
    expect(await decisions(id)).toEqual([]);
    await slack.client.press({ user: 'U0ALICE', viewId: whole.id, actionId: actOf('approve') });
    expect(await made.saidIn('U0ALICE')).toContain('You approved it');
    expect(await decisions(id)).toEqual(['alice@example.com approve']);
    await homeWith('U0ALICE', 'Nothing waits for you');
    expect(homeText('U0ALICE')).toContain('You approved');
  });

  test('C4: to who stands behind a request, it is nothing that waits; C5: nobody’s account gets its link and nothing else', async () => {
    await world.open();
    await slack.client.openHome('U0DANA');
    await homeWith('U0DANA', 'Nothing waits for you');
    await slack.client.openHome(MALLORY);
    const home = await homeWith(MALLORY, 'belongs to nobody in the directory');
    expect(homeText(MALLORY)).not.toContain('data.export');
    expect(JSON.stringify(home.blocks)).toContain('Link this account');
  });

  test('a request that is not for its presser to see is not shown, whatever the button says', async () => {
    const { id } = await world.open({ reason: 'a secret reason' });
    const { request_digest } = (await world.state(id)).request;
    await slack.client.openHome('U0CAROL');
    const home = await homeWith('U0CAROL', 'waits for you');
    const value = JSON.stringify({ request_id: id, request_digest });
    for (const actionId of [OPEN_WHOLE, actOf('approve'), actOf('ask')]) {
      await slack.client.press({ user: 'U0CAROL', viewId: home.id, actionId, value });
      expect(await made.saidIn('U0CAROL')).not.toContain('secret');
      await slack.client.closeView('U0CAROL');
    }
    expect(await decisions(id)).toEqual([]);
  });

  test('many requests are counted, and no home is refused for its size', async () => {
    for (let index = 0; index < 24; index++) await world.open({ reason: '😀'.repeat(700), parameters: { statement: '<!channel> '.repeat(300) } });
    await slack.client.openHome('U0ALICE');
    await homeWith('U0ALICE', '24 requests wait for you');
    expect(homeText('U0ALICE')).toMatch(/and \d+ more, in the web inbox/);
    expect(made.warnings).toEqual([]);
  });
});

describe('shortcuts', () => {
  test('“What waits for me” shows what the home shows, and opens the whole from there', async () => {
    const { id } = await world.open();
    await slack.client.shortcut({ user: 'U0BOB', callbackId: 'countersign_waiting' });
    const view = await viewWith('U0BOB', '1 request waits for you');
    await slack.client.press({ user: 'U0BOB', viewId: view.id, actionId: OPEN_WHOLE });
    const whole = await viewWith('U0BOB', `Request: ${id}`);
    await slack.client.press({ user: 'U0BOB', viewId: whole.id, actionId: actOf('deny') });
    await made.form('U0BOB');
    await slack.client.submit({ user: 'U0BOB', values: { reason: 'not now' } });
    expect(await told('U0BOB')).toContain('You denied it');
    expect((await world.state(id)).decisions).toMatchObject([{ verdict: 'deny', reason: 'not now', via: 'slack' }]);
  });

  test('“Show the whole request” of a card shows its request; of a stranger’s message nothing', async () => {
    const { id, ts } = await posted();
    await slack.client.shortcut({ user: 'U0CAROL', callbackId: 'countersign_whole', channel: 'approvals', ts });
    await viewWith('U0CAROL', `Request: ${id}`);
    const strange = slack.sayAs('U0BOB', 'approvals', 'look').ts;
    await slack.client.shortcut({ user: 'U0CAROL', callbackId: 'countersign_whole', channel: 'approvals', ts: strange });
    await viewWith('U0CAROL', 'not about a request of Countersign');
  });
});

describe('commands', () => {
  const command = (user: string, text: string) => slack.client.command({ user, channel: 'approvals', command: '/countersign', text });

  test('“waiting” answers what waits, with a button that opens it', async () => {
    const { id } = await world.open();
    await command('U0ALICE', 'waiting');
    expect(await told('U0ALICE')).toContain('1 request waits for you');
    const [said] = slack.ephemeral('U0ALICE');
    await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts: said?.ts ?? '', actionId: OPEN_WHOLE });
    await viewWith('U0ALICE', `Request: ${id}`);
  });

  test('“away” takes a mention for who stands in, and the reader’s own time zone for when', async () => {
    slack.changeUser('U0ALICE', { tz: 'Pacific/Kiritimati' });
    await command('U0ALICE', 'away until tomorrow 09:00, <@U0BOB|bob> stands in');
    const answer = await told('U0ALICE');
    expect(answer).toContain('Bob');
    const [delegation] = await world.store.delegations.list(world.tenant, world.people.alice);
    // 09:00 at UTC+14 is 19:00 UTC of the day before.
    expect([delegation?.delegate_id, delegation?.until.slice(11, 16)]).toEqual([world.people.bob, '19:00']);
    await command('U0ALICE', 'back');
    await slack.wire.until(() => slack.ephemeral('U0ALICE').length === 2, 'the second answer');
    expect((await world.store.delegations.list(world.tenant, world.people.alice)).filter(({ state }) => state === 'in_force')).toEqual([]);
  });

  test('A6: a command that was done in another process is not done again', async () => {
    const first = await command('U0ALICE', 'away until tomorrow, bob@example.com stands in');
    await told('U0ALICE');
    await command('U0ALICE', 'back');
    await slack.wire.until(() => slack.ephemeral('U0ALICE').length === 2, 'the second answer');
    // Another process knows nothing of what this one took.
    await made.restart();
    await slack.client.replay(first);
    await slack.wire.until(() => slack.ephemeral('U0ALICE').length === 3, 'the third answer');
    expect(slack.ephemeral('U0ALICE').at(-1)?.text).toContain('is not done again');
    expect((await world.store.delegations.list(world.tenant, world.people.alice)).filter(({ state }) => state === 'in_force')).toEqual([]);
  });
});

describe('actions on a card', () => {
  const questions = async (id: string) => (await world.state(id)).questions.map(({ text }) => text);

  test('C3: a question is asked in a form, is part of the record, and a second sending of the same form asks nothing', async () => {
    const { id, ts } = await posted();
    await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: actOf('ask') });
    const form = await made.form('U0ALICE');
    const [block] = form.blocks.filter(({ type }) => type === 'input');
    // What must be filled in and is not is said at once, beside the field.
    const empty = await slack.client.submit({ user: 'U0ALICE', values: { [String(block?.['block_id'])]: '   ' } });
    expect(empty.formErrors).toEqual({ [String(block?.['block_id'])]: 'Fill this in.' });
    const sent = await slack.client.submit({ user: 'U0ALICE', values: { [String(block?.['block_id'])]: 'Why <!channel> 48,211 rows?' } });
    await told('U0ALICE');
    expect(await questions(id)).toEqual(['Why <!channel> 48,211 rows?']);
    await slack.client.replay(sent);
    // A press after it: what the replay did, it did before.
    await slack.client.press({ user: 'U0CAROL', channel: 'approvals', ts, actionId: ACTIONS.approve });
    await told('U0CAROL');
    expect(await questions(id)).toEqual(['Why <!channel> 48,211 rows?']);
  });

  test('C4: a menu’s choice is about its own card: another request’s block on this card does nothing', async () => {
    const one = await posted();
    const other = await posted();
    const { request_digest } = (await world.state(other.id)).request;
    const press = { user: 'U0ALICE', channel: 'approvals', ts: one.ts, actionId: MORE_ACTION, option: actOf('not_me') };
    await slack.client.press({ ...press, blockId: `countersign|${other.id}|${request_digest}` });
    expect(await made.saidIn('U0ALICE')).toContain('does not belong to this message');
    await slack.client.closeView('U0ALICE');
    for (const blockId of ['countersign', 'x|y|z', '']) await slack.client.press({ ...press, blockId });
    await slack.client.press({ ...press, option: 'countersign_act_everything_0' });
    await slack.client.press(press);
    await slack.wire.until(() => slack.views('U0ALICE').some(({ blocks }) => !visibleText(blocks).includes('Loading')), 'its own choice');
    expect(made.warnings).toEqual([]);
  });

  test('a modal that was closed before its form came is no fault', async () => {
    const { ts } = await posted();
    const release = made.hold();
    await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.deny });
    await viewWith('U0ALICE', 'Loading');
    await slack.client.closeView('U0ALICE');
    release();
    await slack.wire.until(() => slack.wire.traffic.some(({ request }) => request.name === 'views.update'), 'the form that comes too late');
    expect([slack.ephemeral('U0ALICE'), made.warnings]).toEqual([[], []]);
  });
});

describe('buttons of messages that are no cards', () => {
  test('C3, C4: a question is answered where it was told; with another request’s value, or a second time, it is not', async () => {
    const { id } = await posted();
    const other = await posted();
    await ask(world.flow, { tenant: world.tenant, person_id: world.people.bob }, id, 'Which rows?');
    for (let run = 0; run < 5 && slack.direct('U0DANA').length === 0; run++) {
      await world.hurry();
      await made.bot.work();
      made.pass(60);
    }
    const question = slack.direct('U0DANA').at(-1);
    const [actionId = ''] = buttonsIn(question?.blocks ?? []);
    expect(actionId).toContain('countersign_act_answer');
    const press = { user: 'U0DANA', channel: question?.channel ?? '', ts: question?.ts ?? '', actionId };
    const { request_digest } = (await world.state(other.id)).request;
    await slack.client.press({ ...press, value: JSON.stringify({ request_id: other.id, request_digest }) });
    expect(await made.saidIn('U0DANA')).toContain('does not belong');
    const answer = async (text: string) => {
      await slack.client.press(press);
      const form = await made.form('U0DANA');
      const field = form.blocks.find(({ type }) => type === 'input');
      await slack.client.submit({ user: 'U0DANA', values: { [String(field?.['block_id'])]: text } });
    };
    await slack.client.closeView('U0DANA');
    await answer('All of them');
    await slack.wire.until(() => slack.direct('U0DANA').length + slack.ephemeral('U0DANA').length > 1, 'what came of it');
    expect((await world.state(id)).questions).toMatchObject([{ text: 'Which rows?', answer: { text: 'All of them' } }]);
    await slack.client.press(press);
    await slack.wire.until(() => slack.views('U0DANA').some(({ blocks }) => !visibleText(blocks).includes('Loading')), 'what the old button leads to');
    expect((await world.state(id)).questions).toHaveLength(1);
  });
});

describe('a very large request', () => {
  const LARGE = { parameters: { statements: Array.from({ length: 90 }, (_, index) => `${String(index)} <!channel> 😀 ${'x'.repeat(900)}`) } };
  /** Turns all pages, and answers what they hold together. */
  async function readAll(user: string): Promise<string> {
    for (let read = '', page = 1; ; page++) {
      const view = await viewWith(user, `Page ${String(page)} of`);
      for (const block of view.blocks.slice(1)) if (block['type'] === 'rich_text') read += visibleText([block]);
      if (!JSON.stringify(view.blocks).includes('Next page')) return read;
      await slack.client.press({ user, viewId: view.id, actionId: 'countersign_page_next' });
    }
  }

  test('9.2.2: is put into the thread of its card as a file on demand, once, and its bytes are those of the pages', async () => {
    const { id, ts } = await posted(LARGE);
    await slack.client.press({ user: 'U0CAROL', channel: 'approvals', ts, actionId: ACTIONS.everything });
    const whole = await readAll('U0CAROL');
    const [view] = slack.views('U0CAROL');
    expect(JSON.stringify(view?.blocks)).toContain(`"url":"http://localhost:8080/requests/${id}"`);
    await slack.client.press({ user: 'U0CAROL', viewId: view?.id ?? '', actionId: FILE_ACTION });
    const said = await made.saidIn('U0CAROL');
    const [file] = slack.files();
    expect(file?.content?.toString('utf8')).toBe(whole);
    const digest = `sha256:${createHash('sha256').update(whole, 'utf8').digest('hex')}`;
    expect(said).toContain(digest);
    const message = slack.messages('approvals').find(({ files }) => files !== undefined);
    expect([message?.thread_ts, message?.text.includes(digest)]).toEqual([ts, true]);
    await slack.client.press({ user: 'U0BOB', channel: 'approvals', ts, actionId: ACTIONS.everything });
    const again = await viewWith('U0BOB', 'Page 1 of');
    await slack.client.press({ user: 'U0BOB', viewId: again.id, actionId: FILE_ACTION });
    expect(await made.saidIn('U0BOB')).toContain('already');
    expect(slack.messages('approvals').filter(({ files }) => files !== undefined)).toHaveLength(1);
  });

  test('a file is put into no thread but that of its own card, and no app without the right to is told otherwise', async () => {
    const { ts } = await posted(LARGE);
    const other = await posted();
    await slack.client.press({ user: 'U0CAROL', channel: 'approvals', ts, actionId: ACTIONS.everything });
    const view = await viewWith('U0CAROL', 'Page 1 of');
    const { request_digest } = (await world.state(other.id)).request;
    const value = JSON.stringify({ request_id: other.id, request_digest });
    await slack.client.press({ user: 'U0CAROL', viewId: view.id, actionId: FILE_ACTION, value });
    expect(await made.saidIn('U0CAROL')).toContain('does not belong');
    slack.refuse('files.getUploadURLExternal', { error: 'missing_scope', needed: 'files:write' });
    await slack.client.press({ user: 'U0CAROL', channel: 'approvals', ts, actionId: ACTIONS.everything });
    const next = await viewWith('U0CAROL', 'Page 1 of');
    await slack.client.press({ user: 'U0CAROL', viewId: next.id, actionId: FILE_ACTION });
    expect(await made.saidIn('U0CAROL')).toContain('files:write');
    expect(slack.messages('approvals').filter(({ files }) => files !== undefined)).toEqual([]);
  });
});

describe('while the database does not answer', () => {
  test.each([
    ['Approve', (ts: string) => slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.approve })],
    ['Deny', (ts: string) => slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.deny })],
    ['Show everything', (ts: string) => slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.everything })],
    ['a menu', (ts: string) => slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: MORE_ACTION, option: actOf('snooze') })],
    ['a command', () => slack.client.command({ user: 'U0ALICE', channel: 'approvals', command: '/countersign', text: 'waiting' })],
    ['a shortcut', () => slack.client.shortcut({ user: 'U0ALICE', callbackId: 'countersign_waiting' })],
    ['the home', () => slack.client.openHome('U0ALICE')],
  ])('C3: %s is acknowledged before any call of the store ends', async (_what, interact) => {
    const { ts } = await posted();
    const release = made.hold();
    const { status } = await interact(ts);
    expect([status, made.heldEnded()]).toEqual([200, 0]);
    release();
  });

  test('C3: a form is acknowledged too, and its person is told that it is worked on, then what came of it', async () => {
    await made.restart({ workingAfterMs: 0 });
    const { id, ts } = await posted();
    await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts, actionId: ACTIONS.deny });
    await made.form('U0ALICE');
    const release = made.hold();
    const { status } = await slack.client.submit({ user: 'U0ALICE', values: { reason: 'no' } });
    expect([status, made.heldEnded(), slack.views('U0ALICE')]).toEqual([200, 0, []]);
    await slack.wire.until(() => slack.ephemeral('U0ALICE').length === 1, 'that it is worked on');
    expect(slack.ephemeral('U0ALICE').at(-1)?.text).toContain('Nothing is decided until it is said here');
    expect(await decisions(id)).toEqual([]);
    release();
    await slack.wire.until(() => slack.ephemeral('U0ALICE').length === 2, 'what came of it');
    expect(slack.ephemeral('U0ALICE').at(-1)?.text).toContain('You denied it');
  });
});

describe('who reads all of a request', () => {
  test('C5: a page button that names another request shows nothing of it to whom may not read it', async () => {
    const { ts } = await posted();
    const other = await world.open({ reason: 'plans of nobody else' });
    await slack.client.press({ user: 'U0CAROL', channel: 'approvals', ts, actionId: ACTIONS.everything });
    const view = await viewWith('U0CAROL', 'Page 1 of');
    const value = JSON.stringify({ request_id: other.id, page: 0 });
    await slack.client.press({ user: 'U0CAROL', viewId: view.id, actionId: 'countersign_page_next', value });
    await viewWith('U0CAROL', 'not for you to see');
    expect(JSON.stringify(slack.views('U0CAROL'))).not.toContain('plans of nobody else');
  });

  test.each([
    ['a guest', { is_restricted: true }, 'Guests'],
    ['a stranger of a channel that was shared since', { is_stranger: true }, 'another organisation'],
  ])('C5: %s reads what the card shows, and gets no more of it in private', async (_what, account, words) => {
    const { id, ts } = await posted();
    slack.changeUser('U0CAROL', account);
    await slack.client.press({ user: 'U0CAROL', channel: 'approvals', ts, actionId: ACTIONS.everything });
    await viewWith('U0CAROL', words);
    expect(JSON.stringify(slack.views('U0CAROL'))).not.toContain(`Request: ${id}`);
    await slack.client.shortcut({ user: 'U0CAROL', callbackId: 'countersign_whole', channel: 'approvals', ts });
    await viewWith('U0CAROL', words);
    expect(JSON.stringify(slack.views('U0CAROL'))).not.toContain(`Request: ${id}`);
  });
});
