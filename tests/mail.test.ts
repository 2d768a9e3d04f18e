import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fireTimer } from '@countersign/core/flow';
import type { ReceivedMail } from '@countersign/dev-env/mail';
import { createMailWorld, linksOf, mailTheOwners, type MailWorld, shownText, tokenOf } from './support/mail-harness.js';

/* Mail as the third channel: who gets it, what it is on the wire, and what happens when the server is in trouble. The suite that every channel passes is mail-conformance.test.ts. */

const ALICE = 'alice@example.com';
const BOB = 'bob@example.com';
const DANA = 'dana@example.com';
let world: MailWorld;
afterEach(() => world.close());

const about = (address: string): ReceivedMail[] => world.server.to(address);
const only = (mails: ReceivedMail[]): ReceivedMail => {
  const [mail] = mails;
  if (mail === undefined || mails.length > 1) throw new Error(`${String(mails.length)} mails: ${mails.map(({ parsed }) => parsed.subject).join('; ')}`);
  return mail;
};
const later = async (): Promise<void> => {
  await world.api.sql('UPDATE card_tasks SET due_at = now(); UPDATE notice_tasks SET due_at = now()');
  await world.bot.work();
};
const statusOf = async (id: string) => (await world.api.store.requests.state('default', id))?.request.status;

