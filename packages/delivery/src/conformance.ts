/** What every transport guarantees, as a test suite: a new transport's tests call it with a harness around a real receiver. */
import { describe, expect, test } from '@jest/globals';
import type { AttemptResult, OutboundMessage, Target, Transport } from './transport.js';

/** How the receiver of a harness treats what arrives from now on. */
export type ReceiverBehaviour =
  | { kind: 'accept' }
  /** Accepts, and goes on answering without an end. */
  | { kind: 'accept_endlessly' }
  /** A status of its own: 4xx or 5xx. */
  | { kind: 'fail'; status: number; retryAfterSeconds?: number; text?: string }
  /** Fails with an answer without an end. */
  | { kind: 'fail_endlessly' }
  /** Points to a place of the receiver where `strayed()` counts. */
  | { kind: 'redirect'; status: number }
  /** Takes the message and never answers. */
  | { kind: 'hang' }
  /** Takes the message and drops the connection. */
  | { kind: 'drop' }
  | { kind: 'gone' };

export interface ReceivedMessage {
  id: string;
  body: Uint8Array;
}

export interface TransportHarness {
  transport: Transport;
  /** A transport whose attempts may last a few hundred milliseconds, for the receiver that hangs. */
  impatient: Transport;
  /** The receiver. */
  target: Target;
  /** A place that the policy allows and where nobody listens. */
  deaf: Target;
  /** The same receiver under a policy that denies it: a target of `guarded`. */
  denied: Target;
  guarded: Transport;
  behave(behaviour: ReceiverBehaviour): void;
  /** Messages in the order of arrival. */
  received(): readonly ReceivedMessage[];
  connections(): number;
  /** How many requests followed a redirect. */
  strayed(): number;
  /** Resolves once a message has arrived that has not been answered. */
  arrival(): Promise<void>;
  close(): Promise<void>;
}

/** Declares the suite for one transport. The harness is made for each test and closed after it. */
export function transportConformance(name: string, makeHarness: () => Promise<TransportHarness>): void {
  const check = (title: string, run: (harness: TransportHarness) => Promise<void>) =>
    test(title, async () => {
      const harness = await makeHarness();
      try {
        await run(harness);
      } finally {
        await harness.close();
      }
    });

  describe(`${name} keeps the promises of a transport`, () => {
    check('delivers the stored bytes verbatim, whatever they are', async (harness) => {
      const bodies = [Buffer.from('{"a" :1,\r\n"b":"ü"}\n'), Buffer.from([0xff, 0x00, 0x0a]), Buffer.alloc(20_000, 'x')];
      for (const body of bodies) {
        expect(await send(harness.transport, harness.target, { body })).toMatchObject({ kind: 'delivered' });
      }
      expect(harness.received().map((each) => Buffer.from(each.body))).toEqual(bodies);
    });

    check('sends the same id with every attempt', async (harness) => {
      harness.behave({ kind: 'fail', status: 500 });
      for (const attempt of [1, 2, 3]) await send(harness.transport, harness.target, { attempt, timestamp: 1_700_000_000 + attempt });
      expect(harness.received().map((each) => each.id)).toEqual(['msg_conformance', 'msg_conformance', 'msg_conformance']);
    });

    check('delivered is decided by the acceptance, also when the answer has no end', async (harness) => {
      harness.behave({ kind: 'accept_endlessly' });
      expect(await send(harness.transport, harness.target)).toMatchObject({ kind: 'delivered' });
    });

    for (const status of [400, 401, 404, 409, 422, 429, 500, 502, 503, 504]) {
      check(`${status} is a failed attempt that can be repeated`, async (harness) => {
        harness.behave({ kind: 'fail', status, text: 'why it failed' });
        expect(await send(harness.transport, harness.target)).toMatchObject({ kind: 'failed', status, answerPreview: 'why it failed' });
        harness.behave({ kind: 'accept' });
        expect(await send(harness.transport, harness.target, { attempt: 2 })).toMatchObject({ kind: 'delivered' });
      });
    }

    for (const status of [301, 302, 303, 307, 308]) {
      check(`never follows a redirect (${status})`, async (harness) => {
        harness.behave({ kind: 'redirect', status });
        expect(await send(harness.transport, harness.target)).toMatchObject({ kind: 'failed', reason: 'redirect' });
        expect(harness.received()).toHaveLength(1);
        expect(harness.strayed()).toBe(0);
      });
    }

    check('a failing answer without an end is cut off', async (harness) => {
      harness.behave({ kind: 'fail_endlessly' });
      const result = await send(harness.transport, harness.target);
      expect(result).toMatchObject({ kind: 'failed' });
      expect(result.kind === 'failed' ? (result.answerPreview ?? '').length : -1).toBeLessThanOrEqual(1024);
    });

    check('a receiver that never answers is a failed attempt', async (harness) => {
      harness.behave({ kind: 'hang' });
      expect(await send(harness.impatient, harness.target)).toMatchObject({ kind: 'failed', reason: 'timeout' });
    });

    check('a dropped connection and a place where nobody listens are failed attempts', async (harness) => {
      harness.behave({ kind: 'drop' });
      expect(await send(harness.transport, harness.target)).toMatchObject({ kind: 'failed', reason: 'connection_lost' });
      expect(await send(harness.transport, harness.deaf)).toMatchObject({ kind: 'failed', reason: 'refused' });
    });

    check('I14: a denied address is terminal, and no connection is opened', async (harness) => {
      expect(await send(harness.guarded, harness.denied)).toMatchObject({ kind: 'blocked' });
      expect(harness.connections()).toBe(0);
    });

    check('a receiver that is gone wants no more', async (harness) => {
      harness.behave({ kind: 'gone' });
      expect(await send(harness.transport, harness.target)).toMatchObject({ kind: 'gone', disable: true });
    });

    check('passes on how long the receiver wants to be left alone, up to an hour', async (harness) => {
      harness.behave({ kind: 'fail', status: 503, retryAfterSeconds: 90 });
      expect(await send(harness.transport, harness.target)).toMatchObject({ kind: 'failed', retryAfterSeconds: 90 });
      harness.behave({ kind: 'fail', status: 429, retryAfterSeconds: 86_400 });
      expect(await send(harness.transport, harness.target)).toMatchObject({ kind: 'failed', retryAfterSeconds: 3600 });
    });

    check('ends at once when it is told to', async (harness) => {
      harness.behave({ kind: 'hang' });
      const stop = new AbortController();
      const attempt = send(harness.transport, harness.target, {}, stop.signal);
      await harness.arrival();
      stop.abort();
      expect(await attempt).toMatchObject({ kind: 'failed', reason: 'cancelled' });
      expect(await send(harness.transport, harness.target, {}, AbortSignal.abort())).toMatchObject({ kind: 'failed', reason: 'cancelled' });
      expect(harness.received()).toHaveLength(1);
    });
  });
}

function send(
  transport: Transport,
  target: Target,
  change: Partial<OutboundMessage> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<AttemptResult> {
  const message: OutboundMessage = { id: 'msg_conformance', type: 'outcome.settled', body: Buffer.from('{}'), attempt: 1, timestamp: 1_700_000_000, ...change };
  return transport.attempt(message, target, signal);
}
