import { randomBytes } from 'node:crypto';
import type { PersonName, PlatformHarness, PressAnswer } from '@countersign/chat/conformance';
import type { Card, Submission, Verdict } from '@countersign/contracts';
import { cardPage } from '@countersign/console/testing';
import { type ApiWorld, createApiWorld } from '@countersign/intake/testing';
import { conformanceWorld } from './conformance-world.js';

const NAMES: readonly PersonName[] = ['dana', 'alice', 'bob', 'carol', 'olivia'];
/** Pressers that are no persons. */
const NOBODY = 'a session of nobody';
const API_KEY = 'an API key';

/**
 * The web inbox for the conformance suite: the real API over HTTP with session cookies, and the card as the console's own code
 * draws it. tests/inbox.test.ts presses the same buttons in a real browser.
 */
export async function createWebHarness(): Promise<PlatformHarness> {
  const api = await createApiWorld();
  // The suite calls people by the names that its chat worlds give them.
  await api.sql("UPDATE directory_people SET name = initcap(split_part(email, '@', 1)) || ' Example'");
  const sessions = new Map<string, string>();
  for (const name of NAMES) sessions.set(name, (await api.signIn(name)).cookie);
  sessions.set(NOBODY, (sessions.get('alice') ?? '').replace(/=.*/, `=${randomBytes(32).toString('base64url')}`));

  // Nothing of the inbox waits: a card is made when it is looked at.
  const { world, stateOf, digestOf } = conformanceWorld(
    api,
    (submission, ago) => open(api, submission, ago),
    () => Promise.resolve(),
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
  const pageOf = async (id: string): Promise<string> => cardPage(await cardOf(id));

  async function post(person: string, id: string, body: object): Promise<PressAnswer> {
    const { status, json } = await api.call('POST', `/v1/action-requests/${id}/decisions`, { headers: headersOf(person), body });
    const accepted = status === 201;
    const told: string = accepted ? `You ${json.verdict === 'approve' ? 'approved' : 'denied'} it.` : json.detail;
    return { accepted, privateText: told, again: () => post(person, id, body) };
  }

  return {
    world,
    via: 'web',
    places: 1,
    work: () => Promise.resolve(),
    cards: async (id) => {
      const page = await pageOf(id);
      const { everything } = await cardOf(id);
      const buttons = [...page.matchAll(/<button[^>]*>([^<]*)<\/button>/g)].map(([, label = '']) => label);
      // Where others' text stands: values, blocks, and the reason.
      const own = page.replaceAll(/<(pre|dd)\b[^]*?<\/\1>|<p class="text">[^]*?<\/p>/g, '');
      return [{ text: readable(page), own: readable(own), buttons: everything === '' ? buttons.filter((label) => label !== 'Show everything') : buttons }];
    },
    messages: () => 0,
    markup: async (id) => markup(await pageOf(id)),
    links: async (id) =>
      [...(await pageOf(id)).matchAll(/<a href="([^"]*)"[^>]*>([^]*?)<\/a>/g)].map(([, url = '', text = '']) => ({ url: readable(url), text: readable(text) })),
    everything: async (person, id) => (await cardOf(id, person)).everything,
    complaints: () =>
      api
        .log()
        .split('\n')
        .filter((line) => line !== '' && JSON.parse(line).level >= 50),
    async press({ person, request, verdict, reason }) {
      return post(person, request, decisionBody(verdict, await digestOf(request), reason));
    },
    async forge({ person, request, forgery, other }) {
      switch (forgery) {
        case null:
          return post(person, request, decisionBody('approve', await digestOf(request)));
        case 'data of another request':
          return post(person, request, { ...decisionBody('approve', await digestOf(other)), action_digest: (await stateOf(other)).request.action_digest });
        case 'digest of another request':
          return post(person, request, decisionBody('approve', await digestOf(other)));
        case 'a request that does not exist':
          return post(person, request.replace(/.{12}$/, '0'.repeat(12)), decisionBody('approve', await digestOf(request)));
        case 'another message':
          throw new Error('there are no messages');
      }
    },
    account: (kind) => Promise.resolve(kind === 'bot account' ? API_KEY : NOBODY),
    failLookUp: absent,
    down: absent,
    up: absent,
    loseAnswer: absent,
    pressCopy: absent,
    close: () => api.close(),
  };
}

const absent = (): never => {
  throw new Error('the inbox has no such thing');
};

/** Opens the example request, with these members instead; `ago`: so many seconds earlier. */
export async function open(api: ApiWorld, submission: Partial<Submission> = {}, ago = 0): Promise<{ id: string }> {
  api.ahead = -ago;
  const reply = await api.submit(submission);
  api.ahead = 0;
  if (reply.status !== 201) throw new Error(`not opened: ${reply.text}`);
  return reply.json;
}

function decisionBody(verdict: Verdict, request_digest: string, reason?: string): object {
  return { verdict, request_digest, ...(reason === undefined ? {} : { reason }) };
}

/** What a reader sees of HTML that React wrote: each block on a line of its own. React escapes `<`, `>`, `&` and quotes in every text. */
export function readable(html: string): string {
  const words: Record<string, string> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#x27;': "'", '&amp;': '&' };
  return html
    .replaceAll(/<\/?(?:article|section|p|h\d|div|dl|dt|dd|pre|ul|li|button|form|label)\b[^>]*>/g, '\n')
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/&(?:lt|gt|quot|#x27|amp);/g, (entity) => words[entity] ?? entity);
}

const ELEMENTS = new Set('article section p h1 h2 small span strong code q time dl dt dd div pre ul li a button form label textarea'.split(' '));

/** Elements and attributes that the console's card has not, and addresses that are not of the web. */
function markup(html: string): string[] {
  return [...html.matchAll(/<([a-z][a-z0-9]*)([^>]*)>/gi)].flatMap(([tag, name = '', attributes = '']) => {
    const bad = !ELEMENTS.has(name.toLowerCase()) || /\s(?:on\w+|style|src|srcset)=/i.test(attributes) || /href="(?!https?:)/i.test(attributes);
    return bad ? [tag] : [];
  });
}