describe('on the wire', () => {
  beforeEach(async () => {
    world = await createMailWorld();
  });

  test('C2: a mail has two parts that say the same, goes by TLS to one person, and asks no robot for an answer', async () => {
    const { id } = await world.api.pending();
    await world.bot.work();
    const { raw, parsed, to, from, secure } = only(about(ALICE));
    expect({ to, from, secure }).toEqual({ to: [ALICE], from: 'approvals@example.com', secure: true });
    expect(parsed.subject).toMatch(/^Approval needed: retrainer \(agent\), on behalf of Dana Example, asks to run data\.export/);
    expect(parsed.headers.get('auto-submitted')).toBe('auto-generated');
    for (const absent of ['reply-to', 'list-unsubscribe', 'bcc', 'cc', 'x-mailer'])
      expect({ absent, value: parsed.headers.get(absent) }).toEqual({ absent, value: undefined });
    expect(parsed.attachments).toEqual([]);
    expect(raw).toMatch(/^Content-Type: multipart\/alternative/m);
    const html = shownText(only(about(ALICE)));
    for (const part of [html, parsed.text ?? '']) {
      for (const said of [
        'data.export',
        'prod.customers',
        '48211',
        's3://ml-retraining/customers.csv',
        'Retraining set for churn model v7',
        'customer-data',
        '1 of data-owners',
        'Decide before',
        id,
      ])
        expect(part).toContain(said);
    }
  });

  test('only one address of a mail can be followed: ours, to the request, in both parts the same', async () => {
    await world.api.pending({ reason: 'See https://evil.example/x', context: { links: [{ title: 'https://bank.example/', url: 'https://аpple.com/login' }] } });
    await world.bot.work();
    const mail = only(about(ALICE));
    const [link, ...rest] = linksOf(mail);
    expect(rest).toEqual([]);
    expect(link).toMatchObject({ text: 'Open the request', url: expect.stringMatching(new RegExp(`^${world.api.url}/m#[A-Za-z0-9_-]{107}$`)) });
    expect(mail.parsed.text).toContain(link?.url);
    // No address of others stands in the text part as one that programs make links of.
    expect((mail.parsed.text ?? '').match(/https?:\/\/\S+/g)).toEqual([link?.url]);
    expect(mail.parsed.text).toContain('https[:]//xn--pple-43d[.]com/login');
    expect(shownText(mail)).toContain('https://xn--pple-43d.com/login (leads to xn--pple-43d.com)');
    expect(mail.parsed.html).not.toMatch(/>[^<]*(?:https?:\/\/|www\.|\w@\w|evil\.example)[^<]*</);
  });

  test('a request cannot write a header: line breaks in every text of it stay text', async () => {
    const evil = 'x\r\nBcc: eve@evil.example\r\nX-Evil: 1\r\n\r\n<h1>Approved</h1>';
    await world.api.pending({
      action: 'data.export',
      resource: { type: 'postgres_table', id: `prod.customers`, labels: { data_class: 'pii', note: evil } },
      reason: evil,
      purpose: evil,
    });
    await world.api.submit({ resource: { type: 's3_object', id: evil, labels: { data_class: 'pii' } }, reason: evil });
    await world.bot.work();
    expect(about(ALICE)).toHaveLength(2);
    for (const { parsed, raw, to } of world.server.mails) {
      expect(to).toHaveLength(1);
      expect([...parsed.headers.keys()]).not.toContain('x-evil');
      expect(parsed.bcc).toBeUndefined();
      expect(parsed.subject?.length).toBeLessThanOrEqual(150);
      expect(parsed.subject).not.toMatch(/[\r\n]/);
      expect(raw.slice(0, raw.indexOf('\r\n\r\n'))).not.toContain('evil.example\r\n');
      expect(parsed.html).not.toContain('<h1>Approved');
    }
  });

  test('C1: the outcome comes in the thread of the first mail; nothing is sent while the request waits, and nothing once it is used', async () => {
    const request = (await world.api.submit({ action: 'iam.role.grant', resource: { type: 'role', id: 'admin' }, parameters: { to: 'svc-7' } })).json;
    await world.bot.work();
    const first = only(about(ALICE));
    await world.api.decide(world.api.tokens.carol, request, 'approve');
    await later();
    expect(about(ALICE)).toHaveLength(1);
    await world.api.decide(world.api.tokens.alice, request, 'approve');
    await later();
    const [, outcome, ...rest] = about(ALICE);
    expect(rest).toEqual([]);
    expect(outcome?.parsed).toMatchObject({
      inReplyTo: first.parsed.messageId,
      references: first.parsed.messageId,
      subject: expect.stringMatching(/^Approved: /),
    });
    expect(outcome?.parsed.messageId).not.toBe(first.parsed.messageId);
    // Its link is the page's own: there is nothing to decide.
    expect(outcome === undefined ? [] : linksOf(outcome).map(({ url }) => url)).toEqual([`${world.api.url}/requests/${request.id}`]);
    const { grant } = (await world.api.call('POST', `/v1/action-requests/${request.id}/grant`, { as: world.api.key, body: {} })).json;
    expect(grant).toBeDefined();
    await later();
    expect(about(ALICE)).toHaveLength(2);
    await world.api.call('POST', `/v1/action-requests/${request.id}/revoke`, { as: world.api.tokens.alice, body: {} });
    await later();
    expect(about(ALICE).map(({ parsed }) => parsed.subject?.split(':')[0])).toEqual(['Approval needed', 'Approved', 'Revoked']);
  });

  test('a mail whose answer was lost is sent again as the very same mail: one Message-ID, one link, which works once', async () => {
    world.server.loseAnswer(2);
    const request = await world.api.pending();
    await world.bot.work();
    // Each round one answer is lost at least, while there are any to lose.
    for (let round = 0; round < 3; round++) await later();
    const copies = about(ALICE);
    expect(copies.length).toBeGreaterThan(1);
    expect(new Set(copies.map(({ parsed }) => parsed.messageId)).size).toBe(1);
    expect(new Set(copies.map(tokenOf)).size).toBe(1);
    const open = () =>
      world.api.call('POST', '/v1/mail-links/open', {
        body: { token: tokenOf(copies[0] ?? only([])) },
        headers: { cookie: world.sessions.get('alice') ?? '', origin: world.api.url },
      });
    expect((await open()).json).toMatchObject({ action_request: request.id });
    expect((await open()).status).toBe(410);
    await later();
    expect(about(ALICE)).toHaveLength(copies.length);
  });

  test('E1: each mail is an entry of the record: that it was sent, that its link was opened, that the request closed', async () => {
    const request = await world.api.pending();
    await world.bot.work();
    const token = tokenOf(only(about(ALICE)));
    await world.api.call('POST', '/v1/mail-links/open', { body: { token }, headers: { cookie: world.sessions.get('alice') ?? '', origin: world.api.url } });
    await world.api.decide(world.api.tokens.bob, request, 'deny');
    await later();
    const events = (await world.api.store.requests.timeline('default', request.id)).map(({ event }) => event);
    expect(events.filter((event) => event === 'card.posted')).toHaveLength(2);
    expect(events.filter((event) => event === 'card.closed')).toHaveLength(2);
    expect(events).toContain('mail.opened');
  });
});

