import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Names the folder in which the first suite that asks starts the run's PostgreSQL (postgres.ts); a run that needs none starts none. */
export default function setUp() {
  process.env['COUNTERSIGN_TEST_CLUSTER'] = mkdtempSync(join(tmpdir(), 'countersign-tests-'));
  process.env['COUNTERSIGN_TEST_RUN'] = String(process.pid);
}
