import { describe, expect, test } from '@jest/globals';
import { createPrivateKey, createPublicKey, sign, verify as nodeVerify } from 'node:crypto';
import { base64, fromHex, hex, utf8 } from '../request/bytes.js';
import { formatCheckpoint, parseCheckpoint, signCheckpoint, verifyCheckpoint } from './checkpoint.js';
import { leafHash } from './hashing.js';
import { noteKeyId, noteVerifierKey, parseSignedNote, parseVerifierKey, signNote, verifySignedNote } from './note.js';

/** Ed25519 as node:crypto has it: keys are put into their DER frames (RFC 8410). */
const verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
  nodeVerify(null, message, createPublicKey({ key: Buffer.concat([fromHex('302a300506032b6570032100'), publicKey]), format: 'der', type: 'spki' }), signature);

function keyOf(seed: number) {
  const der = Buffer.concat([fromHex('302e020100300506032b657004220420'), new Uint8Array(32).fill(seed)]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = new Uint8Array(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32));
  return { publicKey, sign: async (bytes: Uint8Array) => new Uint8Array(sign(null, bytes, privateKey)) };
}

const ours = keyOf(1);
const origin = 'approve.example.com/ledger/default';
const vkey = noteVerifierKey(origin, ours.publicKey);
const malformed = expect.objectContaining({ code: 'ledger_malformed' });

describe('note keys', () => {
  test('the published verifier key has the published hash', () => {
    const text = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
    const key = parseVerifierKey(text);
    expect(key.name).toBe('example.com/foo');
    expect(hex(noteKeyId(key.name, key.publicKey))).toBe('530d903a');
    expect(noteVerifierKey(key.name, key.publicKey)).toBe(text);
  });

  test.each([
    ['a hash of another key', 'example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'],
    ['another name', 'example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'],
    ['another kind of key', 'example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'],
    ['a short key', 'example.com/foo+530d903a+Aeky'],
    ['a space in the name', 'example com+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'],
    ['no hash', 'example.com/foo+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'],
    ['nothing', ''],
  ])('a verifier key with %s is refused', (_, text) => {
    expect(() => parseVerifierKey(text)).toThrow(malformed);
  });
});

describe('signed notes', () => {
  test("I8: a note signed by Go's x/mod/sumdb/note verifies", async () => {
    const key = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
    const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const note = `${text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
    expect(await verifySignedNote(note, key, verify)).toEqual({ ok: true, text, by: ['PeterNeumann'], unknown: 0 });
    expect(await verifySignedNote(note.replace('answer', 'ANSWER'), key, verify)).toEqual({ ok: false, reason: 'bad_signature' });
  });

  test('a note keeps its blank lines; the last one ends the text', async () => {
    const text = 'one\n\ntwo\n';
    const note = await signNote(text, [{ name: origin, key: ours }]);
    expect(parseSignedNote(note)).toMatchObject({ text, signatures: [{ name: origin }] });
    expect(await verifySignedNote(utf8(note), [vkey], verify)).toMatchObject({ ok: true, text });
  });

  test('unknown signatures are passed over, but are not enough; a false one of a known key condemns the note', async () => {
    const both = await signNote('text\n', [
      { name: 'witness.example', key: keyOf(2) },
      { name: origin, key: ours },
    ]);
    expect(await verifySignedNote(both, vkey, verify)).toEqual({ ok: true, text: 'text\n', by: [origin], unknown: 1 });
    const other = noteVerifierKey(origin, keyOf(3).publicKey);
    expect(await verifySignedNote(both, other, verify)).toEqual({ ok: false, reason: 'no_known_signature' });
    const otherText = await signNote('other\n', [{ name: origin, key: ours }]);
    const grafted = both + otherText.slice(otherText.indexOf('—'));
    expect(await verifySignedNote(grafted, vkey, verify)).toEqual({ ok: false, reason: 'bad_signature' });
  });

  test('other spellings of a note are malformed', async () => {
    const note = await signNote('text\n', [{ name: origin, key: ours }]);
    const spellings = [
      note.slice(0, -1),
      `${note}\n`,
      note.replace('—', '-'),
      note.replace('\n\n', '\n'),
      note.replace('text', 'te\txt'),
      note.replaceAll('\n', '\r\n'),
      note.replace('=\n', '\n'),
      `${note.slice(0, -1)} \n`,
      'text\n\n',
      '',
    ];
    for (const spelling of spellings) expect(await verifySignedNote(spelling, vkey, verify)).toEqual({ ok: false, reason: 'malformed' });
    expect(await verifySignedNote(Uint8Array.of(0xff, 0xfe), vkey, verify)).toEqual({ ok: false, reason: 'malformed' });
  });
});

describe('checkpoints', () => {
  const root = leafHash(utf8('entry'));

  test('are written as C2SP tlog-checkpoint shows', () => {
    const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
    const checkpoint = parseCheckpoint(text);
    expect(checkpoint).toMatchObject({ origin: 'example.com/behind-the-sofa', size: 20_852_163 });
    expect(formatCheckpoint(checkpoint)).toBe(text);
    expect(formatCheckpoint({ origin, size: 0, root, extensions: ['x 1', 'y'] })).toBe(`${origin}\n0\n${base64(root)}\nx 1\ny\n`);
  });

  test('other spellings are malformed', () => {
    const text = formatCheckpoint({ origin, size: 17, root });
    const spellings = [
      text.replace('17', '017'),
      text.replace('17', '+17'),
      text.replace('17', '1.7e1'),
      `${text}\n`,
      `\n${text}`,
      text.slice(0, -1),
      text.replace('=', ''),
      text.replace('17', '9007199254740993'),
    ];
    for (const spelling of spellings) expect(() => parseCheckpoint(spelling)).toThrow(malformed);
  });

  test('verify under the log key, for the log they name', async () => {
    const note = await signCheckpoint({ origin, size: 17, root }, ours);
    expect(await verifyCheckpoint(note, { origin, vkeys: vkey, verify })).toEqual({
      ok: true,
      checkpoint: { origin, size: 17, root },
      by: [origin],
      unknown: 0,
    });
    expect(await verifyCheckpoint(note, { origin: 'other.example', vkeys: vkey, verify })).toEqual({ ok: false, reason: 'other_origin' });
    expect(await verifyCheckpoint(note.replace('\n17\n', '\n18\n'), { origin, vkeys: vkey, verify })).toEqual({ ok: false, reason: 'bad_signature' });
    const noCheckpoint = await signNote('text\n', [{ name: origin, key: ours }]);
    expect(await verifyCheckpoint(noCheckpoint, { origin, vkeys: vkey, verify })).toEqual({ ok: false, reason: 'malformed' });
  });
});
