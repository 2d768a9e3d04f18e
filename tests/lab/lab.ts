import { setTimeout as delay } from 'node:timers/promises';
import { verifiedByOfficialPackage } from '../support/callback-receiver.js';
import { until } from '../support/until.js';
import { startHostileReceiver } from './hostile-receiver.js';
import { checkLab } from './lab-check.js';
import { type Clients, startClients } from './lab-clients.js';
import { bringFaults } from './lab-faults.js';
import { type LabWorld, ROLES, startLabWorld } from './lab-world.js';
import { Choices } from './scheduler.js';

export interface LabOptions {
  seed: number;
  /** Faults come for at least so long, and until every client has got its answers or twice this is over. */
  seconds: number;
  requests: number;
  connections: number;
  /** redis-server; without it the queue is on PostgreSQL. */
  redisPath: string | undefined;
  say(line: string): void;
}

export interface LabResult {
  violations: string[];
  faults: Record<string, number>;
  answers: Record<string, number>;
  counts: Record<string, number>;
}

/** How long the healed system may take until nothing waits any more. */
const QUIET_MS = 90_000;

/** Runs the server in processes of their own under load and faults, heals everything, and holds every invariant against what is there. */
export async function runLab(options: LabOptions): Promise<LabResult> {
  const { say } = options;
  // Each has choices of its own, so that one's pace does not change what the others do.
  const choices = (of: number): Choices => new Choices(options.seed * 10 + of);
  let secret = '';
  const receivers = await Promise.all([1, 2, 3].map(() => startHostileReceiver((attempt) => problemOf(() => verifiedByOfficialPackage(attempt, secret)))));
  let world: LabWorld | null = null;
  try {
    world = await startLabWorld(options.redisPath);
    secret = world.held.webhookSecret;
    say(
      `${ROLES.join(', ')} on PostgreSQL${world.redis === null ? '' : ' and Redis'}; ${options.requests} requests, faults for ${options.seconds} s, seed ${options.seed}`,
    );
    const paceMs = Math.max(10, (options.seconds * 1000 * options.connections) / options.requests / 2);
    const clients = startClients({
      api: world.api,
      held: world.held,
      choices: choices(1),
      callbacks: receivers.map(({ url }) => url),
      requests: options.requests,
      connections: options.connections,
      paceMs,
    });
    const faults = await bringFaults(world, receivers, choices(2), endOf(clients, options.seconds));
    say('everything is healed');
    for (const receiver of receivers) receiver.mood('takes');
    await clients.done;
    await heal(world);
    const checked = await checkLab({ world, receivers, stories: clients.stories });
    return { ...checked, faults, answers: clients.counts };
  } finally {
    await Promise.all(receivers.map((receiver) => receiver.close()));
    await world?.close();
  }
}

function endOf(clients: Clients, seconds: number): () => boolean {
  const started = Date.now();
  let done = false;
  void clients.done.then(() => (done = true));
  return () => Date.now() - started > (done ? seconds : 2 * seconds) * 1000;
}

/** New workers, which know of no receiver that was down; and time is moved forward for what waits for its next try. */
async function heal(world: LabWorld): Promise<void> {
  await Promise.all([world.killRole('decisions-1'), world.killRole('decisions-2')]);
  const waiting = async (): Promise<number> => {
    await world.sql(`UPDATE deliveries SET next_attempt_at = now() WHERE state = 'pending' AND leased_until IS NULL`);
    const [row] = await world.sql<{
      waiting: number;
    }>(`SELECT (SELECT count(*) FROM deliveries WHERE state = 'pending')::int + (SELECT count(*) FROM ledger_unplaced)::int
      + (SELECT count(*) FROM action_requests WHERE status = 'pending' AND expires_at < now() + interval '10 seconds')::int AS waiting`);
    await delay(500);
    return row?.waiting ?? 1;
  };
  // What is left then is a violation, and named as such.
  await until(async () => (await waiting()) === 0, 'quiet', QUIET_MS).catch(() => {});
}

function problemOf(check: () => unknown): string | null {
  try {
    check();
    return null;
  } catch (error) {
    return String(error);
  }
}
