import { request as httpRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld } from '../testing/api-world.js';

let world: ApiWorld;
beforeEach(async () => {
  world = await createApiWorld({ pingMs: 20 });
});
afterEach(() => world.close());

/** An open stream: everything that came, and the end. */
function listen(headers: Record<string, string>) {
  const port = Number(new URL(world.url).port);
  let text = '';
  let wake: () => void = () => undefined;
  let status = 0;
  const sent = httpRequest({ host: '127.0.0.1', port, path: '/v1/events', headers: { host: `localhost:${port}`, ...headers } }, (response) => {
    status = response.statusCode ?? 0;
    response.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      wake();
    });
  });
  const ended = new Promise<void>((resolve) => sent.on('close', resolve));
  sent.on('error', () => undefined);
  sent.end();
  return {
    ended,
    status: () => status,
    text: () => text,
    async until(part: string): Promise<void> {
      while (!text.includes(part)) await new Promise<void>((resolve) => (wake = resolve));
    },
    close: () => sent.destroy(),
  };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('the event stream', () => {
  test('C1: tells of changes of requests that the reader may see, and of no others', async () => {
    const alice = listen(bearer(world.tokens.alice));
    const carol = listen(bearer(world.tokens.carol));
    await alice.until('event: ping');
    await carol.until('event: ping');
    const request = await world.pending(); // data-owners
    const shared = await world.pending({ action: 'iam.grant', resource: { type: 'role', id: 'admin' } }); // data-owners and security
    await alice.until(request.id);
    await alice.until(shared.id);
    await carol.until(shared.id);
    expect(carol.text()).not.toContain(request.id);
    expect(alice.text()).toContain(`event: changed\ndata: {"action_request":"${request.id}"}\n\n`);
    alice.close();
    carol.close();
  });

  test('C6: tells people what they are told, once, and nobody else', async () => {
    const delegate = () =>
      world.call('POST', '/v1/delegations', {
        as: world.tokens.alice,
        body: { delegate: 'carol@example.com', until: new Date(Date.now() + 3_600_000).toISOString() },
      });
    const [carol, bob] = [listen(bearer(world.tokens.carol)), listen(bearer(world.tokens.bob))];
    await Promise.all([carol.until('event: ping'), bob.until('event: ping')]);
    await delegate();
    await carol.until('event: notice');
    // Whoever comes later is not told what was said before.
    const late = listen(bearer(world.tokens.carol));
    await late.until('event: ping');
    const { json } = await world.call('GET', '/v1/delegations', { as: world.tokens.alice });
    await world.call('DELETE', `/v1/delegations/${json.data[0].id}`, { as: world.tokens.alice });
    await delegate();
    const told = (stream: typeof carol): number => stream.text().split('event: notice').length - 1;
    const { data } = (await world.call('GET', '/v1/notices', { as: world.tokens.carol })).json;
    // Named, let go, and named once more.
    for (const { id } of data) await carol.until(id);
    for (const { id } of data.slice(1)) await late.until(id);
    expect([data.length, told(carol), told(late), told(bob)]).toEqual([3, 3, 2, 0]);
    for (const stream of [carol, bob, late]) stream.close();
  });

  test('B6: ends with its session', async () => {
    const { cookie } = await world.signIn('alice');
    const stream = listen({ cookie });
    await stream.until('event: ping');
    await world.call('DELETE', '/v1/sessions', { headers: { cookie, origin: world.url } });
    await stream.ended;
    expect(stream.status()).toBe(200);
  });

  test('ends with the service, and leaves nothing behind', async () => {
    const stream = listen(bearer(world.tokens.alice));
    await stream.until('event: ping');
    expect(world.waiters.size).toBe(1);
    await world.stop();
    await stream.ended;
    expect(world.waiters.size).toBe(0);
  });

  test('opens for nobody who does not say who they are', async () => {
    expect(await world.call('GET', '/v1/events')).toMatchObject({ status: 401 });
    expect(world.waiters.size).toBe(0);
  });

  test('leaves nothing behind when the client goes', async () => {
    const stream = listen(bearer(world.tokens.alice));
    await stream.until('event: ping');
    stream.close();
    while (world.waiters.size > 0) await new Promise((resolve) => setImmediate(resolve));
  });
});
