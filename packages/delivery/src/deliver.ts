/**
 * The delivery engine: claims due callbacks, attempts them, writes down what came of it. It holds no truth. The store's lease and
 * fence keep two workers from ending one attempt; a worker that dies leaves its claims to come due again by themselves (I5).
 */
import { endpointKeyOf } from '@countersign/core/outcome';
import type { AttemptOutcome, ClaimedDelivery, Clock, DeliveryStore, LeafRecord } from '@countersign/core/ports';
import { addSeconds, epochMs, formatInstant, type Instant } from '@countersign/core/request';
import { nextAttempt } from './retry-schedule.js';
import { type Entry, TargetGates } from './target-gates.js';
import type { AttemptResult, Target, Transport } from './transport.js';

export interface DelivererOptions {
  store: Pick<DeliveryStore, 'claim' | 'renew' | 'finish' | 'release'>;
  /** Where the target names none. */
  transport: Transport;
  /** Unseals the stored bytes of the callback. */
  open(delivery: ClaimedDelivery): Promise<Uint8Array>;
  /** Where the callback goes now, and with which secrets; asked for each attempt. */
  targetOf(delivery: ClaimedDelivery): Promise<TargetAnswer>;
  /** The ledger leaf `delivery.attempted`, committed with the attempt's end. */
  leafOf(delivery: ClaimedDelivery, attempt: AttemptEnd): LeafRecord | null | Promise<LeafRecord | null>;
  /** Masks the receiver's words before they are kept. */
  maskPreview(text: string): string;
  /** Called as each claim ends: a place is free, and what waited for it may be claimed. */
  ended?(end: ClaimEnd): void;
  clock: Clock;
  /** Evenly spread in [0, 1). */
  random(): number;
  log: DeliveryLog;
  metrics?: DeliveryMetrics;
  limits?: Partial<DeliveryLimits>;
}

export type TargetAnswer =
  | { kind: 'target'; target: Target; transport?: Transport }
  /** The endpoint was disabled since the claim: no attempt is made, and the next claim holds the event until it is enabled. */
  | { kind: 'held'; detail: string }
  /** There is no such endpoint or key any more: the event is dead, and listed. */
  | { kind: 'unknown'; detail: string };

/** What an attempt came to, before the leaf is made of it. */
export type AttemptEnd = Omit<AttemptOutcome, 'leaf'>;

export interface DeliveryLimits {
  /** Attempts at a time. */
  inFlight: number;
  /** Attempts at a time for one endpoint, over all workers; a bare URL is an endpoint of its own per API key, origin and path. */
  inFlightPerTarget: number;
  /** Attempts at a time for one tenant, over all workers; less than `inFlight`, so that one tenant leaves room for others. */
  inFlightPerTenant: number;
  /** Renewed while an attempt lasts; what a dead worker held comes due again after it. */
  leaseSeconds: number;
}
export const DEFAULT_LIMITS: DeliveryLimits = { inFlight: 128, inFlightPerTarget: 8, inFlightPerTenant: 64, leaseSeconds: 10 };

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
 * `delivered`, `retry`, `ended` (dead or aborted): written. `released`: given back unattempted, the endpoint is busy or down.
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

/** What follows an attempt, before its end is known. */
type Next = { kind: 'retry'; inSeconds: number } | Extract<AttemptEnd['next'], { kind: 'end' }>;

