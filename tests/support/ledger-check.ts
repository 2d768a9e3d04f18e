import { execFile } from 'node:child_process';
import { createHash, createPublicKey, verify } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Api } from './api.js';
import { root } from './running-server.js';

/**
 * A reader of the log that knows nothing of our code: C2SP checkpoints and tiles over HTTP, RFC 6962 hashes by node:crypto.
 */
export interface ReadLog {
  origin: string;
  size: number;
  /** Every entry in its place, as the log's bundles hold it. */
  entries: Buffer[];
  /** Whether a published key signed the checkpoint, and the entries hash to its root. */
  verified: boolean;
}

/** Reads the whole log of the tenant `default` at its latest checkpoint. */
export async function readLog(api: Api, auditor: string): Promise<ReadLog> {
  const note = (await api.call('GET', '/ledger/default/checkpoint')).text;
  const end = note.indexOf('\n\n') + 1;
  const [origin = '', size = '', root = ''] = note.slice(0, end).split('\n');
  const entries = await readEntries(api, auditor, Number(size));
  const keys = (await api.call('GET', '/ledger/default/vkey')).text.trim().split('\n');
  const signed = note
    .slice(end + 1)
    .split('\n')
    .some((line) => isSignature(line, origin, note.slice(0, end), keys));
  const hashed = rootOf(entries.map((entry) => sha256(Buffer.concat([Buffer.from([0]), entry]))));
  return { origin, size: Number(size), entries, verified: signed && hashed.toString('base64') === root && entries.length === Number(size) };
}

/** C2SP tlog-tiles: bundles of 256 entries, each after its length as a big-endian uint16. */
async function readEntries(api: Api, auditor: string, size: number): Promise<Buffer[]> {
  const entries: Buffer[] = [];
  for (let index = 0; index * 256 < size; index++) {
    const width = Math.min(256, size - index * 256);
    const bundle = await api.call('GET', `/ledger/default/tile/entries/${String(index).padStart(3, '0')}${width < 256 ? `.p/${width}` : ''}`, { as: auditor });
    if (bundle.status !== 200) throw new Error(`no bundle ${index}: ${bundle.text}`);
    for (let at = 0; at < bundle.bytes.length;) {
      const length = bundle.bytes.readUInt16BE(at);
      entries.push(bundle.bytes.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
  }
  return entries;
}

/**
 * C2SP signed-note: a line `— name base64(key id ‖ signature)`, a key `name+key id+base64(0x01 ‖ key)`, and the key id is the beginning
 * of a hash over name and key.
 */
function isSignature(line: string, origin: string, text: string, vkeys: readonly string[]): boolean {
  const [, name, encoded = ''] = /^— (\S+) (\S+)$/.exec(line) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  return vkeys.some((vkey) => {
    const [keyName, id, ...rest] = vkey.split('+');
    const key = Buffer.from(rest.join('+'), 'base64');
    if (name !== origin || keyName !== origin || key[0] !== 1 || key.length !== 33) return false;
    if (
      sha256(Buffer.concat([Buffer.from(`${keyName}\n`), key]))
        .subarray(0, 4)
        .toString('hex') !== id ||
      bytes.subarray(0, 4).toString('hex') !== id
    )
      return false;
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key.subarray(1).toString('base64url') }, format: 'jwk' });
    return verify(null, Buffer.from(text), publicKey, bytes.subarray(4));
  });
}

/** RFC 6962, section 2.1: the left subtree is the largest full one that is smaller than the whole. */
function rootOf(hashes: readonly Buffer[]): Buffer {
  const [first] = hashes;
  if (first === undefined) return sha256(Buffer.alloc(0));
  if (hashes.length === 1) return first;
  const split = 2 ** Math.floor(Math.log2(hashes.length - 1));
  return sha256(Buffer.concat([Buffer.from([1]), rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split))]));
}

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

/** What `countersign ledger verify` says of a running home: the log, and every row of the database against its leaf. */
export async function verifyByCommand(home: string): Promise<{ findings: unknown[] }> {
  const command = [path.join(root, 'bin', 'countersign'), 'ledger', 'verify', '--home', home, '--json'];
  // It ends with 1 where it found something, and says it all the same.
  const { stdout } = await promisify(execFile)(process.execPath, command, { env: { PATH: process.env['PATH'], HOME: home } }).catch((error: unknown) => {
    if (error instanceof Error && 'stdout' in error && error.stdout !== '') return { stdout: String(error.stdout) };
    throw error;
  });
  return JSON.parse(stdout);
}
