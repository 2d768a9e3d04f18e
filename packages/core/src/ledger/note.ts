import { sha256 } from '@noble/hashes/sha2.js';
import { CoreError } from '../errors.js';
import type { Signer } from '../ports.js';
import { base64, fromBase64, fromHex, fromUtf8, hasLoneSurrogate, hex, utf8 } from '../request/bytes.js';
import { sameBytes } from './hashing.js';

/** The signature type of Ed25519 over the note's text (C2SP signed-note). */
const ED25519 = 0x01;
const KEY_ID_BYTES = 4;
const PUBLIC_KEY_BYTES = 32;
/** Far more than a log and its witnesses need; the format asks verifiers to accept at least 16. */
const MAX_SIGNATURES = 100;

/** Checks an Ed25519 signature (RFC 8032). */
export type Ed25519Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>;

/** Whose signature: a key under the name by which verifiers know it. */
export interface NoteKey {
  readonly name: string;
  readonly publicKey: Uint8Array;
}

/** One signature line. */
export interface NoteSignature {
  readonly name: string;
  /** 4 bytes that, with the name, say which key; not proof of anything. */
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

export interface SignedNote {
  /** What is signed, its final newline included. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export type NoteVerdict =
  /** `by` are the names whose signature verified, at least one; `unknown` counts signatures of keys that were not given. */
  | { readonly ok: true; readonly text: string; readonly by: readonly string[]; readonly unknown: number }
  | { readonly ok: false; readonly reason: 'malformed' | 'no_known_signature' | 'bad_signature' };

/** The first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key) (C2SP signed-note, "Ed25519 signatures"). */
export function noteKeyId(name: string, publicKey: Uint8Array): Uint8Array {
  checkKey(name, publicKey);
  return sha256(concat(utf8(`${name}\n`), [ED25519], publicKey)).slice(0, KEY_ID_BYTES);
}

/** The key as verifiers are given it: `<name>+<key id in hex>+<base64(0x01 ‖ public key)>`. */
export function noteVerifierKey(name: string, publicKey: Uint8Array): string {
  return `${name}+${hex(noteKeyId(name, publicKey))}+${base64(concat([ED25519], publicKey))}`;
}

/**
 * The key of a verifier key string.
 * @throws CoreError `ledger_malformed`, also where the key id is not that of the key.
 */
export function parseVerifierKey(text: string): NoteKey {
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  if (name === undefined || id === undefined || encoded === undefined) throw new CoreError('ledger_malformed', 'a verifier key reads name+hash+base64');
  const key = decode(encoded);
  const publicKey = key?.slice(1);
  if (key?.[0] !== ED25519 || publicKey?.length !== PUBLIC_KEY_BYTES) throw new CoreError('ledger_malformed', 'the verifier key is not an Ed25519 key');
  if (!isKeyName(name) || !sameBytes(noteKeyId(name, publicKey), fromHex(id)))
    throw new CoreError('ledger_malformed', 'the verifier key has a wrong name or hash');
  return { name, publicKey };
}

/** Signs a text with each of the keys, under their names. The text ends in a newline and has no other control characters. */
export async function signNote(text: string, signers: readonly { name: string; key: Pick<Signer, 'publicKey' | 'sign'> }[]): Promise<string> {
  if (!isNoteText(text)) throw new CoreError('invalid_argument', 'a note ends in a newline and has no other control characters');
  const message = utf8(text);
  const signatures = await Promise.all(
    signers.map(async ({ name, key }) => ({ name, keyId: noteKeyId(name, key.publicKey), signature: await key.sign(message) })),
  );
  return formatSignedNote({ text, signatures });
}

/** The note's text, a blank line, and `— <name> <base64(key id ‖ signature)>` for each signature. */
export function formatSignedNote(note: SignedNote): string {
  return `${note.text}\n${note.signatures.map(({ name, keyId, signature }) => `— ${name} ${base64(concat(keyId, signature))}\n`).join('')}`;
}

/**
 * The parts of a signed note, given as text or as its bytes. Nothing is verified.
 * @throws CoreError `ledger_malformed` for everything that formatSignedNote would not have written so.
 */
export function parseSignedNote(note: string | Uint8Array): SignedNote {
  const whole = typeof note === 'string' ? note : decodeUtf8(note);
  const blank = whole.lastIndexOf('\n\n');
  const text = whole.slice(0, blank + 1);
  const lines = whole.slice(blank + 2).split('\n');
  if (blank < 1 || !isNoteText(whole) || lines.pop() !== '' || lines.length === 0 || lines.length > MAX_SIGNATURES) throw malformed();
  return { text, signatures: lines.map(parseSignatureLine) };
}

/**
 * Verifies a signed note against the keys that the caller trusts. Signatures of other keys are passed over, as the format demands;
 * one of a known key that does not verify condemns the note.
 * @param vkeys verifier key strings, `name+hash+base64`.
 * @throws CoreError `ledger_malformed` for a verifier key that is none: that is the caller's fault, not the note's.
 */
export async function verifySignedNote(note: string | Uint8Array, vkeys: string | readonly string[], verify: Ed25519Verify): Promise<NoteVerdict> {
  const keys = (typeof vkeys === 'string' ? [vkeys] : vkeys).map((vkey) => {
    const key = parseVerifierKey(vkey);
    return { ...key, keyId: noteKeyId(key.name, key.publicKey) };
  });
  let parsed: SignedNote;
  try {
    parsed = parseSignedNote(note);
  } catch (error) {
    if (error instanceof CoreError) return { ok: false, reason: 'malformed' };
    throw error;
  }
  const message = utf8(parsed.text);
  const by: string[] = [];
  let unknown = 0;
  for (const { name, keyId, signature } of parsed.signatures) {
    const key = keys.find((candidate) => candidate.name === name && sameBytes(candidate.keyId, keyId));
    if (key === undefined) unknown += 1;
    else if (await verify(key.publicKey, message, signature)) by.push(name);
    else return { ok: false, reason: 'bad_signature' };
  }
  return by.length === 0 ? { ok: false, reason: 'no_known_signature' } : { ok: true, text: parsed.text, by, unknown };
}

function parseSignatureLine(line: string): NoteSignature {
  const [, name, encoded] = /^— (\S+) (\S+)$/u.exec(line) ?? [];
  const bytes = encoded === undefined ? undefined : decode(encoded);
  if (name === undefined || !isKeyName(name) || bytes === undefined || bytes.length <= KEY_ID_BYTES) throw malformed();
  return { name, keyId: bytes.slice(0, KEY_ID_BYTES), signature: bytes.slice(KEY_ID_BYTES) };
}

/** Key names are not empty and have neither Unicode spaces nor plus signs. */
function isKeyName(name: string): boolean {
  return name !== '' && !/[\s\u0085\p{Z}\p{Cc}+]/u.test(name) && !hasLoneSurrogate(name);
}

function isNoteText(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- the format forbids exactly these
  return text.endsWith('\n') && !/[\u0000-\u0009\u000b-\u001f]/.test(text) && !hasLoneSurrogate(text);
}

function checkKey(name: string, publicKey: Uint8Array): void {
  if (!isKeyName(name)) throw new CoreError('invalid_argument', 'a key name is not empty and has neither spaces nor plus signs');
  if (publicKey.length !== PUBLIC_KEY_BYTES) throw new CoreError('invalid_argument', `an Ed25519 public key has ${PUBLIC_KEY_BYTES} bytes`);
}

function decode(text: string): Uint8Array | undefined {
  try {
    return fromBase64(text);
  } catch {
    return undefined;
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw malformed(cause);
  }
}

const malformed = (cause?: unknown): CoreError => new CoreError('ledger_malformed', 'this is not a signed note', { cause });

function concat(...parts: readonly ArrayLike<number>[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
