import type { Backlog, LedgerStore, RequestStore, Signer, SweepStore, TimerRecord, TimerStore, WorkTopic } from '@countersign/core/ports';
import { pacedLoop } from './paced-loop.js';
import { sequenceLedger } from './sequencer.js';

export interface DecisionsDeps {
  requests: Pick<RequestStore, 'due'>;
  ledger: LedgerStore;
  timers: Pick<TimerStore, 'due'>;
  /** Fires one timer, where it still has something to tell (core/flow). */
  fire(timer: TimerRecord & { tenant: string }): Promise<unknown>;
  sweep: SweepStore;
  /** Settles one request whose time is over (core/flow). */
  expire(target: { tenant: string; request_id: string }): Promise<unknown>;
  /**
   * Claims and attempts what is due, and resolves when those attempts have ended. Calls overlap, so that a slow receiver keeps
   * nobody waiting. `full`: there may be more; `later`: something is to be tried again.
   */
  deliver(): Promise<{ full: boolean; later: boolean }>;
  /** Ends deliveries under way. */
  stopDelivering(): Promise<void>;
  /** Puts approved changes of the configuration into effect, and ends freezes whose time is over. */
  settleControl?(): Promise<void>;
  /** Makes the digests of what waits that are due. */
  makeDigests?(): Promise<unknown>;
  checkpointSigner(): Signer;
  /** The log's name in its checkpoints. */
  origin(tenant: string): string;
  /** Tells other workers of what a sweep found waiting for them. */
  announce(topic: WorkTopic): void;
  onFault(fault: { task: 'expire' | 'timers' | 'control' | 'digests' | 'clean' | 'deliver' | 'sequence' | 'sweep'; error: unknown }): void;
  onBacklog?(backlog: Backlog): void;
}

/** How often the sweep looks whether a wake-up got lost. */
const SWEEP_MS = 5000;
/** Leaves of a burst share a checkpoint: at most so many checkpoints a second, and a leaf waits no longer than that. */
const CHECKPOINT_SPACING_MS = 200;
const EXPIRE_BATCH = 100;
const TIMER_BATCH = 100;
const OVERDUE_MS = 1000;
/** How often what nobody needs any more is looked for. */
const CLEAN_MS = 3_600_000;

/** The role that settles, expires, delivers and sequences. What it does is driven by state in the store, never by what it was told. */
export interface Decisions {
  start(): void;
  /** A commit left work of that topic. */
  wake(topic: WorkTopic): void;
  /** Looks for everything that is due, now. */
  sweep(): Promise<void>;
  /** Resolves when no work is under way. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export function createDecisions(deps: DecisionsDeps): Decisions {
  const fault = (task: Parameters<DecisionsDeps['onFault']>[0]['task']) => (error: unknown) => deps.onFault({ task, error });
  const underway = new Set<Promise<void>>();
  const deliveries = pacedLoop(startDelivering, { spacingMs: 1, onFault: fault('deliver') });
  const sequencing = pacedLoop(
    async () => {
      await sequenceLedger(deps.ledger, { origin: deps.origin, signer: deps.checkpointSigner });
    },
    { spacingMs: CHECKPOINT_SPACING_MS, onFault: fault('sequence') },
  );
  const expiry = pacedLoop(expireDue, { spacingMs: 50, onFault: fault('expire') });
  const control = pacedLoop(async () => deps.settleControl?.(), { spacingMs: 100, onFault: fault('control') });
  const digests = pacedLoop(async () => void (await deps.makeDigests?.()), { spacingMs: 1000, onFault: fault('digests') });
  const cleaning = pacedLoop(() => deps.sweep.clean(), { spacingMs: 0, onFault: fault('clean') });
  const timers = pacedLoop(fireDue, { spacingMs: 50, onFault: fault('timers') });
  const sweeping = pacedLoop(sweepOnce, { spacingMs: 0, onFault: fault('sweep') });
  let interval: NodeJS.Timeout | null = null;
  let next: NodeJS.Timeout | null = null;
  let stopped = false;
  let cleanedAt = Number.NEGATIVE_INFINITY;

  /** Starts and does not wait: the next wake-up must not wait for this one's receivers. */
  function startDelivering(): Promise<void> {
    const attempt = deps
      .deliver()
      .then(async ({ full, later }) => {
        if (full) deliveries.wake();
        if (later && !stopped) await planNext();
      })
      .catch(fault('deliver'))
      .finally(() => underway.delete(attempt));
    underway.add(attempt);
    return Promise.resolve();
  }

