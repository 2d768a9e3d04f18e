import { cardOf } from '@countersign/core/card';
import type { CardTask, PostedCard, RequestState } from '@countersign/core/ports';
import { createBatches } from './batches.js';
import { epochMs } from '@countersign/core/request';
import { PlatformError } from '../errors.js';
import type { Messenger } from '../message.js';
import { createMisroutes } from '../routing/misroutes.js';
import type { ChatPlatform } from '../platform.js';
import { createRuns } from '../runs.js';
import type { Destination, Route } from '../routing/routing.js';
import type { ChatWorld } from '../world.js';

/** How long a worker may hold a task before another takes it over, in seconds. */
const LEASE_SECONDS = 60;
const BATCH = 16;
/** When a place that showed nothing is tried again, in case somebody mended it, in seconds. */
const TRIED_AGAIN_SECONDS = 600;

/** How often a worker says that it is there, in milliseconds. */
const ATTENDED_MS = 60_000;

export interface CardWorkerDeps {
  platform: ChatPlatform;
  /** Finds the places that policy names. */
  messenger: Pick<Messenger, 'channel' | 'direct'>;
  world: Pick<ChatWorld, 'tenant' | 'requests' | 'router' | 'card' | 'publicUrl' | 'log'> & {
    store: Pick<ChatWorld['store'], 'cards' | 'routing' | 'batches'>;
    flow: Pick<ChatWorld['flow'], 'clock' | 'entropy'>;
  };
  /** Told of each fault; the work is tried again by itself. */
  onFault(fault: { request_id: string; attempts: number; error: unknown }): void;
  /** Told of each message that was posted or brought up to date. */
  onShown?(shown: { request_id: string; kind: 'posted' | 'updated' }): void;
}

/** What became of a card at a place. `listed`: a message there that lists many has it; `lost`: it was shown there, and is no more; `fault`: it is tried again by itself. */
type Shown = 'shown' | 'listed' | 'lost' | 'failed' | 'fault';

/**
 * Brings the posted cards of requests up to date: posts where there is none, updates where the request went on. It looks at
 * how things stand, not at what happened, so that a lost wake-up, a crash between post and record, or an hour without
 * the platform heal by themselves. Where policy's own places show nothing, the platform's standing places do.
 */
