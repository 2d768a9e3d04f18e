import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { LedgerStep, LedgerTail } from '@countersign/core/ports';
import { createHash } from 'node:crypto';
import { aLeaf, anOpening, TENANT } from './testing/sample-records.js';
import { storeFixture, type StoreFixture } from './testing/store-fixture.js';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await storeFixture();
});
afterAll(() => fixture.close());

const ledger = () => fixture.store.ledger;
const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Any step does here: what a right one is, is core's to say. */
async function integrate(tail: LedgerTail): Promise<LedgerStep> {
  const size = tail.size + tail.leaves.length;
  return {
    placed: tail.leaves.map((leaf, index) => ({ leaf_id: leaf.id, position: tail.size + index, hash: digest(leaf.bytes) })),
    nodes: tail.leaves.map((leaf, index) => ({ level: 1, index: tail.size + index, hash: digest(leaf.bytes) })),
    frontier: Buffer.from(`frontier ${size}`),
    size,
    root: digest(Buffer.from(String(size))),
    note: `note ${size}`,
  };
}

async function drain(tenant = TENANT): Promise<number> {
  let placed = 0;
  while ((await ledger().tenantsWithUnplacedLeaves()).includes(tenant)) placed += await ledger().sequence(tenant, 1_000, integrate);
  return placed;
}

describe('sequencing', () => {
  test('leaves get positions without gaps, with nodes and a checkpoint, and the next step continues where this one ended', async () => {
    await drain();
    const before = (await ledger().checkpoint(TENANT))?.size ?? 0;
    const leaves = Array.from({ length: 5 }, () => aLeaf('subject-a'));
    await fixture.store.requests.record(TENANT, leaves);
    const tails: LedgerTail[] = [];
    for (let step = 0; step < 3; step += 1) {
      await ledger().sequence(TENANT, 2, async (tail) => {
        tails.push(tail);
        return integrate(tail);
      });
    }
    expect(tails.map((tail) => [tail.size - before, tail.leaves.length])).toEqual([
      [0, 2],
      [2, 2],
      [4, 1],
    ]);
    expect(Buffer.from(tails[1]?.frontier ?? []).toString()).toBe(`frontier ${before + 2}`);
    expect(tails.flatMap((tail) => tail.leaves.map((leaf) => leaf.id))).toEqual(leaves.map((leaf) => leaf.id).sort());
    const timeline = await fixture.store.requests.timeline(TENANT, 'subject-a');
    expect(timeline.map((leaf) => leaf.position ?? -1).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4].map((index) => before + index));
    expect(await ledger().checkpoint(TENANT)).toEqual({ size: before + 5, note: `note ${before + 5}` });
    expect(await ledger().sequence(TENANT, 10, integrate)).toBe(0);

    const entries = await ledger().entries(TENANT, before, before + 5);
    expect((await ledger().leafHashes(TENANT, before, before + 5)).map((hash) => Buffer.from(hash).toString('hex'))).toEqual(
      entries.map((entry) => digest(entry).toString('hex')),
    );
    expect(await ledger().nodeHashes(TENANT, 1, before + 1, before + 3)).toHaveLength(2);
    expect(await ledger().nodeHashes(TENANT, 2, 0, 100)).toEqual([]);
  });

  test('I10: intake and four sequencers at once: every leaf has one position, and there are no gaps', async () => {
    const commits = Array.from({ length: 60 }, () => anOpening());
    const intakeIs = { done: false };
    const intake = (async () => {
      for (let index = 0; index < commits.length; index += 6)
        await Promise.all(commits.slice(index, index + 6).map((commit) => fixture.store.requests.open(commit)));
      intakeIs.done = true;
    })();
    const sequencers = Array.from({ length: 4 }, async () => {
      while (!intakeIs.done) await ledger().sequence(TENANT, 7, integrate);
    });
    await Promise.all([intake, ...sequencers]);
    await drain();
    const [row] = await fixture.sql<{ leaves: number; entries: number; first: number; last: number }>(
      `SELECT (SELECT count(*)::int FROM ledger_leaves WHERE tenant = $1) AS leaves, count(*)::int AS entries, min(position)::int AS first, max(position)::int AS last FROM ledger_entries WHERE tenant = $1`,
      [TENANT],
    );
    expect(row?.first).toBe(0);
    expect(row?.last).toBe((row?.entries ?? 0) - 1);
    expect(row?.entries).toBe(row?.leaves);
    const sizes: number[] = [];
    for await (const checkpoint of ledger().checkpoints(TENANT)) sizes.push(checkpoint.size);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    expect(sizes.at(-1)).toBe(row?.entries);
  });

  test('a leaf that commits late is placed late, not lost', async () => {
    await drain();
    // An older leaf, written by a transaction that is still open while a younger one is placed.
    const old = aLeaf('late');
    await fixture.sql('BEGIN');
    await fixture.sql(`INSERT INTO ledger_leaves (tenant, id, event, at, subject, bytes) VALUES ($1, $2, 'policy.activated', now(), 'late', '\\x01')`, [
      TENANT,
      old.id,
    ]);
    await fixture.sql('INSERT INTO ledger_unplaced (tenant, leaf_id) VALUES ($1, $2)', [TENANT, old.id]);
    await fixture.store.requests.record(TENANT, [aLeaf('young')]);
    expect(await ledger().sequence(TENANT, 10, integrate)).toBe(1);
    await fixture.sql('COMMIT');
    expect(await ledger().sequence(TENANT, 10, integrate)).toBe(1);
    const [late] = await fixture.store.requests.timeline(TENANT, 'late');
    const [young] = await fixture.store.requests.timeline(TENANT, 'young');
    expect(late?.position).toBe((young?.position ?? -2) + 1);
  });

  test('a step that fails leaves everything as it was', async () => {
    await drain();
    await fixture.store.requests.record(TENANT, [aLeaf('failing')]);
    const before = await ledger().checkpoint(TENANT);
    await expect(ledger().sequence(TENANT, 10, () => Promise.reject(new Error('the signer is away')))).rejects.toThrow('the signer is away');
    const wrong: ((step: LedgerStep) => LedgerStep)[] = [
      (step) => ({ ...step, placed: [] }),
      (step) => ({ ...step, size: step.size + 1 }),
      (step) => ({ ...step, placed: step.placed.map((leaf) => ({ ...leaf, position: leaf.position + 1 })) }),
      (step) => ({ ...step, placed: step.placed.map((leaf) => ({ ...leaf, leaf_id: aLeaf('x').id })) }),
    ];
    for (const spoil of wrong) {
      await expect(ledger().sequence(TENANT, 10, async (tail) => spoil(await integrate(tail)))).rejects.toMatchObject({ code: 'refused' });
    }
    expect(await ledger().checkpoint(TENANT)).toEqual(before);
    expect(await drain()).toBe(1);
  });
});
