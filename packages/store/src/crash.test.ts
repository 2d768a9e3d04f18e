import { expect, test } from '@jest/globals';
import { startTestServer } from '@countersign/dev-env/postgres';
import { openStore } from './store.js';
import { ALICE, anOpening, aSettling, TENANT } from './testing/sample-records.js';
import { seed } from './testing/store-fixture.js';

test('I1, I4: PostgreSQL is killed again and again under load: what was acknowledged is there, once and whole', async () => {
  const own = await startTestServer();
  const { server } = own;
  const store = openStore({ url: server.appUrl, connections: 6, patienceMs: 20_000 });
  try {
    await seed(store);
    const acknowledged: string[] = [];
    const total = 240;
    let started = 0;
    const caller = async (): Promise<void> => {
      while (started < total) {
        started += 1;
        const commit = anOpening();
        expect(await store.requests.open(commit)).toEqual({ kind: 'committed' });
        expect(await store.requests.change(aSettling(commit.request.id, ALICE))).toEqual({ kind: 'committed' });
        acknowledged.push(commit.request.id);
        // Each at another point of other callers' statements.
        if (acknowledged.length % 60 === 30) process.kill(server.pid, 'SIGKILL');
      }
    };
    await Promise.all(Array.from({ length: 6 }, caller));
    expect(acknowledged).toHaveLength(total);
    for (const id of acknowledged) {
      const state = await store.requests.state(TENANT, id);
      expect(state?.request).toMatchObject({ status: 'approved', version: 2 });
      expect([state?.decisions.length, state?.outcomes.length]).toEqual([1, 1]);
      expect(await store.requests.timeline(TENANT, id)).toHaveLength(3);
      expect(await store.deliveries.list(TENANT, id)).toHaveLength(1);
    }
    expect((await store.requests.list(TENANT, { limit: 1_000, reader: { kind: 'all' } })).map((state) => state.request.id).sort()).toEqual(
      [...acknowledged].sort(),
    );
  } finally {
    await store.close();
    await server.stop();
    await own.remove();
  }
}, 120_000);