export function createCardWorker(deps: CardWorkerDeps) {
  const { platform, world } = deps;
  const { cards } = world.store;
  const misroutes = createMisroutes(platform.name, world);
  const batches = createBatches(deps);
  /** Works until nothing is due. */
  const runs = createRuns(async (stopped) => {
    await attend();
    let done = 0;
    while (!stopped()) {
      const tasks = await cards.claim(platform.name, BATCH, LEASE_SECONDS);
      await Promise.all(tasks.map((task) => work(task)));
      done += tasks.length;
      // What many requests changed in a message that lists them is written once.
      const drained = tasks.length < BATCH && (await batches.drain());
      if (tasks.length === 0 && !drained) break;
    }
    return done;
  });

  let attendedAt = Number.NEGATIVE_INFINITY;
  /** Says now and then that somebody works here; what cannot say so is told elsewhere. */
  async function attend(): Promise<void> {
    const now = epochMs(world.flow.clock.now());
    if (now - attendedAt < ATTENDED_MS) return;
    await cards.attended(world.tenant, platform.name);
    attendedAt = now;
  }

  async function work(task: CardTask): Promise<void> {
    try {
      const state = await world.requests.state(task.tenant, task.request_id);
      const whole = state === null || (await reconcile(state));
      await (whole ? cards.finish(task) : cards.retry(task, TRIED_AGAIN_SECONDS));
    } catch (error) {
      deps.onFault({ request_id: task.request_id, attempts: task.attempts, error });
      await cards.retry(task, delayAfter(task.attempts, error));
    }
  }

  /** False where some place that should show it does not, which only people can mend. */
  async function reconcile(state: RequestState): Promise<boolean> {
    const { request } = state;
    const known = new Map((await cards.posted(request.tenant, platform.name, request.id)).map((card) => [card.place, card]));
    const faults: unknown[] = [];
    const tried = new Map<string, Promise<Shown>>();
    let whole = true;

    /** Shows the card at a place, once in a run. One place that fails does not keep the others from being shown. */
    function showAt(place: string, target: string): Promise<Shown> {
      const before = tried.get(place);
      if (before !== undefined) return before;
      const showing = attempt(target, async () => {
        const row = known.get(place);
        const listed = row === undefined && request.status === 'pending' ? await batches.join(request, place) : null;
        if (listed !== null) return listed;
        // A row of this very run: nothing was posted for it yet, so nothing has to be looked for.
        const card = row ?? (await cards.posting({ tenant: request.tenant, platform: platform.name, request_id: request.id, place }));
        return show(card, state, row === undefined);
      });
      tried.set(place, showing);
      return showing;
    }

    async function attempt(target: string, work: () => Promise<Shown>): Promise<Shown> {
      try {
        const shown = await work();
        if (shown === 'shown') await misroutes.mended([target]);
        return shown;
      } catch (error) {
        if (!isLasting(error)) {
          faults.push(error);
          return 'fault';
        }
        whole = false;
        await misroutes.failed(target, error);
        return 'failed';
      }
    }

    function showTo(destination: Destination): Promise<Shown> {
      const target = nameOf(destination);
      if (misroutes.isFresh(target)) {
        whole = false;
        return Promise.resolve('failed');
      }
      return attempt(target, async () => {
        const place = await placeOf(deps.messenger, destination);
        return showAt(place, target);
      });
    }

    async function isServed({ destinations }: Route): Promise<boolean> {
      const shown = await Promise.all(destinations.map(showTo));
      return shown.some((each) => each === 'shown' || each === 'listed' || each === 'fault');
    }

    if (request.status === 'pending') {
      const routes = await world.router.routes(request, platform.name);
      const served = await Promise.all(routes.routes.map(isServed));
      for (const { target, text, lasting } of routes.problems) {
        whole &&= !lasting;
        await misroutes.problem(target, text, { lasting, request_id: request.id });
      }
      await misroutes.sound(routes.sound);
      if (routes.standing || served.includes(false)) {
        await attempt('standing', async () => {
          const places = await platform.standing(request);
          if (places.length === 0 && !(routes.standing && routes.problems.length === 0)) throw new PlatformError('gone', 'No standing place is configured');
          await Promise.all(places.map((place) => showAt(place, `standing ${place}`)));
          return 'shown';
        });
      }
    }
    // What was posted before and is no place of it any more is kept up to date all the same.
    for (const { place } of known.values()) await showAt(place, `place ${place}`);
    await batches.touch(request);
    if (faults.length > 0) throw faults[0];
    return whole;
  }

  async function show(posted: PostedCard, state: RequestState, fresh: boolean): Promise<Shown> {
    const { request } = state;
    const card = cardOf(state, world.card);
    const closed = request.status !== 'pending';
    if (posted.state === 'posting') {
      const lost = fresh ? null : await find(posted, closed);
      if (lost === null && closed) return 'lost';
      const ref = lost ?? (await platform.post(posted.place, card, posted.id));
      if (lost !== null) await platform.update(lost, card, posted.id);
      await cards.shown(posted, { ref, version: request.version, closed });
      deps.onShown?.({ request_id: request.id, kind: 'posted' });
      return 'shown';
    }
    if (posted.shown_version >= request.version || posted.ref === null) return 'shown';
    let shown: Shown = 'shown';
    try {
      await platform.update(posted.ref, card, posted.id);
    } catch (error) {
      // Somebody deleted the message, or removed the bot: there is nothing left to bring up to date.
      if (!(error instanceof PlatformError && error.code === 'gone')) throw error;
      shown = 'lost';
    }
    await cards.shown(posted, { ref: posted.ref, version: request.version, closed });
    deps.onShown?.({ request_id: request.id, kind: 'updated' });
    return shown;
  }

  /** A post whose answer was lost. A place that is gone has nothing to be closed. */
  async function find(posted: PostedCard, closed: boolean) {
    try {
      return await platform.find(posted.place, posted.id);
    } catch (error) {
      if (closed && isLasting(error)) return null;
      throw error;
    }
  }

  return runs;
}

/** Whether trying again changes nothing until somebody mends it. */
const isLasting = (error: unknown): boolean => error instanceof PlatformError && (error.code === 'gone' || error.code === 'refused');

/** As failures of it are called. */
function nameOf(destination: Destination): string {
  return destination.kind === 'channel' ? `channel ${destination.name}` : `account ${destination.account.workspace}/${destination.account.user}`;
}

async function placeOf(messenger: CardWorkerDeps['messenger'], destination: Destination): Promise<string> {
  if (destination.kind === 'channel') return messenger.channel(destination.name);
  const place = await messenger.direct(destination.account);
  if (place === null) throw new PlatformError('gone', 'The account cannot be written to: it is not active, is a guest’s, or the app is not installed for it');
  return place;
}

/** 1, 2, 4 … 60 s, or what the platform asks for. */
function delayAfter(attempts: number, error: unknown): number {
  if (error instanceof PlatformError && error.retryAfterSeconds !== null) return Math.min(error.retryAfterSeconds, 600);
  return Math.min(60, 2 ** Math.min(attempts, 6));
}