export function createDeliverer(options: DelivererOptions): Deliverer {
  const { store, transport, clock, log } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const gates = new TargetGates(limits.inFlightPerTarget);
  const out = new Set<Out>();
  const renewEveryMs = (limits.leaseSeconds * 1000) / 3;
  let renewing: NodeJS.Timeout | null = null;
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
      const cut = () => {
        for (const { cutOff } of out) cutOff.abort();
      };
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
      const caps = { per_endpoint: limits.inFlightPerTarget, per_tenant: limits.inFlightPerTenant };
      claims = await store.claim({ limit: reserved, lease_seconds: limits.leaseSeconds, caps, ...which });
    } finally {
      free(reserved - claims.length);
    }
    // In the order of the claim: of two events of a request the earlier goes first.
    return Promise.all(
      claims.map(async (delivery) => {
        const end = await attend(delivery, claimedAtMs).finally(() => free(1));
        options.ended?.(end);
        return end;
      }),
    );
  }

  /** Leases that are needed longer are renewed together; who has lost one is told. */
  async function renew(): Promise<void> {
    const asked = [...out];
    const askedAtMs = epochMs(clock.now());
    try {
      const held = new Set(
        await store.renew(
          asked.map(({ delivery }) => delivery),
          limits.leaseSeconds,
        ),
      );
      for (const each of asked) {
        if (held.has(each.delivery.id)) each.leaseEndMs = askedAtMs + limits.leaseSeconds * 1000;
        else each.cutOff.abort();
      }
    } catch (error) {
      log.error({ err: error }, 'leases of deliveries could not be renewed; they may be attempted by another worker');
    }
  }

  function takeOut(delivery: ClaimedDelivery, claimedAtMs: number): Out {
    const taken: Out = { delivery, cutOff: new AbortController(), leaseEndMs: claimedAtMs + limits.leaseSeconds * 1000 };
    out.add(taken);
    renewing ??= setInterval(() => void renew(), renewEveryMs).unref();
    return taken;
  }

  function bringBack(taken: Out): void {
    out.delete(taken);
    if (out.size > 0 || renewing === null) return;
    clearInterval(renewing);
    renewing = null;
  }

  /** One claim to its end. Never throws: what goes wrong is logged, and the lease brings the delivery back. */
  async function attend(delivery: ClaimedDelivery, claimedAtMs: number): Promise<ClaimEnd> {
    const fields = { delivery: delivery.id, action_request: delivery.request_id, attempt: delivery.attempt };
    const taken = takeOut(delivery, claimedAtMs);
    try {
      if (stopping) return await giveBack(delivery);
      const key = `${delivery.tenant} ${endpointKeyOf(delivery)}`;
      const entry = await entryFor(key, delivery.endpoint_since);
      if (!entry.entered) return await giveBack(delivery, entry.retryAtMs === null ? addSeconds(clock.now(), BUSY_SECONDS) : formatInstant(entry.retryAtMs));
      let end: AttemptEnd | 'lost' | 'held' = 'lost';
      try {
        if (stopping) return await giveBack(delivery);
        end = await attempt(taken);
      } finally {
        gates.leave(key, verdictOf(end), epochMs(clock.now()));
      }
      if (end === 'held') return await giveBack(delivery);
      if (end === 'lost') return 'lost';
      const written = await store.finish(delivery, { ...end, leaf: await options.leafOf(delivery, end) });
      if (!written) {
        log.info(fields, 'another worker took the delivery over');
        return 'lost';
      }
      options.metrics?.attempted(end.result, epochMs(clock.now()) - claimedAtMs);
      log.info({ ...fields, result: end.result, status: end.status, detail: end.detail, next: end.next }, 'delivery attempted');
      if (end.next.kind === 'retry') return 'retry';
      return end.next.state === 'delivered' ? 'delivered' : 'ended';
    } catch (error) {
      log.error({ ...fields, err: error }, 'the delivery attempt could not be written down');
      return 'unknown';
    } finally {
      bringBack(taken);
    }
  }

  /** Takes a place at the endpoint. Who waits for one keeps none of the places that all share. */
  async function entryFor(key: string, since: string | null): Promise<Entry> {
    const now = (): number => epochMs(clock.now());
    const entry = gates.enter(key, now(), since);
    if (entry.entered || entry.retryAtMs !== null) return entry;
    free(1);
    const later = await gates.enterSoon(key, now, BUSY_WAIT_MS, since);
    // May fall below none for a moment: the attempt that made way is still being written down.
    places -= 1;
    return later;
  }

  /** Makes the attempt. `lost`: the lease ran out before anything was sent. */
  async function attempt(taken: Out): Promise<AttemptEnd | 'lost' | 'held'> {
    const { delivery, cutOff } = taken;
    try {
      const answer = await options.targetOf(delivery);
      if (answer.kind === 'held') return 'held';
      if (answer.kind === 'unknown') return endOf('unknown', answer.detail, { kind: 'end', state: 'dead', reason: 'unknown_endpoint' });
      const body = await options.open(delivery);
      const now = epochMs(clock.now());
      // A worker that was stopped and continued: the lease is over and the work is somebody else's.
      if (now >= taken.leaseEndMs) return 'lost';
      const message = { id: delivery.message_id, type: delivery.event, body, attempt: delivery.attempt, timestamp: Math.floor(now / 1000) };
      const startedMs = performance.now();
      const result = await (answer.transport ?? transport).attempt(message, answer.target, cutOff.signal);
      return { ...conclude(delivery, result), url: answer.target.url, duration_ms: Math.round(performance.now() - startedMs) };
    } catch (error) {
      // A fault of ours (a key that does not open, a directory that does not answer) is no verdict on the receiver, and must not lose the event.
      log.error({ delivery: delivery.id, err: error }, 'the delivery attempt failed on our side');
      return endOf('internal_error', null, retry(delivery));
    }
  }

  function conclude(delivery: ClaimedDelivery, result: AttemptResult): AttemptEnd {
    switch (result.kind) {
      case 'delivered':
        return {
          ...endOf('delivered', null, { kind: 'end', state: 'delivered' }, result.status),
          receiver: 'up',
          disable: result.disable ? 'receiver_asked' : null,
        };
      case 'gone': {
        const disable = !result.disable ? null : result.status === 410 ? 'gone' : 'receiver_asked';
        const end = endOf('gone', null, { kind: 'end', state: 'aborted', reason: disable ?? 'receiver_aborted' }, result.status, masked(result.answerPreview));
        return { ...end, receiver: 'up', disable };
      }
      case 'blocked':
        return endOf('blocked_address', result.detail, { kind: 'end', state: 'dead', reason: 'blocked_address' });
      case 'failed': {
        const cancelled = result.reason === 'cancelled';
        const next = cancelled ? ({ kind: 'retry', inSeconds: 0 } as const) : retry(delivery, result.retryAfterSeconds);
        return { ...endOf(result.reason, result.detail, next, result.status ?? null, masked(result.answerPreview)), receiver: cancelled ? null : 'down' };
      }
    }
  }

  function retry(delivery: ClaimedDelivery, retryAfterSeconds?: number): Next {
    // Somebody looks at what comes of a test now, not tomorrow.
    if (delivery.event === 'endpoint.tested') return { kind: 'end', state: 'dead', reason: 'test_failed' };
    const delay = nextAttempt(delivery.attempt, options.random(), retryAfterSeconds);
    return delay === 'exhausted' ? { kind: 'end', state: 'dead', reason: 'attempts_exhausted' } : { kind: 'retry', inSeconds: delay };
  }

  function endOf(result: string, detail: string | null, next: Next, status: number | null = null, preview: string | null = null): AttemptEnd {
    // A wait is counted from the very end of the attempt.
    const finished_at = clock.now();
    const then = next.kind === 'retry' ? ({ kind: 'retry', at: addSeconds(finished_at, next.inSeconds) } as const) : next;
    return { finished_at, status, result, detail, answer_preview: preview, next: then };
  }

  function masked(preview: string | undefined): string | null {
    return preview === undefined ? null : options.maskPreview(preview);
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

/** A claim that this worker has, until it is given back or written down. */
interface Out {
  delivery: ClaimedDelivery;
  /** Ends the attempt: the service stops, or the lease is somebody else's. */
  cutOff: AbortController;
  /** By our clock, counted from before the lease was asked for. */
  leaseEndMs: number;
}

/** What an attempt says of the receiver: up, down, or (null) nothing. */
function verdictOf(end: AttemptEnd | 'lost' | 'held'): boolean | null {
  if (typeof end === 'string') return null;
  return end.receiver === 'up' ? true : end.receiver === 'down' ? false : null;
}
