import {
  encodeEntryBundle,
  encodeTile,
  noteVerifierKey,
  parseCheckpoint,
  parseSignedNote,
  parseTilePath,
  type TileResource,
  tileWidth,
} from '@countersign/core/ledger';
import { ledgerKeysSchema } from '@countersign/contracts';
import type { IntakeDeps } from '../deps.js';
import { type Answer, type Route, route } from '../http/route.js';
import { notFound, trouble } from '../problems.js';
import { seesAll } from '../visibility.js';

const TENANT = /^[a-z0-9][a-z0-9-]{0,62}$/;

/**
 * The log as C2SP tlog-tiles serves it. Checkpoint and hash tiles are open to everybody: a hash tells nothing, and whoever
 * watches the log needs no account. Entries need audit rights.
 */
export function ledgerRoutes({ ledger, checkpointKeys }: IntakeDeps): Route[] {
  /** The tile at the path, if the signed log is large enough for it. */
  async function resource(tenant: string, path: string): Promise<TileResource | null> {
    const found = TENANT.test(tenant) ? parseTilePath(path) : null;
    if (found === null) return null;
    const size = (await ledger.checkpoint(tenant))?.size ?? 0;
    return tileWidth(size, found.kind === 'tile' ? found.level : 0, found.index) >= found.width ? found : null;
  }

  /** From and to of what the resource holds, in leaves or nodes of its level. */
  const range = ({ index, width }: TileResource): [number, number] => [index * 256, index * 256 + width];

  return [
    route({
      method: 'get',
      path: '/ledger/:tenant/checkpoint',
      name: 'ledgerCheckpoint',
      tag: 'Ledger',
      summary: 'The latest signed checkpoint (C2SP checkpoint)',
      who: 'open',
      parameters: { tenant: '`default`, unless there are more' },
      answers: { 200: { description: 'A signed note', type: 'text/plain; charset=utf-8' } },
      problems: ['not_found'],
      async handle({ params: { tenant = '' } }) {
        const checkpoint = TENANT.test(tenant) ? await ledger.checkpoint(tenant) : null;
        if (checkpoint === null) return notFound('There is no such ledger, or nothing is in it yet.');
        return { status: 200, bytes: new TextEncoder().encode(checkpoint.note), type: 'text/plain; charset=utf-8' };
      },
    }),

    route({
      method: 'get',
      path: '/ledger/:tenant/vkey',
      name: 'ledgerVerifierKeys',
      tag: 'Ledger',
      summary: 'The verifier keys of the checkpoints (C2SP signed-note), one a line; pin them when you first see them',
      who: 'open',
      parameters: { tenant: '`default`, unless there are more' },
      answers: { 200: { description: 'name+hash+base64', type: 'text/plain; charset=utf-8' } },
      problems: ['not_found'],
      async handle({ params: { tenant = '' } }) {
        const checkpoint = TENANT.test(tenant) ? await ledger.checkpoint(tenant) : null;
        if (checkpoint === null) return notFound('There is no such ledger, or nothing is in it yet.');
        const { origin } = parseCheckpoint(parseSignedNote(checkpoint.note).text);
        const lines = (await checkpointKeys()).map((key) => `${noteVerifierKey(origin, key.publicKey)}\n`);
        return { status: 200, bytes: new TextEncoder().encode(lines.join('')), type: 'text/plain; charset=utf-8' };
      },
    }),

    route({
      method: 'get',
      path: '/ledger/:tenant/keys',
      name: 'ledgerKeys',
      tag: 'Ledger',
      summary: 'The same keys as JSON, with which of them signs now. What a retired key signed verifies for ever',
      who: 'open',
      parameters: { tenant: '`default`, unless there are more' },
      answers: { 200: { description: 'The key that signs now stands last', schema: ledgerKeysSchema } },
      problems: ['not_found'],
      async handle({ params: { tenant = '' } }) {
        const checkpoint = TENANT.test(tenant) ? await ledger.checkpoint(tenant) : null;
        if (checkpoint === null) return notFound('There is no such ledger, or nothing is in it yet.');
        const { origin } = parseCheckpoint(parseSignedNote(checkpoint.note).text);
        const keys = (await checkpointKeys()).map(({ kid, publicKey, retired_at }) => ({
          vkey: noteVerifierKey(origin, publicKey),
          kid,
          retired: retired_at !== null,
        }));
        return { status: 200, json: { origin, keys } };
      },
    }),

    route({
      method: 'get',
      path: '/ledger/:tenant/tile/entries/*path',
      name: 'ledgerEntries',
      tag: 'Ledger',
      summary: 'A bundle of entries (C2SP tlog-tiles), for auditors and administrators',
      who: 'either',
      caller_refusal: { problem: 'forbidden', detail: 'Entries are for auditors and administrators.' },
      parameters: {
        tenant: '`default`, unless there are more',
        path: 'The bundle: its index in groups of three digits, `x001/234`, and `.p/<width>` for a partial one',
      },
      answers: { 200: { description: 'Each entry after its length as a big-endian uint16', type: 'application/octet-stream' } },
      problems: ['not_found', 'forbidden'],
      async handle({ reader, params: { tenant = '', path = '' } }): Promise<Answer> {
        if (reader.kind === 'caller' || !seesAll(reader.person)) return trouble('forbidden', 'Entries are for auditors and administrators.');
        const found = reader.tenant === tenant ? await resource(tenant, `tile/entries/${path}`) : null;
        if (found === null) return notFound('There is no such bundle.');
        return tileAnswer(encodeEntryBundle(await ledger.entries(tenant, ...range(found))), 'private');
      },
    }),

    route({
      method: 'get',
      path: '/ledger/:tenant/tile/*path',
      name: 'ledgerTile',
      tag: 'Ledger',
      summary: 'A tile of hashes (C2SP tlog-tiles)',
      who: 'open',
      parameters: {
        tenant: '`default`, unless there are more',
        path: 'The tile: `<level>/<index>`, the index in groups of three digits, and `.p/<width>` for a partial one',
      },
      answers: { 200: { description: 'SHA-256 hashes, one after the other', type: 'application/octet-stream' } },
      problems: ['not_found'],
      async handle({ params: { tenant = '', path = '' } }): Promise<Answer> {
        const found = await resource(tenant, `tile/${path}`);
        if (found === null || found.kind !== 'tile') return notFound('There is no such tile.');
        const hashes = found.level === 0 ? await ledger.leafHashes(tenant, ...range(found)) : await ledger.nodeHashes(tenant, found.level, ...range(found));
        return tileAnswer(encodeTile(hashes), 'public');
      },
    }),
  ];
}

/** What a path names never changes: a tile of a size is the same for ever. */
function tileAnswer(bytes: Uint8Array, scope: 'public' | 'private'): Answer {
  return { status: 200, bytes, type: 'application/octet-stream', headers: { 'Cache-Control': `${scope}, max-age=31536000, immutable` } };
}