describe('who is mailed', () => {
  const channels = (list: string) => (text: string) => text.replace('  ttl: 5m', `  channels: ${list}\n  ttl: 5m`);
  const mailed = async (members: object = {}) => {
    await world.api.submit(members);
    await world.bot.work();
    return world.server.mails.flatMap(({ to }) => to).toSorted();
  };
  const withSlack = async (name: 'alice' | 'bob') => {
    await world.api.store.cards.connect('default', 'slack');
    await world.api.store.directory.link('default', { platform: 'slack', workspace: 'T1', user: `U${name}` }, world.api.people[name].id, 'administrator');
  };

  test('C4: of a group that policy mails, who is asked and does not stand behind the request', async () => {
    world = await createMailWorld(mailTheOwners);
    await withSlack('alice');
    expect(await mailed({ actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: BOB } } })).toEqual([ALICE]);
  });

  test('of a group that policy tells directly, who has no chat account', async () => {
    world = await createMailWorld(channels('[{ direct: data-owners }]'));
    await withSlack('alice');
    expect(await mailed()).toEqual([BOB]);
  });

  test('a person that policy names', async () => {
    world = await createMailWorld(channels('[{ person: bob@example.com }]'));
    expect(await mailed()).toEqual([BOB]);
  });

  test('where policy names nobody, everybody who is asked while mail is the only channel, and nobody beside a chat', async () => {
    world = await createMailWorld((text) => text);
    expect(await mailed()).toEqual([ALICE, BOB]);
    await world.api.store.cards.connect('default', 'slack');
    expect(await mailed()).toEqual([ALICE, BOB]);
  });

  test('who left the directory before the mail went out gets none, and nobody else waits for it', async () => {
    world = await createMailWorld();
    await world.api.submit();
    await world.api.sql(`UPDATE directory_people SET active = false WHERE email = '${ALICE}'`);
    await world.bot.work();
    expect(world.server.mails.flatMap(({ to }) => to)).toEqual([BOB]);
  });
});

describe('what people are told besides', () => {
  beforeEach(async () => {
    world = await createMailWorld();
  });

  test('C6: a question reaches the person behind the request, and its answer the asker, in the thread of their mail', async () => {
    const request = await world.api.pending();
    await world.bot.work();
    const asked = await world.api.call('POST', `/v1/action-requests/${request.id}/questions`, {
      as: world.api.tokens.alice,
      body: { text: 'Why the whole table? See https://evil.example/' },
    });
    expect(asked.status).toBe(201);
    await later();
    const question = only(about(DANA));
    expect(question.parsed.subject).toMatch(/question/i);
    expect(shownText(question)).toContain('Why the whole table?');
    expect(linksOf(question).map(({ text }) => text)).toEqual(['Open the request']);
    await world.api.call('POST', `/v1/action-requests/${request.id}/questions/${asked.json.id}/answers`, {
      as: world.api.tokens.dana,
      body: { text: 'The model needs every region' },
    });
    await later();
    const answer = about(ALICE).find(({ parsed }) => /answer/i.test(parsed.subject ?? ''));
    expect(answer?.parsed.inReplyTo).toBe(about(ALICE)[0]?.parsed.messageId);
    expect(answer === undefined ? '' : shownText(answer)).toContain('The model needs every region');
    expect(world.warnings).toEqual([]);
  });

  test('the link of such a mail opens the request, once, for its person', async () => {
    const request = await world.api.pending();
    await world.bot.work();
    await world.api.call('POST', `/v1/action-requests/${request.id}/questions`, { as: world.api.tokens.alice, body: { text: 'Why?' } });
    await later();
    const token = tokenOf(only(about(DANA)));
    const open = (who: string) =>
      world.api.call('POST', '/v1/mail-links/open', { body: { token }, headers: { cookie: world.sessions.get(who) ?? '', origin: world.api.url } });
    expect([(await open('alice')).status, (await open('dana')).status, (await open('dana')).status]).toEqual([410, 200, 410]);
  });

  test('the end of a request is told once to who had its mail, and to the person behind it', async () => {
    const request = await world.api.pending();
    await world.bot.work();
    await world.api.decide(world.api.tokens.bob, request, 'deny', 'Too wide');
    await later();
    await later();
    expect(about(ALICE).map(({ parsed }) => parsed.subject?.split(':')[0])).toEqual(['Approval needed', 'Denied']);
    const told = about(DANA);
    expect(told.length).toBeLessThanOrEqual(1);
    for (const mail of told) expect(linksOf(mail).map(({ url }) => url)).toEqual([`${world.api.url}/requests/${request.id}`]);
  });
});

