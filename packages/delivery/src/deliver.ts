/**
 * The delivery engine: claims due callbacks, attempts them, writes down what came of it. It holds no truth. The store's lease and
 * fence keep two workers from ending one attempt; a worker that dies leaves its claims to come due again by themselves (I5).
 */
import type { AttemptOutcome, ClaimedDelivery, Clock, DeliveryStore, LeafRecord } from '@countersign/core/ports';
import { addSeconds, epochMs, formatInstant, type Instant } from '@countersign/core/request';
import { nextAttempt } from './retry-schedule.js';
import { type Entry, TargetGates } from './target-gates.js';
import type { AttemptResult, Target, Transport } from './transport.js';

export interface DelivererOptions {
  store: Pick<DeliveryStore, 'claim' | 'finish' | 'release'>;
  transport: Transport;
  /** Unseals the stored bytes of the callback. */
  open(delivery: ClaimedDelivery): Promise<Uint8Array>;
  /** Where the callback goes now, and with which secrets; asked for each attempt. */
  targetOf(delivery: ClaimedDelivery): Promise<TargetAnswer>;
  /** The ledger leaf `delivery.attempted`, committed with the attempt's end. */
  leafOf(delivery: ClaimedDelivery, attempt: AttemptEnd): LeafRecord | Promise<LeafRecord>;
  /** Masks the receiver's words before they are kept. */
  maskPreview(text: string): string;
  /** Called when a receiver said that it wants no more events; the message itself has ended already. */
  endpointGone?(delivery: ClaimedDelivery): Promise<void>;
  clock: Clock;
  /** Evenly spread in [0, 1). */
  random(): number;
  log: DeliveryLog;
  metrics?: DeliveryMetrics;
  limits?: Partial<DeliveryLimits>;
}

export type TargetAnswer =
  | { kind: 'target'; target: Target }
  /** The endpoint is disabled: the event waits until it is enabled. */
  | { kind: 'held'; detail: string }
  /** There is no such endpoint or key any more: the event is dead, and listed. */
  | { kind: 'unknown'; detail: string };

/** What an attempt came to, before the leaf is made of it. */
export type AttemptEnd = Omit<AttemptOutcome, 'leaf'>;

export interface DeliveryLimits {
  /** Attempts at a time. */
  inFlight: number;
  /** Attempts at a time for one endpoint; a bare URL is an endpoint of its own per API key, origin and path. */
  inFlightPerTarget: number;
  /** Longer than an attempt can last; what a dead worker held comes due again after it. */
  leaseSeconds: number;
}
export const DEFAULT_LIMITS: DeliveryLimits = { inFlight: 64, inFlightPerTarget: 8, leaseSeconds: 20 };

/** How long a claim that finds its endpoint busy waits for a place at it, before it is given back. */
const BUSY_WAIT_MS = 250;
/** How soon a claim that got none is due again. */
const BUSY_SECONDS = 1;

