import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Ends the run's PostgreSQL, where one was started, and removes its data. */
export default async function tearDown() {
  const folder = process.env['COUNTERSIGN_TEST_CLUSTER'];
  if (folder === undefined) return;
  let pid;
  try {
    pid = JSON.parse(readFileSync(join(folder, 'cluster.json'), 'utf8')).pid;
  } catch {
    // No suite asked for it.
  }
  if (pid !== undefined) {
    const alive = () => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    // Fast shutdown; tests that left connections open do not hold it up.
    if (alive()) process.kill(pid, 'SIGINT');
    while (alive()) await delay(10);
  }
  rmSync(folder, { recursive: true, force: true });
}