describe('what comes by itself, and what is loud', () => {
  const RULES = `
  - id: restart
    effect: require
    actions: [ops.restart]
    break_glass: { group: security, review_by: data-owners, review_within: 1h }
    require:
      channels: [{ email: data-owners }]
      stages:
        - all: [{ group: data-owners, quorum: 1, escalate: [{ after: 30m, to: security }] }]
      timeout: { after: 4h, reminders: [15m] }
      delegation: { within: anyone, max_duration: 14d }
`;
  beforeEach(async () => {
    world = await createMailWorld((text) => text.replace('\nrules:\n', `\nrules:${RULES}\n`));
  });
  const ask = async () => (await world.api.submit({ action: 'ops.restart', resource: { type: 'service', id: 'billing' } })).json;
  /** The time comes for what waits until then. */
  async function elapse(kind: string): Promise<void> {
    const { api } = world;
    await api.sql(
      `UPDATE action_requests SET created_at = created_at - interval '31 minutes'; UPDATE timers SET due_at = now() - interval '1 second' WHERE kind = '${kind}'`,
    );
    for (const timer of await api.store.timers.due(50)) await fireTimer({ ...api.flow, timers: api.store.timers }, timer);
    await later();
  }
  const titles = (address: string) => about(address).map(({ parsed }) => (parsed.subject ?? '').split(':')[0]);

  test('C6: a reminder comes in the thread of the first mail, with a link of its own; nobody else gets it', async () => {
    const { id } = await ask();
    await world.bot.work();
    await elapse('reminder');
    const [first, reminder, ...rest] = about(ALICE);
    expect(rest).toEqual([]);
    expect(reminder?.parsed).toMatchObject({ inReplyTo: first?.parsed.messageId, subject: expect.stringMatching(/^Still waiting/) });
    const [one, two] = [first, reminder].map((mail) => (mail === undefined ? null : tokenOf(mail)));
    expect(two).not.toBe(one);
    const open = (token: string | null | undefined) =>
      world.api.call('POST', '/v1/mail-links/open', { body: { token }, headers: { cookie: world.sessions.get('alice') ?? '', origin: world.api.url } });
    // Whichever of them is pressed first, and the other one after it.
    expect([(await open(two)).json.action_request, (await open(one)).json.action_request]).toEqual([id, id]);
    expect(about(DANA)).toEqual([]);
  });

  test('C6: an escalation mails those who may decide from then on', async () => {
    await ask();
    await world.bot.work();
    expect(about('carol@example.com')).toEqual([]);
    await elapse('escalation');
    expect(titles('carol@example.com')).toContain('Approval needed');
  });

  test('C6: a broken glass is told loudly, and its review is asked for, by mail', async () => {
    const { id, request_digest } = await ask();
    await world.bot.work();
    const broken = await world.api.call('POST', `/v1/action-requests/${id}/decisions`, {
      as: world.api.tokens.carol,
      body: { verdict: 'approve', request_digest, break_glass: true, reason: 'It burns' },
    });
    expect(broken.status).toBe(201);
    await later();
    const told = about(ALICE).find(({ parsed }) => parsed.subject?.startsWith('Somebody broke the glass') === true);
    expect(told === undefined ? '' : shownText(told)).toContain('It burns');
    // There is nothing to decide any more: the page's own address.
    expect(told === undefined ? [] : linksOf(told).map(({ url }) => url)).toEqual([`${world.api.url}/requests/${id}`]);
    await elapse('review_overdue');
    expect(titles(ALICE)).toContain('A review is overdue');
  });

  test('C6: who stands in for somebody is told by mail, and is mailed what the absent one would be', async () => {
    const named = await world.api.call('POST', '/v1/delegations', {
      as: world.api.tokens.alice,
      body: { delegate: 'carol@example.com', until: new Date(Date.now() + 86_400_000).toISOString() },
    });
    expect(named.status).toBe(201);
    await later();
    expect(shownText(only(about('carol@example.com')))).toMatch(/Alice Example/);
    await ask();
    await world.bot.work();
    expect(titles('carol@example.com')).toContain('Approval needed');
  });
});