  async function expireDue(): Promise<void> {
    for (;;) {
      const due = await deps.requests.due(EXPIRE_BATCH);
      for (const target of due) {
        if (stopped) return;
        // One request that does not settle must not keep the others from it.
        await deps.expire(target).catch(fault('expire'));
      }
      if (due.length < EXPIRE_BATCH) return;
    }
  }

  async function fireDue(): Promise<void> {
    for (;;) {
      const due = await deps.timers.due(TIMER_BATCH);
      let failed = false;
      for (const timer of due) {
        if (stopped) return;
        await deps.fire(timer).catch((error: unknown) => {
          failed = true;
          fault('timers')(error);
        });
      }
      // One that cannot be fired stays due: the sweep looks again, and this does not spin.
      if (due.length < TIMER_BATCH || failed) return;
    }
  }

  async function sweepOnce(): Promise<void> {
    const backlog = await deps.sweep.backlog();
    deps.onBacklog?.(backlog);
    control.wake();
    digests.wake();
    if (performance.now() - cleanedAt >= CLEAN_MS) {
      cleanedAt = performance.now();
      cleaning.wake();
    }
    if (backlog.due_requests > 0) expiry.wake();
    if (backlog.due_timers > 0) timers.wake();
    if (backlog.due_deliveries > 0) deliveries.wake();
    if (backlog.unplaced_leaves > 0) sequencing.wake();
    if ([backlog.due_cards, backlog.due_notices].some((due) => Object.values(due).some((count) => count > 0))) deps.announce('cards');
    arm(backlog.next_due_at);
  }

  /** After deliveries the nearest retry may be nearer than the next sweep. */
  async function planNext(): Promise<void> {
    arm((await deps.sweep.backlog()).next_due_at);
  }

  function arm(nextDueAt: string | null): void {
    if (next !== null) clearTimeout(next);
    next = null;
    if (nextDueAt === null || stopped) return;
    const wait = Date.parse(nextDueAt) - Date.now();
    // Beyond the next sweep, that sweep arms again. What is overdue (another worker's lease, a request that does not settle) is no reason to spin.
    if (wait < SWEEP_MS) next = setTimeout(() => sweeping.wake(), wait > 0 ? wait + 5 : OVERDUE_MS);
  }

  return {
    start() {
      sweeping.wake();
      interval = setInterval(() => sweeping.wake(), SWEEP_MS);
    },
    wake(topic) {
      if (topic === 'deliveries') deliveries.wake();
      else if (topic === 'decisions') {
        sequencing.wake();
        control.wake();
      }
    },
    async sweep() {
      sweeping.wake();
      await sweeping.idle();
    },
    async idle() {
      await Promise.all([sweeping.idle(), expiry.idle(), timers.idle(), control.idle(), digests.idle(), cleaning.idle(), deliveries.idle(), sequencing.idle()]);
      await Promise.all(underway);
    },
    async stop() {
      stopped = true;
      if (interval !== null) clearInterval(interval);
      if (next !== null) clearTimeout(next);
      await deps.stopDelivering();
      await Promise.all([
        sweeping.stop(),
        expiry.stop(),
        timers.stop(),
        control.stop(),
        digests.stop(),
        cleaning.stop(),
        deliveries.stop(),
        sequencing.stop(),
        ...underway,
      ]);
    },
  };
}