/** Structured log lines; never a payload, a secret or an answer. */
export interface DeliveryLog {
  info(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface DeliveryMetrics {
  /** `result` is the attempt row's word, `durationMs` from claim to end. */
  attempted(result: string, durationMs: number): void;
}

/**
 * What became of one claim.
 * `delivered`, `retry`, `ended` (dead, aborted or held): written. `released`: given back unattempted, the endpoint is busy or down.
 * `lost`: another worker has it. `unknown`: the end could not be written; the lease runs out and the delivery is attempted again.
 */
export type ClaimEnd = 'delivered' | 'retry' | 'ended' | 'released' | 'lost' | 'unknown';

export interface Deliverer {
  /**
   * Claims up to `limit` due deliveries (waiting for a free place first) and resolves when all of them have ended. Calls may overlap:
   * they share the caps, so a caller that claims again while slow receivers are being waited for hurts nobody.
   * @throws what the store's claim throws.
   */
  runDue(limit: number): Promise<ClaimEnd[]>;
  /** Attempts one delivery if it is due and nobody has it. */
  deliverNow(id: string): Promise<ClaimEnd | 'not_due'>;
  /**
   * Claims nothing more and resolves when all running attempts have ended. When `deadline` aborts, they are cut off, written down as
   * cancelled and due again at once. The transport stays open: its owner closes it.
   */
  stop(deadline?: AbortSignal): Promise<void>;
}

export function createDeliverer(options: DelivererOptions): Deliverer {
  const { store, transport, clock, log } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const gates = new TargetGates(limits.inFlightPerTarget);
  const cutOff = new AbortController();
  const running = new Set<Promise<unknown>>();
  let places = limits.inFlight;
  let waiting: (() => void)[] = [];
  let stopping = false;

  return {
    runDue: (limit) => claimAndRun({ limit }),
    deliverNow: async (id) => (await claimAndRun({ limit: 1, id }))[0] ?? 'not_due',
    async stop(deadline) {
      stopping = true;
      wake();
      const cut = () => cutOff.abort();
      if (deadline?.aborted) cut();
      else deadline?.addEventListener('abort', cut, { once: true });
      while (running.size > 0) await Promise.allSettled(running);
      deadline?.removeEventListener('abort', cut);
    },
  };

  function claimAndRun(query: { limit: number; id?: string }): Promise<ClaimEnd[]> {
    const run = claimThenRun(query).finally(() => running.delete(run));
    running.add(run);
    return run;
  }

  async function claimThenRun({ limit, ...which }: { limit: number; id?: string }): Promise<ClaimEnd[]> {
    while (mustWait()) await new Promise<void>((resolve) => waiting.push(resolve));
    if (stopping) return [];
    const reserved = Math.min(limit, places);
    places -= reserved;
    const claimedAtMs = epochMs(clock.now());
    let claims: ClaimedDelivery[] = [];
    try {
      claims = await store.claim({ limit: reserved, lease_seconds: limits.leaseSeconds, ...which });
    } finally {
      free(reserved - claims.length);
    }
    // In the order of the claim: of two events of a request the earlier goes first.
    return Promise.all(claims.map((delivery) => attend(delivery, claimedAtMs).finally(() => free(1))));
  }

  /** One claim to its end. Never throws: what goes wrong is logged, and the lease brings the delivery back. */
  async function attend(delivery: ClaimedDelivery, claimedAtMs: number): Promise<ClaimEnd> {
    const fields = { delivery: delivery.id, action_request: delivery.request_id, attempt: delivery.attempt };
    try {
      if (stopping) return await giveBack(delivery);
      const key = targetKey(delivery);
      const entry = await entryFor(key);
      if (!entry.entered) return await giveBack(delivery, entry.retryAtMs === null ? addSeconds(clock.now(), BUSY_SECONDS) : formatInstant(entry.retryAtMs));
      let end: AttemptEnd | null = null;
      let verdict: boolean | null = null;
      let disable = false;
      try {
        if (stopping) return await giveBack(delivery);
        ({ end, verdict, disable } = await attempt(delivery, claimedAtMs));
      } finally {
        gates.leave(key, verdict, epochMs(clock.now()));
      }
      if (end === null) return 'lost';
      const written = await store.finish(delivery, { ...end, leaf: await options.leafOf(delivery, end) });
      if (!written) {
        log.info(fields, 'another worker took the delivery over');
        return 'lost';
      }
      options.metrics?.attempted(end.result, epochMs(clock.now()) - claimedAtMs);
      log.info({ ...fields, result: end.result, status: end.status, detail: end.detail, next: end.next }, 'delivery attempted');
      if (disable) await options.endpointGone?.(delivery);
      if (end.next.kind === 'retry') return 'retry';
      return end.next.state === 'delivered' ? 'delivered' : 'ended';
    } catch (error) {
      log.error({ ...fields, err: error }, 'the delivery attempt could not be written down');
      return 'unknown';
    }
  }

  /** Takes a place at the endpoint. Who waits for one keeps none of the places that all share. */
  async function entryFor(key: string): Promise<Entry> {
    const now = (): number => epochMs(clock.now());
    const entry = gates.enter(key, now());
    if (entry.entered || entry.retryAtMs !== null) return entry;
    free(1);
    const later = await gates.enterSoon(key, now, BUSY_WAIT_MS);
    // May fall below none for a moment: the attempt that made way is still being written down.
    places -= 1;
    return later;
  }

  /** Makes the attempt. `verdict` is what it says of the receiver: up, down, or (null) nothing. */
  async function attempt(delivery: ClaimedDelivery, claimedAtMs: number): Promise<{ end: AttemptEnd | null; verdict: boolean | null; disable: boolean }> {
    try {
      const answer = await options.targetOf(delivery);
      if (answer.kind !== 'target') {
        const state = answer.kind === 'held' ? 'held' : 'dead';
        return { end: endOf(answer.kind, answer.detail, { kind: 'end', state }), verdict: null, disable: false };
      }
      const body = await options.open(delivery);
      const now = epochMs(clock.now());
      // A worker that was stopped and continued: the lease is over and the work is somebody else's.
      if (now >= claimedAtMs + limits.leaseSeconds * 1000) return { end: null, verdict: null, disable: false };
      const message = { id: delivery.id, type: delivery.event, body, attempt: delivery.attempt, timestamp: Math.floor(now / 1000) };
      return conclude(delivery, await transport.attempt(message, answer.target, cutOff.signal));
    } catch (error) {
      // A fault of ours (a key that does not open, a directory that does not answer) is no verdict on the receiver, and must not lose the event.
      log.error({ delivery: delivery.id, err: error }, 'the delivery attempt failed on our side');
      return { end: endOf('internal_error', null, retry(delivery)), verdict: null, disable: false };
    }
  }

  function conclude(delivery: ClaimedDelivery, result: AttemptResult): { end: AttemptEnd; verdict: boolean | null; disable: boolean } {
    switch (result.kind) {
      case 'delivered':
        return { end: endOf('delivered', null, { kind: 'end', state: 'delivered' }, result.status), verdict: true, disable: result.disable };
      case 'gone':
        return { end: endOf('gone', null, { kind: 'end', state: 'aborted' }, result.status), verdict: true, disable: result.disable };
      case 'blocked':
        return { end: endOf('blocked_address', result.detail, { kind: 'end', state: 'dead' }), verdict: null, disable: false };
      case 'failed': {
        const cancelled = result.reason === 'cancelled';
        const next = cancelled ? ({ kind: 'retry', at: clock.now() } as const) : retry(delivery, result.retryAfterSeconds);
        const preview = result.answerPreview === undefined ? null : options.maskPreview(result.answerPreview);
        return { end: endOf(result.reason, result.detail, next, result.status ?? null, preview), verdict: cancelled ? null : false, disable: false };
      }
    }
  }

  function retry(delivery: ClaimedDelivery, retryAfterSeconds?: number): AttemptEnd['next'] {
    const delay = nextAttempt(delivery.attempt, options.random(), retryAfterSeconds);
    return delay === 'exhausted' ? { kind: 'end', state: 'dead' } : { kind: 'retry', at: addSeconds(clock.now(), delay) };
  }

  function endOf(result: string, detail: string | null, next: AttemptEnd['next'], status: number | null = null, preview: string | null = null): AttemptEnd {
    return { finished_at: clock.now(), status, result, detail, answer_preview: preview, next };
  }

  async function giveBack(delivery: ClaimedDelivery, dueAt?: Instant): Promise<ClaimEnd> {
    await store.release([delivery], dueAt);
    return 'released';
  }

  function mustWait(): boolean {
    return places <= 0 && !stopping;
  }

  function free(count: number): void {
    places += count;
    if (places > 0) wake();
  }

  function wake(): void {
    const woken = waiting;
    waiting = [];
    for (const resolve of woken) resolve();
  }
}

/** What counts as one endpoint for breaker and caps: a registered one, or an API key's origin and path. */
function targetKey({ target, tenant, api_key_id }: Pick<ClaimedDelivery, 'target' | 'tenant' | 'api_key_id'>): string {
  if (target.kind === 'endpoint') return `${tenant} ${target.endpoint_id}`;
  const { origin, pathname } = new URL(target.url);
  return `${tenant} ${api_key_id} ${origin}${pathname}`;
}
