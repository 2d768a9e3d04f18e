import { createChatWorld } from '@countersign/chat';
import type { PersonName, PlatformHarness, PressAnswer } from '@countersign/chat/conformance';
import { cardPage } from '@countersign/console/testing';
import type { Card, Verdict } from '@countersign/contracts';
import { recordedCards } from '@countersign/core/flow';
import { type MailServer, type ReceivedMail, startMailServer } from '@countersign/dev-env/mail';
import { type ApiWorld, createApiWorld } from '@countersign/intake/testing';
import { conformanceWorld } from './conformance-world.js';
import { createMail, type MailBot } from '@countersign/mail';
import { randomBytes } from 'node:crypto';
import { open, readable } from './web-harness.js';

const TENANT = 'default';
const NAMES: readonly PersonName[] = ['dana', 'alice', 'bob', 'carol', 'olivia'];
const NOBODY = 'a session of nobody';
const API_KEY = 'an API key';
/** Policy mails the data owners. */
const MAILED: readonly PersonName[] = ['alice', 'bob'];

/** The API with mail as it runs: a real SMTP server with TLS and a password, the real worker, and people who sign in and decide. */
export interface MailWorld {
  api: ApiWorld;
  server: MailServer;
  bot: MailBot;
  createBot(): MailBot;
  /** What the bot complained about. */
  warnings: string[];
  /** Cookies of people's sessions. */
  sessions: Map<string, string>;
  close(): Promise<void>;
}

export async function createMailWorld(policy: (quickstart: string) => string = mailTheOwners): Promise<MailWorld> {
  const api = await createApiWorld({ policy });
  const server = await startMailServer({ users: { countersign: 'p@ss word/1' } });
  // The suite calls people by the names that its chat worlds give them.
  await api.sql("UPDATE directory_people SET name = initcap(split_part(email, '@', 1)) || ' Example'");
  const sessions = new Map<string, string>();
  for (const name of NAMES) sessions.set(name, (await api.signIn(name)).cookie);
  sessions.set(NOBODY, (sessions.get('alice') ?? '').replace(/=.*/, `=${randomBytes(32).toString('base64url')}`));
  const warnings: string[] = [];
  const warned = (fields: object, message: string): void => {
    const { err, ...rest } = fields as { err?: unknown };
    warnings.push(`${message} ${JSON.stringify(rest)} ${err instanceof Error ? err.message : ''}`);
  };
  const world = createChatWorld({
    tenant: TENANT,
    publicUrl: api.url,
    notice: null,
    flow: api.flow,
    store: { ...api.store, cards: recordedCards(api.store.cards, api.flow) },
    cooldownSeconds: 0,
    log: { debug: () => undefined, info: () => undefined, warn: warned, error: warned },
  });
  const bots: MailBot[] = [];
  const createBot = (): MailBot => {
    const bot = createMail({
      config: { smtpUrl: server.url, from: 'Countersign <approvals@example.com>', ca: server.ca },
      world,
      mails: api.store.mails,
      linkSigner: () => api.keyring.signer('link'),
    });
    bots.push(bot);
    return bot;
  };
  const bot = createBot();
  await bot.start();
  return {
    api,
    server,
    bot,
    createBot,
    warnings,
    sessions,
    async close() {
      for (const one of bots) await one.stop();
      await server.close();
      await api.close();
    },
  };
}

export const mailTheOwners = (quickstart: string): string => quickstart.replace('  ttl: 5m', '  channels: [{ email: data-owners }]\n  ttl: 5m');

/** The addresses that can be followed in a mail. */
export const linksOf = ({ parsed }: ReceivedMail): { url: string; text: string }[] =>
  [...String(parsed.html).matchAll(/<a\s[^>]*href="([^"]*)"[^>]*>([^]*?)<\/a>/g)].map(([, url = '', text = '']) => ({
    url: letters(url),
    text: letters(text),
  }));

