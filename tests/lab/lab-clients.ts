import { setTimeout as delay } from 'node:timers/promises';
import type { Api, Reply } from '../support/api.js';
import { actionOf, EXPORT } from '../support/api.js';
import type { Credentials } from '../support/installation.js';
import type { Choices } from './scheduler.js';

/** What one request is to go through. */
export const FATES = [
  'approve',
  'deny',
  'cancel',
  'expire',
  'two_people',
  'race',
  'revoke',
  'redeem',
  'redeem_race',
  'passes',
  'refused',
  'self_approval',
] as const;
export type Fate = (typeof FATES)[number];

/** What a client knows of a request: only answers that it got count. */
export interface Story {
  number: number;
  key: string;
  fate: Fate;
  body: object;
  /** Ids that submits under the key were answered with. */
  ids: Set<string>;
  /** Answers of 201 to decisions, by their ids: verdicts. */
  decided: { id: string; verdict: 'approve' | 'deny'; by: string }[];
  withdrawn: ('cancelled' | 'revoked')[];
  /** How many redemptions answered 200. */
  redeemed: number;
  /** What must never be answered. */
  wrong: string[];
}

export interface Clients {
  stories: Story[];
  counts: Record<string, number>;
  /** Resolves when every request has gone its way, as far as its clients could see. */
  done: Promise<void>;
}

