import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { utf8 } from '../request/bytes.js';
import { decodeEntryBundle, encodeEntryBundle, entriesPath, MAX_ENTRY_BYTES, parseTilePath, partialTiles, readEntries, tilePath, tileWidth } from './tiles.js';

describe('tile paths', () => {
  test.each([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 1, index: 999, width: 256 }, 'tile/1/999'],
    [{ level: 0, index: 1_000, width: 8 }, 'tile/0/x001/000.p/8'],
    [{ level: 5, index: 1_234_067, width: 255 }, 'tile/5/x001/x234/067.p/255'],
    [{ level: 63, index: 70_000, width: 1 }, 'tile/63/x070/000.p/1'],
  ])('%o is %s', (tile, path) => {
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual({ kind: 'tile', ...tile });
  });

  test('bundles of entries are named alike', () => {
    expect(entriesPath({ index: 1_234_067, width: 256 })).toBe('tile/entries/x001/x234/067');
    expect(parseTilePath('tile/entries/000.p/7')).toEqual({ kind: 'entries', index: 0, width: 7 });
  });

  test('each resource has one path', () => {
    fc.assert(
      fc.property(fc.nat({ max: 63 }), fc.maxSafeNat(), fc.integer({ min: 1, max: 256 }), (level, index, width) => {
        expect(parseTilePath(tilePath({ level, index, width }))).toEqual({ kind: 'tile', level, index, width });
        expect(parseTilePath(entriesPath({ index, width }))).toEqual({ kind: 'entries', index, width });
      }),
    );
  });

  test.each([
    'tile/0/0',
    'tile/0/x000/001',
    'tile/00/001',
    'tile/64/001',
    'tile/0/001.p/256',
    'tile/0/001.p/0',
    'tile/0/001.p/01',
    'tile/0/001.p/',
    'tile/0/001/x002',
    'tile/0/x001/x002',
    'tile/0/001/002',
    'tile/0/1000',
    'tile/-1/001',
    'tile/entries/001/',
    '/tile/0/001',
    'tile/0/001\n',
    'tile/0/x999/x999/x999/x999/x999/x999',
    'tile/0/x999/x999/x999/x999/x999/999',
    'tile/0/..%2f',
  ])('%j names nothing', (path) => {
    expect(parseTilePath(path)).toBeNull();
  });
});

test('a tree of 70,000 leaves has the tiles that C2SP tlog-tiles counts', () => {
  expect(partialTiles(70_000)).toEqual([
    { level: 0, index: 273, width: 112 },
    { level: 1, index: 1, width: 17 },
    { level: 2, index: 0, width: 1 },
  ]);
  expect(partialTiles(256)).toEqual([{ level: 1, index: 0, width: 1 }]);
  expect(partialTiles(0)).toEqual([]);
  expect([tileWidth(70_000, 0, 272), tileWidth(70_000, 0, 273), tileWidth(70_000, 0, 274), tileWidth(70_000, 2, 0)]).toEqual([256, 112, 0, 1]);
});

describe('entry bundles', () => {
  test('each entry has its length before it, as a big-endian uint16', () => {
    expect(encodeEntryBundle([utf8('ab'), new Uint8Array(0), utf8('c')])).toEqual(Uint8Array.of(0, 2, 97, 98, 0, 0, 0, 1, 99));
    expect(encodeEntryBundle([new Uint8Array(300)]).slice(0, 2)).toEqual(Uint8Array.of(1, 44));
  });

  test('are read as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 600 }), { minLength: 1, maxLength: 256 }), (entries) => {
        expect(decodeEntryBundle(encodeEntryBundle(entries))).toEqual(entries);
      }),
      { numRuns: 30 },
    );
    const longest = new Uint8Array(MAX_ENTRY_BYTES).fill(7);
    expect(decodeEntryBundle(encodeEntryBundle([longest]))).toEqual([longest]);
  });

  test('what does not fit is refused', () => {
    expect(() => encodeEntryBundle([new Uint8Array(MAX_ENTRY_BYTES + 1)])).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(() => encodeEntryBundle(Array.from({ length: 257 }, () => new Uint8Array(0)))).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    for (const bytes of [[], [0], [0, 2, 97], [0, 0, 1]]) {
      expect(() => decodeEntryBundle(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'ledger_malformed' }));
    }
  });

  test('a missing bundle, and one of another length, are named', async () => {
    const drain = async (read: (path: string) => Promise<Uint8Array | null>) => {
      for await (const entry of readEntries(300, read)) expect(entry).toEqual(utf8('x'));
    };
    const full = encodeEntryBundle(Array.from({ length: 256 }, () => utf8('x')));
    await expect(drain(async () => null)).rejects.toThrow('tile/entries/000 is missing');
    await expect(drain(async () => full)).rejects.toThrow('tile/entries/001.p/44 has 256 entries');
  });
});