/** The token of the link in a mail; null where it has none. */
export const tokenOf = (mail: ReceivedMail): string | null => linksOf(mail).flatMap(({ url }) => /\/m#(.+)$/.exec(url)?.[1] ?? [])[0] ?? null;

/** What a mail program shows of the HTML part. */
export const shownText = ({ parsed }: ReceivedMail): string => letters(bodyOf(String(parsed.html)));

/** Mail for the conformance suite: what people get, and what they do when they have opened its link. */
export async function createMailHarness(): Promise<PlatformHarness> {
  const mail = await createMailWorld();
  const { api, server, sessions } = mail;

  const { world, stateOf, digestOf } = conformanceWorld(
    api,
    (submission, ago) => open(api, submission, ago),
    () => api.sql('UPDATE card_tasks SET due_at = now()'),
  );
  const headersOf = (person: string): Record<string, string> => ({
    ...(person === API_KEY ? { authorization: `Bearer ${api.key}` } : { cookie: sessions.get(person) ?? '' }),
    origin: api.url,
    'sec-fetch-site': 'same-origin',
  });
  const cardOf = async (id: string, person = 'olivia'): Promise<Card> => {
    const { status, json, text } = await api.call('GET', `/v1/previews/web/${id}`, { headers: headersOf(person) });
    if (status !== 200) throw new Error(`no card of ${id}: ${text}`);
    return json;
  };
  /** The mails about a request, as a mailbox keeps them: one of each Message-ID, by person. */
  const threads = (id: string): ReceivedMail[][] =>
    MAILED.map((name) => {
      const mails = server.to(`${name}@example.com`).filter(({ parsed }) => String(parsed.html).includes(id));
      return [...new Map(mails.map((mail) => [mail.parsed.messageId, mail])).values()];
    }).filter((mails) => mails.length > 0);

  /** What opening the link of a person's mail answered, once. */
  const opened = new Map<string, string>();
  async function mailFor(person: string, id: string): Promise<string | undefined> {
    const known = `${person} ${id}`;
    const first = server.to(`${person}@example.com`).find((mail) => String(mail.parsed.html).includes(id));
    const token = first === undefined ? null : tokenOf(first);
    if (opened.has(known) || token === null) return opened.get(known);
    const { status, json } = await api.call('POST', '/v1/mail-links/open', { headers: headersOf(person), body: { token } });
    if (status === 200) opened.set(known, json.mail);
    return opened.get(known);
  }

  async function post(person: string, id: string, body: object): Promise<PressAnswer> {
    const { status, json } = await api.call('POST', `/v1/action-requests/${id}/decisions`, { headers: headersOf(person), body });
    const accepted = status === 201;
    const told: string = accepted ? `You ${json.verdict === 'approve' ? 'approved' : 'denied'} it.` : json.detail;
    return { accepted, privateText: told, again: () => post(person, id, body) };
  }
  async function bodyFor(person: string, id: string, verdict: Verdict, request_digest: string, reason?: string): Promise<object> {
    const mail = await mailFor(person, id);
    return { verdict, request_digest, ...(reason === undefined ? {} : { reason }), ...(mail === undefined ? {} : { mail }) };
  }

  return {
    world,
    via: 'email',
    places: MAILED.length,
    async work(workers = 1) {
      await Promise.all([mail.bot, ...Array.from({ length: workers - 1 }, () => mail.createBot())].map((bot) => bot.work()));
    },
    async cards(id) {
      const found = threads(id);
      if (found.length === 0) return [];
      const page = cardPage(await cardOf(id));
      const buttons = [...page.matchAll(/<button[^>]*>([^<]*)<\/button>/g)].map(([, label = '']) => label);
      return found.map((mails) => {
        const [newest] = mails.toReversed();
        if (newest === undefined) throw new Error('a thread without mails');
        const html = bodyOf(String(newest.parsed.html));
        // Where others' text stands: boxes and values.
        return { text: letters(html), own: letters(html.replaceAll(/<(pre|td)\b[^>]*class="(?:box|[^"]*\bv\b)[^]*?<\/\1>/g, '')), buttons };
      });
    },
    // What begins a thread with those who are asked; what others are told besides is theirs.
    messages: () =>
      new Set(
        MAILED.flatMap((name) => server.to(`${name}@example.com`).filter(({ parsed }) => parsed.inReplyTo === undefined)).map(
          ({ parsed, to }) => `${parsed.messageId ?? ''} ${to.join()}`,
        ),
      ).size,
    markup: (id) => Promise.resolve(threads(id).flatMap((mails) => mails.flatMap(({ parsed }) => markup(String(parsed.html), api.url)))),
    links: (id) => Promise.resolve(threads(id)[0]?.flatMap(linksOf) ?? []),
    everything: async (person, id) => (await cardOf(id, person)).everything,
    complaints: () => mail.warnings,
    async press({ person, request, verdict, reason }) {
      return post(person, request, await bodyFor(person, request, verdict, await digestOf(request), reason));
    },
    async forge({ person, request, forgery, other }) {
      switch (forgery) {
        case null:
          return post(person, request, await bodyFor(person, request, 'approve', await digestOf(request)));
        case 'data of another request':
          return post(person, request, {
            ...(await bodyFor(person, request, 'approve', await digestOf(other))),
            action_digest: (await stateOf(other)).request.action_digest,
          });
        case 'digest of another request':
          return post(person, request, await bodyFor(person, request, 'approve', await digestOf(other)));
        case 'a request that does not exist':
          return post(person, request.replace(/.{12}$/, '0'.repeat(12)), { verdict: 'approve', request_digest: await digestOf(request) });
        case 'another message': {
          // What the mail about the other request opened, for this one.
          const mail = await mailFor(person, other);
          return post(person, request, { verdict: 'approve', request_digest: await digestOf(request), mail });
        }
      }
    },
    account: (kind) => Promise.resolve(kind === 'bot account' ? API_KEY : NOBODY),
    failLookUp: absent,
    down: () => server.down(),
    up: () => server.up(),
    loseAnswer: () => server.loseAnswer(),
    pressCopy: absent,
    close: () => mail.close(),
  };
}

const absent = (): never => {
  throw new Error('mail has no such thing');
};

const bodyOf = (html: string): string => html.slice(html.indexOf('<body'));

/** The letters that a mail program shows, each block on a line of its own. */
const letters = (html: string): string => readable(html.replaceAll(/<\/?(?:table|tr|td|h1|h2)\b[^>]*>/g, '\n')).replaceAll('&#39;', "'");

const ELEMENTS = new Set('!doctype html head meta title style body table tr td div p b h1 h2 pre a span'.split(' '));

/** Elements and attributes that our mails have not, and addresses that are not ours. */
function markup(html: string, own: string): string[] {
  return [...html.matchAll(/<(!?[a-z][a-z0-9]*)([^>]*)>/gi)].flatMap(([tag, name = '', attributes = '']) => {
    const bad = !ELEMENTS.has(name.toLowerCase()) || /\s(?:on\w+|src|srcset|background)=/i.test(attributes) || /url\s*\(/i.test(attributes);
    const foreign = /href="([^"]*)"/i.exec(attributes)?.[1];
    return bad || (foreign !== undefined && !foreign.startsWith(`${own}/`)) ? [tag] : [];
  });
}
