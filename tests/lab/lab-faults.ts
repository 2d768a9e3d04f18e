import { setTimeout as delay } from 'node:timers/promises';
import type { HostileReceiver } from './hostile-receiver.js';
import { MOODS } from './hostile-receiver.js';
import type { LabWorld, RoleName } from './lab-world.js';
import { ROLES } from './lab-world.js';
import type { Choices } from './scheduler.js';

/**
 * Named crash points, had without a line in the product: a lock keeps the statement that writes the table waiting, and the process is
 * killed while it waits. `commits`: the lock is given up after the kill, and PostgreSQL runs the statement to its end though nobody
 * hears of it; otherwise the statement is ended with the process.
 */
const CRASH_POINTS: Record<string, { table: string; roles: readonly RoleName[] }> = {
  open: { table: 'idempotency_keys', roles: ['intake'] },
  decide: { table: 'decisions', roles: ['intake'] },
  settle: { table: 'outcomes', roles: ['intake', 'decisions-1', 'decisions-2'] },
  claim: { table: 'delivery_attempts', roles: ['decisions-1', 'decisions-2'] },
  record: { table: 'ledger_leaves', roles: ROLES },
  sequence: { table: 'ledger_checkpoints', roles: ['decisions-1', 'decisions-2'] },
};
const CRASH_POINT_MS = 1_500;
/** Longer than a delivery's lease (10 s). */
const BEYOND_LEASE_MS = 12_000;

type Fault = [name: string, bring: () => Promise<unknown>];

/** Brings one fault after another, as the seed says, until `over`; gives how often each happened. */
export async function bringFaults(
  world: LabWorld,
  receivers: readonly HostileReceiver[],
  choices: Choices,
  over: () => boolean,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const names = Object.keys(CRASH_POINTS);
  const deaths: Fault[] = [
    ...ROLES.map((role): Fault => [`SIGKILL ${role}`, () => world.killRole(role)]),
    ...names.flatMap((name): Fault[] => [
      [`killed at ${name}, committed`, () => crashAt(world, name, true)],
      [`killed at ${name}, not committed`, () => crashAt(world, name, false)],
    ]),
    ['PostgreSQL immediate stop', () => world.stopPostgres()],
    ['PostgreSQL immediate stop', () => world.stopPostgres()],
  ];
  const { redis } = world;
  const absences: Fault[] = [
    ['SIGSTOP intake', () => world.pauseRole('intake', 500 + choices.below(1_500))],
    ...(redis === null
      ? []
      : ([
          ['Redis FLUSHALL', () => redis.command('FLUSHALL')],
          [
            'Redis killed',
            () =>
              redis
                .kill()
                .then(() => delay(choices.below(2_000)))
                .then(() => redis.restart()),
          ],
        ] satisfies Fault[])),
  ];
  const sleeps: Fault[] = [
    ['SIGSTOP decisions beyond the lease', () => world.pauseRole(choices.pick(['decisions-1', 'decisions-2'] as const), BEYOND_LEASE_MS)],
    ['all decisions awake', () => delay(3_000)],
  ];
  const bring = async (faults: readonly Fault[]): Promise<void> => {
    for (let round = choices.shuffled(faults); !over(); round = choices.shuffled(faults)) {
      for (const [name, fault] of round) {
        if (over()) return;
        if ((await fault()) !== false) counts[name] = (counts[name] ?? 0) + 1;
        await delay(choices.below(600));
      }
    }
  };
  const upset = async (): Promise<void> => {
    while (!over()) {
      const mood = choices.chance(0.4) ? 'takes' : choices.pick(MOODS);
      choices.pick(receivers).mood(mood);
      counts[`receiver ${mood}`] = (counts[`receiver ${mood}`] ?? 0) + 1;
      await delay(200 + choices.below(1_200));
    }
  };
  // Whoever is stopped may be killed meanwhile; only one at a time is killed and started again.
  await Promise.all([bring(deaths), bring(absences), bring(sleeps), upset()]);
  return counts;
}

/** False where nobody came by in time. */
async function crashAt(world: LabWorld, name: string, commits: boolean): Promise<boolean> {
  const point = CRASH_POINTS[name];
  if (point === undefined) throw new Error(`there is no crash point ${name}`);
  const client = await world.connect().catch(() => null);
  if (client === null) return false;
  try {
    await client.query('BEGIN');
    await client.query(`LOCK TABLE ${point.table} IN SHARE ROW EXCLUSIVE MODE`);
    const deadline = Date.now() + CRASH_POINT_MS;
    while (Date.now() < deadline) {
      const { rows } = await client.query<{ pid: number; role: RoleName }>(
        `SELECT pid, application_name AS role FROM pg_stat_activity WHERE application_name = ANY ($1) AND pg_backend_pid() = ANY (pg_blocking_pids(pid))`,
        [point.roles],
      );
      const [waiting] = rows;
      if (waiting === undefined) {
        await delay(20);
        continue;
      }
      await world.killRole(waiting.role, async () => {
        if (!commits) await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [waiting.role]);
        await client.query('ROLLBACK');
      });
      return true;
    }
    return false;
  } catch (error) {
    // The database went away under the lock: PostgreSQL has given it up.
    if (/terminat|connection|recovery|shutting down|starting up/i.test(String(error))) return false;
    throw error;
  } finally {
    await client.end().catch(() => {});
  }
}
