import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { needs } from '@countersign/dev-env/needs';
import { Webhook } from 'standardwebhooks';
import { EXPORT } from './support/api.js';
import { type CallbackReceiver, startCallbackReceiver } from './support/callback-receiver.js';
import { type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/* Registered endpoints through the real server: what an administrator does, and what the receiver gets. */
jest.setTimeout(60_000);

const chromium = needs('chromium', "redriving from a request's page");

let server: RunningServer;
let receiver: CallbackReceiver;
beforeAll(async () => {
  receiver = await startCallbackReceiver();
  server = await startServer({ withinMs: 120_000 });
}, 150_000);
afterAll(async () => {
  await receiver?.close();
  await server?.stop();
}, 60_000);

test('D1, I5: register, ask, approve, verify; disable, and what was held comes when it is enabled', async () => {
  const admin = server.token('olivia');
  const { api_key } = server.quickstart();
  const made = await server.call('POST', '/v1/endpoints', { as: admin, body: { url: `${receiver.url}/hook`, format: 'cloudevents' } });
  expect(made.status).toBe(201);
  const { id, secret } = made.json;
  const approved = async () => {
    const request = (await server.submit(api_key, { ...EXPORT, callback: { endpoint_id: id } })).json;
    await server.decide(server.token('alice'), request, 'approve');
    return request.id;
  };
  const outcomes = () => receiver.attempts.filter(({ json }) => json.type === 'outcome.settled');

  const first = await approved();
  await until(() => outcomes().length === 1, 'the callback');
  const [attempt] = outcomes();
  const headers = Object.fromEntries(Object.entries(attempt?.headers ?? {}).map(([name, value]) => [name, String(value)]));
  expect(new Webhook(secret).verify(attempt?.body ?? '', headers)).toMatchObject({ specversion: '1.0', subject: first, data: { status: 'approved' } });

  await server.call('POST', `/v1/endpoints/${id}/disable`, { as: admin });
  const second = await approved();
  const stateOf = async (request: string) => (await server.call('GET', `/v1/deliveries?action_request=${request}`, { as: api_key })).json.data[0].state;
  await until(async () => (await stateOf(second)) === 'held', 'the event to be held');
  expect(outcomes()).toHaveLength(1);
  await server.call('POST', `/v1/endpoints/${id}/enable`, { as: admin });
  await until(async () => (await stateOf(second)) === 'delivered', 'the held event');
  expect(outcomes().map(({ json }) => json.subject)).toEqual([first, second]);

  const sent = await server.call('POST', `/v1/endpoints/${id}/test`, { as: admin });
  await until(async () => (await server.call('GET', `/v1/deliveries/${sent.json.delivery}`, { as: admin })).json.state === 'delivered', 'the test event');
});

test('I15: sixty events for one endpoint all arrive, each once', async () => {
  const { api_key } = server.quickstart();
  const before = receiver.attempts.length;
  const submit = () =>
    server.submit(api_key, { action: 'report.read', resource: { type: 'report', id: 'r' }, actor: EXPORT.actor, callback: { url: `${receiver.url}/many` } });
  const replies = await Promise.all(Array.from({ length: 60 }, submit));
  expect(replies.every(({ status }) => status === 201)).toBe(true);
  await until(() => receiver.attempts.length === before + 60, 'sixty callbacks');
  expect(new Set(receiver.attempts.slice(before).map(({ json }) => json.data.action_request)).size).toBe(60);
});

(chromium === undefined ? test.skip : test)("an administrator sees each attempt on the request's page, and sends the callback again from there", async () => {
  const { api_key, people } = server.quickstart();
  receiver.answerWith(410);
  const request = (await server.submit(api_key, { ...EXPORT, callback: { url: `${receiver.url}/once` } })).json;
  await server.decide(server.token('alice'), request, 'approve');
  await until(() => receiver.attempts.some(({ path }) => path === '/once'), 'the callback');
  receiver.answerWith(204);
  const browser = await launchBrowser(chromium ?? '');
  try {
    const { page, faults } = await openPage(browser);
    await page.goto(people['olivia@example.com']?.sign_in_url ?? '');
    await page.getByRole('heading', { name: /Waiting/ }).waitFor();
    await page.goto(`${server.url}/requests/${request.id}`);
    await page.getByText('(the receiver answered 410)').waitFor();
    await page.getByText('1 attempt').click();
    await page.getByText(/gone · 410 · \d+ ms/).waitFor();
    await page.getByRole('button', { name: 'Redrive' }).click();
    await page.getByText('The callback goes again.').waitFor();
    expect(await page.getByRole('button', { name: 'Redrive' }).count()).toBe(0);
    // Its address was disabled by the 410: it waits until somebody enables it.
    await page.getByText('(its endpoint is disabled)').waitFor();
    const bare = (await server.call('GET', '/v1/endpoints?kind=bare', { as: server.token('olivia') })).json.data[0];
    await server.call('POST', `/v1/endpoints/${bare.id}/enable`, { as: server.token('olivia') });
    await page.getByText('delivered', { exact: true }).first().waitFor();
    expect(receiver.attempts.filter(({ path }) => path === '/once')).toHaveLength(2);
    expect(faults).toEqual([]);
  } finally {
    await browser.close();
  }
});