/** Clients as ours are: they repeat what got no answer or 5xx, under the same idempotency key, until they are told. */
export function startClients(options: {
  api: Api;
  held: Credentials;
  choices: Choices;
  callbacks: readonly string[];
  requests: number;
  connections: number;
  paceMs: number;
}): Clients {
  const { api, held, choices, callbacks, requests } = options;
  const counts: Record<string, number> = { answers: 0, no_answer: 0, unavailable: 0 };
  const count = (name: string): void => void (counts[name] = (counts[name] ?? 0) + 1);
  const { apiKey, tokens } = held;
  const stories = Array.from({ length: requests }, (_, number) => storyOf(number));

  function storyOf(number: number): Story {
    const fate = FATES[number % FATES.length] ?? 'approve';
    const callback = choices.chance(0.85) ? { callback: { url: `${choices.pick(callbacks)}/${number % 3}` } } : {};
    const action =
      fate === 'passes'
        ? { action: 'model.promote', resource: { type: 'model', id: `m${number}` } }
        : fate === 'refused'
          ? { action: 'backup.delete', resource: { type: 'backup', id: `b${number}` } }
          : fate === 'two_people'
            ? { action: 'iam.grant', resource: { type: 'role', id: `r${number}` } }
            : {};
    const body = {
      ...EXPORT,
      ...action,
      parameters: { ...EXPORT.parameters, number },
      ...callback,
      ...(fate === 'expire' ? { timeout_seconds: 1 + choices.below(3) } : {}),
    };
    return { number, key: `lab-${number}`, fate, body, ids: new Set(), decided: [], withdrawn: [], redeemed: 0, wrong: [] };
  }

  /** Until it is answered by something other than a passing fault. */
  async function persist(call: () => Promise<Reply>): Promise<Reply> {
    for (;;) {
      const reply = await call().catch(() => null);
      if (reply !== null && reply.status < 500 && reply.status !== 429) {
        if (reply.status !== 409 || reply.json?.code !== 'idempotency_in_progress') {
          count('answers');
          return reply;
        }
      }
      count(reply === null ? 'no_answer' : 'unavailable');
      await delay(50 + choices.below(200));
    }
  }

  const post = (as: string, path: string, body: object = {}): Promise<Reply> => persist(() => api.call('POST', path, { as, body }));

  async function submit(story: Story): Promise<Reply> {
    const reply = await persist(() => api.submit(apiKey, story.body, { key: story.key }));
    if (reply.status === 201) story.ids.add(reply.json.id);
    else story.wrong.push(`submit answered ${reply.status} ${reply.text}`);
    return reply;
  }

  async function decide(story: Story, request: any, name: keyof Credentials['tokens'], verdict: 'approve' | 'deny'): Promise<void> {
    const reply = await persist(() => api.decide(tokens[name], request, verdict));
    if (reply.status === 201) story.decided.push({ id: reply.json.id, verdict, by: name });
    // After a lost answer the repetition finds the decision; others may have been faster.
    else if (!['already_decided', 'already_settled', 'self_approval', 'not_an_approver'].includes(reply.json?.code))
      story.wrong.push(`decide answered ${reply.status} ${reply.text}`);
    if (name === 'dana' && reply.status === 201) story.wrong.push('the person behind it decided it');
  }

  async function withdraw(story: Story, id: string, what: 'cancel' | 'revoke'): Promise<void> {
    const reply = await post(apiKey, `/v1/action-requests/${id}/${what}`);
    if (reply.status === 200) story.withdrawn.push(what === 'cancel' ? 'cancelled' : 'revoked');
  }

  async function redeem(story: Story, id: string): Promise<void> {
    const { action, resource, parameters, actor, environment } = story.body as typeof EXPORT; // storyOf makes it from EXPORT
    const fresh = await persist(() => api.call('GET', `/v1/action-requests/${id}`, { as: apiKey }));
    const grant = fresh.json?.outcome?.grant;
    if (typeof grant !== 'string') return;
    const submitted = actionOf({ ...EXPORT, action, resource, parameters, actor, environment });
    const other = await post(apiKey, '/v1/grants/redeem', { grant, action: { ...submitted, action: 'data.drop' } });
    if (other.status === 200) story.wrong.push('another action was redeemed');
    const reply = await post(apiKey, '/v1/grants/redeem', { grant, action: submitted });
    if (reply.status === 200) story.redeemed += 1;
  }

  async function live(story: Story): Promise<void> {
    // A second submit under the same key, now and then at once.
    const [first] = await Promise.all([submit(story), ...(choices.chance(0.3) ? [submit(story)] : [])]);
    if (first.status !== 201) return;
    const request = first.json;
    const { id } = request;
    await delay(choices.below(200));
    switch (story.fate) {
      case 'approve':
        return decide(story, request, 'alice', 'approve');
      case 'deny':
        return decide(story, request, 'bob', 'deny');
      case 'cancel':
        return withdraw(story, id, 'cancel');
      case 'two_people':
        await Promise.all([decide(story, request, 'alice', 'approve'), decide(story, request, 'carol', 'approve'), decide(story, request, 'dana', 'approve')]);
        return;
      case 'race':
        await Promise.all([decide(story, request, 'alice', 'approve'), decide(story, request, 'bob', 'deny'), withdraw(story, id, 'cancel')]);
        return;
      case 'revoke':
        await decide(story, request, 'alice', 'approve');
        return withdraw(story, id, 'revoke');
      case 'redeem':
        await decide(story, request, 'alice', 'approve');
        return redeem(story, id);
      case 'redeem_race':
        await decide(story, request, 'bob', 'approve');
        await Promise.all([redeem(story, id), redeem(story, id), redeem(story, id), withdraw(story, id, 'revoke')]);
        return;
      case 'passes':
        return redeem(story, id);
      case 'self_approval':
        await Promise.all([decide(story, request, 'dana', 'approve'), decide(story, request, 'carol', 'approve')]);
        return withdraw(story, id, 'cancel');
      case 'expire':
      case 'refused':
        return;
    }
  }

  const waiting = [...stories];
  const connection = async (): Promise<void> => {
    for (let story = waiting.shift(); story !== undefined; story = waiting.shift()) {
      await live(story);
      await delay(choices.below(2 * options.paceMs));
    }
  };
  return { stories, counts, done: Promise.all(Array.from({ length: options.connections }, connection)).then(() => undefined) };
}
