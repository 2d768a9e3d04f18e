import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fromHex, hex, utf8 } from '../request/bytes.js';
import { emptyRoot, leafHash, nodeHash } from './hashing.js';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion, type TileReader } from './proofs.js';
import { encodeTile } from './tiles.js';
import { appendLeaves, emptyTree, parseTree, rootOf, serialiseFrontier, treeOfEntries, type TileNode } from './tree.js';

/** The leaves and roots that Certificate Transparency's implementations test themselves with. */
const CT_LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(fromHex);
const CT_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** MTH of RFC 6962, section 2.1, word for word: what everything else is compared with. */
function mth(hashes: readonly Uint8Array[]): Uint8Array {
  const [only] = hashes;
  if (only === undefined) return emptyRoot();
  if (hashes.length === 1) return only;
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return nodeHash(mth(hashes.slice(0, k)), mth(hashes.slice(k)));
}

const HASHES = Array.from({ length: 1_100 }, (_, at) => leafHash(utf8(`entry ${at}`)));

/** The tiles of a tree over the first leaves of HASHES. */
function tilesOf(nodes: readonly TileNode[]): TileReader {
  return async ({ level, index, width }) => {
    const all = level === 0 ? HASHES : nodes.filter((node) => node.level === level).map(({ hash }) => hash);
    const hashes = all.slice(index * 256, index * 256 + width);
    return hashes.length === width ? encodeTile(hashes) : null;
  };
}

describe('the tree', () => {
  test('has the roots of RFC 6962 over the standard test leaves', async () => {
    for (const [size, root] of CT_ROOTS.entries()) {
      const leaves = CT_LEAVES.slice(0, size);
      expect(hex(appendLeaves(emptyTree, leaves.map(leafHash)).root)).toBe(root);
      expect(hex(rootOf(await treeOfEntries(leaves)))).toBe(root);
    }
  });

  test('has the same root however its leaves were appended, and across a database row', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 90 }), { maxLength: 8 }), (batches) => {
        let state = emptyTree;
        let from = 0;
        for (const batch of batches) {
          const before = { size: state.size, frontier: [...state.frontier] };
          const appended = appendLeaves(state, HASHES.slice(from, from + batch));
          expect(state).toEqual(before);
          from += batch;
          expect(appended.root).toEqual(mth(HASHES.slice(0, from)));
          state = parseTree(appended.state.size, serialiseFrontier(appended.state));
          expect(state).toEqual(appended.state);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('gives each tile node once, when its subtree is complete', () => {
    const nodes: TileNode[] = [];
    let state = emptyTree;
    for (let from = 0; from < HASHES.length; from += 100) {
      const appended = appendLeaves(state, HASHES.slice(from, from + 100));
      nodes.push(...appended.completedNodes);
      state = appended.state;
    }
    expect(nodes).toEqual([0, 1, 2, 3].map((index) => ({ level: 1, index, hash: mth(HASHES.slice(index * 256, (index + 1) * 256)) })));
  });

  test('completes level 2 with its 65,536th leaf', () => {
    const hash = leafHash(utf8('the same'));
    const full = appendLeaves(
      emptyTree,
      Array.from({ length: 65_536 }, () => hash),
    );
    expect(full.completedNodes).toHaveLength(257);
    expect(full.completedNodes.at(-1)).toEqual({ level: 2, index: 0, hash: full.root });
    expect(full.completedNodes.at(-2)).toMatchObject({ level: 1, index: 255 });
  });

  test('refuses a frontier that does not belong to its size', () => {
    expect(() => parseTree(3, new Uint8Array(32))).toThrow(expect.objectContaining({ code: 'ledger_malformed' }));
    expect(() => parseTree(-1, new Uint8Array(0))).toThrow(expect.objectContaining({ code: 'ledger_malformed' }));
    expect(() => appendLeaves({ size: 1, frontier: [] }, [])).toThrow(expect.objectContaining({ code: 'ledger_malformed' }));
    expect(() => appendLeaves(emptyTree, [new Uint8Array(31)])).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});

describe('proofs', () => {
  const read = tilesOf(appendLeaves(emptyTree, HASHES).completedNodes);
  const sizes = fc.integer({ min: 1, max: HASHES.length });
  const pairs = fc.tuple(sizes, fc.nat()).map(([size, any]) => ({ size, index: any % size }));

  test('I11: every leaf of every tree is proven, and no other leaf, place or root is', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, fc.nat(), async ({ size, index }, other) => {
        const claim = { leafHash: HASHES[index] ?? emptyRoot(), index, size, root: mth(HASHES.slice(0, size)), proof: await inclusionProof(index, size, read) };
        expect(verifyInclusion(claim)).toBe(true);
        expect(verifyInclusion({ ...claim, leafHash: leafHash(utf8('another')) })).toBe(false);
        expect(verifyInclusion({ ...claim, root: emptyRoot() })).toBe(false);
        expect(verifyInclusion({ ...claim, proof: [...claim.proof, emptyRoot()] })).toBe(false);
        if (other % size !== index) expect(verifyInclusion({ ...claim, index: other % size })).toBe(false);
        if (claim.proof.length > 0) expect(verifyInclusion({ ...claim, proof: claim.proof.slice(1) })).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test('I11: every tree is proven to be a beginning of every later one, and of no other', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, async (one, two) => {
        const [from, to] = [Math.min(one, two), Math.max(one, two)];
        const claim = { from, fromRoot: mth(HASHES.slice(0, from)), to, toRoot: mth(HASHES.slice(0, to)), proof: await consistencyProof(from, to, read) };
        expect(verifyConsistency(claim)).toBe(true);
        expect(verifyConsistency({ ...claim, toRoot: emptyRoot() })).toBe(false);
        expect(verifyConsistency({ ...claim, fromRoot: emptyRoot() })).toBe(false);
        expect(verifyConsistency({ ...claim, proof: [...claim.proof, emptyRoot()] })).toBe(false);
        if (claim.proof.length > 0) expect(verifyConsistency({ ...claim, proof: claim.proof.slice(0, -1) })).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test('the smallest trees, one by one', async () => {
    for (let to = 0; to <= 17; to += 1) {
      for (let from = 0; from <= to; from += 1) {
        const proof = await consistencyProof(from, to, read);
        expect(verifyConsistency({ from, fromRoot: mth(HASHES.slice(0, from)), to, toRoot: mth(HASHES.slice(0, to)), proof })).toBe(true);
      }
    }
  });

  test('a full tile serves where the partial one is gone, and a missing tile is a fault', async () => {
    const fullOnly: TileReader = async (tile) => (tile.level === 0 && tile.width < 256 ? null : read(tile));
    expect(await inclusionProof(3, 200, fullOnly)).toEqual(await inclusionProof(3, 200, read));
    await expect(inclusionProof(3, 1_050, fullOnly)).rejects.toMatchObject({ code: 'ledger_malformed' });
    await expect(inclusionProof(5, 5, read)).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
