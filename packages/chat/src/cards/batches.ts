import type { ActionRequestRecord, BatchTask } from '@countersign/core/ports';
import { digestOf } from '@countersign/core/request';
import { batchMessage } from './batch-message.js';
import { PlatformError } from '../errors.js';
import type { ChatPlatform } from '../platform.js';
import type { ChatWorld } from '../world.js';

const LEASE_SECONDS = 60;
const AT_ONCE = 4;

export interface BatchDeps {
  platform: ChatPlatform;
  world: Pick<ChatWorld, 'requests' | 'card' | 'publicUrl' | 'log'> & { store: Pick<ChatWorld['store'], 'batches'> };
  onFault(fault: { request_id: string; attempts: number; error: unknown }): void;
}

/** Messages that list many requests: which request is listed in one, and what they show. Each is one writer's at a time, whoever changed what. */
export function createBatches({ platform, world, onFault }: BatchDeps) {
  const { batches } = world.store;

  /** Whether the request is listed in a message of the place, and has no card of its own there. */
  async function join(request: ActionRequestRecord, place: string): Promise<'listed' | 'lost' | null> {
    const batch = request.requirement?.batch;
    if (platform.batch === undefined || batch === undefined) return null;
    const { tenant, id, created_at, view, evaluation, requester } = request;
    const alike = { action: view.action, rules: evaluation.rules, requester_id: requester.id };
    return batches.join({ tenant, platform: platform.name, place, request: { id, created_at, ...alike }, ...batch });
  }

  /** The messages that list the request are looked at. */
  async function touch(request: ActionRequestRecord): Promise<void> {
    if (platform.batch === undefined || request.requirement?.batch === undefined) return;
    await batches.touch(request.tenant, platform.name, request.id);
  }

  /** Brings every message that is due up to date; whether there was one. */
  async function drain(): Promise<boolean> {
    if (platform.batch === undefined) return false;
    const due = await batches.claim(platform.name, AT_ONCE, LEASE_SECONDS);
    await Promise.all(due.map((batch) => work(batch)));
    return due.length > 0;
  }

  async function work(batch: BatchTask): Promise<void> {
    try {
      await show(batch);
    } catch (error) {
      if (error instanceof PlatformError && (error.code === 'gone' || error.code === 'refused')) {
        world.log.warn({ err: error, place: batch.place }, 'a message that lists requests cannot be shown; each gets a card of its own, or the standing place');
        await batches.ended(batch, batch.state === 'posted' ? 'lost' : 'failed');
        return;
      }
      onFault({ request_id: batch.requests[0] ?? '', attempts: batch.tries, error });
      const wait = error instanceof PlatformError ? error.retryAfterSeconds : null;
      await batches.retry(batch, wait ?? Math.min(60, 2 ** Math.min(batch.tries, 6)));
    }
  }

  async function show(batch: BatchTask): Promise<void> {
    const { batch: messages } = platform;
    if (messages === undefined) return;
    const states = (await Promise.all(batch.requests.map((id) => world.requests.state(batch.tenant, id)))).filter((state) => state !== null);
    const { message, listed } = batchMessage(world, states);
    const closed = states.every(({ request }) => request.status !== 'pending');
    const digest = digestOf(structuredClone(message) as never); // plain JSON, which its readonly members do not say
    if (batch.state === 'posted' && batch.ref !== null) {
      if (batch.shown_digest !== digest) await messages.update(batch.ref, message, batch.id);
      return batches.shown(batch, { ref: batch.ref, digest, closed, listed });
    }
    const found = batch.tries > 1 ? await platform.find(batch.place, batch.id) : null;
    // All of it was settled before anybody saw it.
    if (found === null && closed) return batches.ended(batch, 'lost');
    const ref = found ?? (await messages.post(batch.place, message, batch.id));
    if (found !== null) await messages.update(found, message, batch.id);
    await batches.shown(batch, { ref, digest, closed, listed });
  }

  return { join, touch, drain };
}
