import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type FakeOnCall, startFakeOnCall } from '@countersign/dev-env/on-call';
import { formatInstant } from '@countersign/core/request';
import { createOnCallSource, type OnCallOptions } from './source.js';

let fake: FakeOnCall;
let now = Date.parse('2026-02-01T00:00:00Z');
beforeEach(async () => {
  fake = await startFakeOnCall();
  fake.duty.set('PABC123', ['Alice@Example.com', 'bob@example.com']);
  fake.duty.set('apps & more/schedule', ['carol@example.com']);
});
afterEach(() => fake.close());

const sourceOf = (more: Partial<OnCallOptions> = {}) =>
  createOnCallSource({
    pagerduty: { token: fake.pagerDutyToken, apiUrl: fake.url },
    opsgenie: { token: fake.opsgenieToken, apiUrl: fake.url },
    clock: { now: () => formatInstant(now) },
    ...more,
  });

describe('PagerDuty', () => {
  test('tells each person once, by address, whatever the escalation policies', async () => {
    expect(await sourceOf().onCall({ pagerduty: 'PABC123' })).toEqual(['alice@example.com', 'bob@example.com']);
    expect(await sourceOf().onCall({ pagerduty: 'PNOBODY' })).toEqual([]);
  });

  test('is read to its last page', async () => {
    const many = Array.from({ length: 120 }, (_, index) => `p${String(index)}@example.com`);
    fake.duty.set('PMANY', many);
    expect(await sourceOf().onCall({ pagerduty: 'PMANY' })).toEqual(many);
    expect(fake.asked()).toBe(3);
  });

  test.each([
    ['a token that it refuses', { pagerduty: { token: 'wrong', apiUrl: '' } }, 'PagerDuty answers 401: the token is not accepted'],
    ['no token', { pagerduty: undefined }, 'PAGERDUTY_TOKEN'],
  ])('%s: who is on call is not known, and it is said why', async (_what, more, words) => {
    const given = more.pagerduty === undefined ? more : { pagerduty: { ...more.pagerduty, apiUrl: fake.url } };
    await expect(sourceOf(given).onCall({ pagerduty: 'PABC123' })).rejects.toThrow(words);
  });
});

describe('Opsgenie', () => {
  test('is asked by name', async () => {
    expect(await sourceOf().onCall({ opsgenie: 'apps & more/schedule' })).toEqual(['carol@example.com']);
  });

  test.each([
    ['a schedule that it does not know', 'nothing', {}, 'Opsgenie answers 404: there is no such schedule'],
    ['no token', 'apps & more/schedule', { opsgenie: undefined }, 'OPSGENIE_TOKEN'],
  ])('%s: who is on call is not known, and it is said why', async (_what, opsgenie, more, words) => {
    await expect(sourceOf(more).onCall({ opsgenie })).rejects.toThrow(words);
  });
});

describe('either', () => {
  test('an answer is used for a minute, and one question serves all who ask at once', async () => {
    const source = sourceOf();
    await Promise.all([1, 2, 3].map(() => source.onCall({ pagerduty: 'PABC123' })));
    expect(fake.asked()).toBe(1);
    fake.duty.set('PABC123', ['dave@example.com']);
    now += 59_000;
    expect(await source.onCall({ pagerduty: 'PABC123' })).toEqual(['alice@example.com', 'bob@example.com']);
    now += 1_000;
    expect(await source.onCall({ pagerduty: 'PABC123' })).toEqual(['dave@example.com']);
  });

  test('no answer is not asked for again at once, and not for ever', async () => {
    const source = sourceOf();
    fake.wire.fail('pagerduty', { kind: 'answer', answer: { status: 503, body: 'busy' } });
    await expect(source.onCall({ pagerduty: 'PABC123' })).rejects.toThrow('PagerDuty answers 503');
    await expect(source.onCall({ pagerduty: 'PABC123' })).rejects.toThrow('PagerDuty answers 503');
    expect(fake.asked()).toBe(1);
    now += 15_000;
    expect(await source.onCall({ pagerduty: 'PABC123' })).toHaveLength(2);
  });

  test.each([
    ['hangs', { kind: 'hang' }, 'gives no answer'],
    ['breaks off', { kind: 'reset' }, 'gives no answer'],
    ['answers something else', { kind: 'answer', answer: { status: 200, body: '<html>' } }, 'no JSON'],
    ['answers another shape', { kind: 'answer', answer: { status: 200, body: '{"oncalls":{}}' } }, 'something else'],
    [
      'leads elsewhere, where the token does not go',
      { kind: 'answer', answer: { status: 302, headers: { location: 'http://127.0.0.1:9/' }, body: '' } },
      'gives no answer',
    ],
  ] as const)('a service that %s: not known', async (_what, fault, words) => {
    fake.wire.fail('pagerduty', fault);
    await expect(sourceOf({ timeoutMs: 200 }).onCall({ pagerduty: 'PABC123' })).rejects.toThrow(words);
  });
});
