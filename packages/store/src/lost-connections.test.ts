import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { ALICE, aLeaf, anOpening, aSettling, DIGEST, TENANT } from './testing/sample-records.js';
import { openStore, type Store } from './store.js';
import { storeFixture, type StoreFixture } from './testing/store-fixture.js';

/**
 * A wire between store and PostgreSQL that can be cut after a statement has gone out and before its answer comes back: the moment in
 * which a commit is unknown.
 */
interface Wire {
  port: number;
  /** Lets PostgreSQL answer the next statement that contains the text, keeps the answer, and cuts the connection. */
  loseAnswerTo(text: string): void;
  /** Cuts the connection before the next such statement reaches PostgreSQL. */
  loseStatement(text: string): void;
  /** How many answers and statements were lost. */
  lost: number;
  close(): Promise<void>;
}

async function startWire(target: { path: string }): Promise<Wire> {
  let armed: { text: string; what: 'answer' | 'statement' } | null = null;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target);
    let cutting = false;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (bytes) => {
      if (armed !== null && bytes.includes(armed.text)) {
        wire.lost += 1;
        cutting = true;
        const { what } = armed;
        armed = null;
        if (what === 'statement') return void near.destroy();
      }
      far.write(bytes);
    });
    far.on('data', (bytes) => {
      // ReadyForQuery comes after the commit (PostgreSQL 18, 54.2.3): then the connection goes, and the answer with it.
      if (!cutting) near.write(bytes);
      else if (bytes.includes('Z\x00\x00\x00\x05')) near.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const wire: Wire = {
    port: (server.address() as AddressInfo).port, // a TCP server's address is an object
    loseAnswerTo: (text) => void (armed = { text, what: 'answer' }),
    loseStatement: (text) => void (armed = { text, what: 'statement' }),
    lost: 0,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return wire;
}

let fixture: StoreFixture;
let wire: Wire;
let store: Store;
beforeAll(async () => {
  fixture = await storeFixture();
  const url = new URL(fixture.database.appUrl);
  wire = await startWire({ path: `${url.searchParams.get('host')}/.s.PGSQL.${url.port}` });
  url.searchParams.delete('host');
  url.port = String(wire.port);
  store = openStore({ url: url.href, connections: 2 });
});
afterAll(async () => {
  await store.close();
  await wire.close();
  await fixture.close();
});

async function leaves(subject: string): Promise<number> {
  return (await fixture.store.requests.timeline(TENANT, subject)).length;
}

describe('a commit whose answer is lost is unknown, not failed', () => {
  for (const lose of ['loseAnswerTo', 'loseStatement'] as const) {
    test(`I1: opening (${lose}): committed once, and said to be`, async () => {
      const before = wire.lost;
      const commit = anOpening();
      wire[lose](commit.request.id);
      expect(await store.requests.open(commit)).toEqual({ kind: 'committed' });
      expect(wire.lost).toBe(before + 1);
      expect(await leaves(commit.request.id)).toBe(1);
    });

    test(`I2: settling (${lose}): committed once, and said to be`, async () => {
      const before = wire.lost;
      const opening = anOpening();
      await store.requests.open(opening);
      const { id } = opening.request;
      wire[lose](id);
      expect(await store.requests.change(aSettling(id, ALICE))).toEqual({ kind: 'committed' });
      expect(wire.lost).toBe(before + 1);
      expect((await fixture.store.requests.state(TENANT, id))?.request.version).toBe(2);
      expect(await leaves(id)).toBe(3);
    });

    test(`recording (${lose}): there once`, async () => {
      const leaf = aLeaf(`subject-${lose}`);
      wire[lose](leaf.subject);
      await store.requests.record(TENANT, [leaf]);
      expect(await leaves(leaf.subject)).toBe(1);
    });

    test(`activating (${lose}): there once, and it was us`, async () => {
      const digest = `${DIGEST}-${lose}`;
      wire[lose](digest);
      expect(await store.policies.activate({ tenant: 'elsewhere', digest, canonical: '', by: 'me', leaf: aLeaf(digest) })).toEqual({ changed: true });
      expect((await fixture.store.policies.active('elsewhere'))?.digest).toBe(digest);
    });
  }

  test('a lost race stays lost: somebody else settled while our connection broke', async () => {
    const opening = anOpening();
    await store.requests.open(opening);
    const { id } = opening.request;
    await fixture.store.requests.change(aSettling(id, ALICE));
    wire.loseAnswerTo(id);
    expect(await store.requests.change(aSettling(id, 'per_other'))).toEqual({ kind: 'conflict' });
    expect(await leaves(id)).toBe(3);
  });

  test('a delivery that was finished although the answer got lost is finished', async () => {
    const opening = anOpening();
    await store.requests.open(opening);
    await store.requests.change(aSettling(opening.request.id, ALICE));
    const [delivery] = await fixture.store.deliveries.list(TENANT, opening.request.id);
    const [claimed] = await store.deliveries.claim({ limit: 1, lease_seconds: 60, id: delivery?.id ?? '' });
    if (claimed === undefined) throw new Error('nothing was due');
    wire.loseAnswerTo(claimed.id);
    const leaf = aLeaf(opening.request.id, 'delivery.attempted');
    expect(
      await store.deliveries.finish(claimed, {
        finished_at: leaf.at,
        status: 200,
        result: 'delivered',
        detail: null,
        answer_preview: null,
        next: { kind: 'end', state: 'delivered' },
        leaf,
      }),
    ).toBe(true);
    expect((await fixture.store.deliveries.list(TENANT, opening.request.id))[0]?.state).toBe('delivered');
  });

  test('I17: a database that stays away is a fault after a while, never an answer', async () => {
    const away = openStore({ url: 'postgresql://countersign_app@127.0.0.1:1/none', patienceMs: 100 });
    await expect(away.requests.open(anOpening())).rejects.toMatchObject({ name: 'StoreError', code: 'unavailable' });
    await expect(away.requests.change(aSettling('ar_x', ALICE))).rejects.toMatchObject({ code: 'unavailable' });
    await expect(away.policies.active(TENANT)).rejects.toMatchObject({ name: 'StoreError' });
    await expect(away.ping()).rejects.toMatchObject({ code: 'unavailable' });
    await away.close();
  });

  test('a wrong password is said at once and not tried again', async () => {
    const url = new URL(fixture.database.appUrl);
    url.password = 'wrong';
    const locked = openStore({ url: url.href, patienceMs: 60_000 });
    await expect(locked.sweep.now()).rejects.toMatchObject({ code: 'refused' });
    await locked.close();
  });
});