describe('a server in trouble', () => {
  beforeEach(async () => {
    world = await createMailWorld();
  });

  test('A5: one that asks to be tried later gets the mail later, once', async () => {
    world.server.refuse('RCPT TO', 451, '4.7.1 Greylisted, try again in a minute', { times: 2 });
    const { id } = await world.api.pending();
    await world.bot.work();
    expect(world.server.mails).toEqual([]);
    expect(world.warnings.join()).toContain('asks to try later');
    await later();
    await later();
    expect([about(ALICE).length, about(BOB).length]).toEqual([1, 1]);
    expect(await statusOf(id)).toBe('pending');
  });

  test('a recipient whom it refuses for good is not tried again and again; the others are mailed, and an operator learns why', async () => {
    world.server.refuse('RCPT TO', 550, '5.1.1 No such user here', { address: ALICE, times: 100 });
    const { id } = await world.api.pending();
    await world.bot.work();
    await later();
    await later();
    expect([about(ALICE).length, about(BOB).length]).toEqual([0, 1]);
    expect(world.server.refused).toBe(1);
    expect(world.warnings.join()).toMatch(/alice@example\.com.*No such user here/);
    expect(await statusOf(id)).toBe('pending');
    // It is mended, and the hour is over.
    world.server.heal();
    await world.api.sql("UPDATE mails SET refused_at = refused_at - interval '2 hours'");
    await world.api.pending();
    const again = world.createBot();
    await world.api.sql('UPDATE card_tasks SET due_at = now()');
    await again.work();
    expect(about(ALICE)).toHaveLength(2);
  });

  test('A5: one that refuses our password or sender gets nothing from us, and nothing is lost', async () => {
    for (const [at, code, words] of [
      ['AUTH', 535, '5.7.8 Bad credentials'],
      ['MAIL FROM', 553, '5.7.1 Sender not allowed'],
      ['DATA', 554, '5.7.1 Looks like spam'],
    ] as const)
      world.server.refuse(at, code, words, { times: 100 });
    const { id } = await world.api.pending();
    await world.bot.work();
    expect(world.server.mails).toEqual([]);
    expect(world.warnings.join()).toContain('Bad credentials');
    // The password is nowhere in what is logged.
    expect(world.warnings.join()).not.toMatch(/p@ss|p%40ss/);
    world.server.heal();
    await later();
    const again = world.createBot();
    await world.api.sql('UPDATE card_tasks SET due_at = now()');
    await again.work();
    expect([about(ALICE).length, about(BOB).length]).toEqual([1, 1]);
    expect(await statusOf(id)).toBe('pending');
  });

  test('A5: one that is away for an hour delays mails and loses none; what was settled meanwhile is put before nobody', async () => {
    await world.server.down();
    const [waits, settled] = [await world.api.pending(), await world.api.pending()];
    for (let round = 0; round < 3; round++) await later();
    await world.api.decide(world.api.tokens.alice, settled, 'deny');
    await later();
    await world.server.up();
    await later();
    expect(about(ALICE).map(({ parsed }) => String(parsed.html).includes(waits.id))).toEqual([true]);
    expect(await statusOf(waits.id)).toBe('pending');
  });
});
