import { createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import { type Receipt, receiptSchema } from '@countersign/contracts';
import { verifyReceipt } from '@countersign/core/ledger';
import { maskValue } from '@countersign/core/masking';
import { fromBase64url } from '@countersign/core/request';
import { verifySpki } from '@countersign/keys';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import canonicalize from 'canonicalize';
import { type ApiWorld, createApiWorld, EXPORT } from '../testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

const { action, resource, parameters, actor, environment } = EXPORT;
const receiptOf = (id: string, as = world.key) => world.call('GET', `/v1/action-requests/${id}/receipt`, { as });

/** A request from its submission to the report of its execution, among others in the log. */
async function finished(): Promise<string> {
  const request = await world.pending();
  await world.decide(world.tokens.alice, request, 'approve', 'fine with me');
  const { json } = await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key });
  await world.call('POST', '/v1/grants/redeem', {
    as: world.key,
    body: { grant: json.outcome.grant, action: { action, resource, parameters, actor, environment } },
  });
  await world.call('POST', `/v1/action-requests/${request.id}/report`, { as: world.key, body: { result: 'succeeded' } });
  return request.id;
}

describe('a receipt', () => {
  test('I8, E2: is verified offline, by our ledger and by code that knows nothing but the standards', async () => {
    for (let others = 0; others < 3; others++) await finished();
    const id = await finished();
    for (let others = 0; others < 2; others++) await world.pending();
    await world.sequence();
    const reply = await receiptOf(id);
    expect(reply.status).toBe(200);
    const receipt = receiptSchema.parse(reply.json);
    expect(receipt).toEqual(reply.json);
    expect(receipt).toMatchObject({ action_request: id, status: 'approved', outcome: { status: 'approved' }, report: { result: 'succeeded' } });
    expect(receipt.outcome).not.toHaveProperty('grant');
    expect(receipt.entries.map(({ event }) => event)).toEqual([
      'action_request.opened',
      'decision.recorded',
      'outcome.settled',
      'grant.issued',
      'grant.redeemed',
      'execution.reported',
    ]);
    // The keys are pinned from elsewhere, never taken from what is to be proved.
    const { text: vkey } = await world.call('GET', '/ledger/default/vkey');
    expect(receipt.log.vkeys.join('\n')).toBe(vkey.trimEnd());
    expect(await byOurLedger(reply.json, vkey.trimEnd())).toMatchObject({ ok: true, checkpoint: { size: receipt.log.size } });
    byStandardsAlone(receipt, vkey.trimEnd());
  });

  test('E2: what is changed in it does not verify', async () => {
    const id = await finished();
    await world.sequence();
    const { json } = await receiptOf(id);
    const vkey = (await world.call('GET', '/ledger/default/vkey')).text.trimEnd();
    const changed = (change: (receipt: Receipt) => void): Receipt => {
      const copy = structuredClone(receiptSchema.parse(json));
      change(copy);
      return copy;
    };
    const first = (receipt: Receipt): Receipt['entries'][number] => receipt.entries[1] ?? receipt.entries[0] ?? missing();
    const forged: [reason: string, change: (receipt: Receipt) => void][] = [
      ['not_opened', (receipt) => void (first(receipt).details['reason'] = 'I never said so')],
      ['not_opened', (receipt) => void (receipt.record_key = `${receipt.record_key.startsWith('A') ? 'B' : 'A'}${receipt.record_key.slice(1)}`)],
      [
        'not_included',
        (receipt) =>
          void (first(receipt).leaf = Buffer.from(Buffer.from(first(receipt).leaf, 'base64').toString().replace('approve', 'denying')).toString('base64')),
      ],
      ['not_included', (receipt) => void (first(receipt).proof = receipt.entries[0]?.proof ?? '')],
      ['not_included', (receipt) => void (first(receipt).proof = first(receipt).proof.replace(/^index \d+$/m, 'index 0'))],
      ['bad_signature', (receipt) => void (first(receipt).proof = first(receipt).proof.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) + 1}\n`))],
    ];
    for (const [reason, change] of forged) {
      expect(await byOurLedger(changed(change), vkey)).toMatchObject({ ok: false, reason });
      expect(() => byStandardsAlone(changed(change), vkey)).toThrow();
    }
    // What stands beside the entries says what they say, or the receipt is none.
    const beside: ((receipt: Receipt) => void)[] = [
      (receipt) => void (receipt.status = 'denied'),
      (receipt) => void (receipt.action_digest = `sha256:${'0'.repeat(64)}`),
      (receipt) => void (receipt.request_digest = `sha256:${'0'.repeat(64)}`),
      (receipt) => void (receipt.policy_digest = `sha256:${'0'.repeat(64)}`),
      (receipt) => void (receipt.redeemed_at = null),
      (receipt) => void (receipt.report = null),
      (receipt) => void (receipt.report = receipt.report === null ? null : { ...receipt.report, result: 'failed' }),
      (receipt) => void (receipt.outcome = null),
      (receipt) => void ((receipt.outcome?.decisions[0] ?? missing()).reason = 'I never said so'),
      (receipt) => void ((receipt.outcome?.decisions[0] ?? missing()).person.name = 'Mallory'),
      (receipt) => void receipt.entries.splice(1, 1),
      (receipt) => void (first(receipt).at = '2026-01-01T00:00:00.000Z'),
      (receipt) => void (first(receipt).event = 'decision.refused'),
      (receipt) => void (first(receipt).index += 1),
      (receipt) => void (receipt.tenant = 'other'),
    ];
    for (const change of beside) expect(await byOurLedger(changed(change), vkey)).toMatchObject({ ok: false, reason: 'contradicts' });
    for (const malformed of [null, {}, { ...json, more: 1 }]) expect(await byOurLedger(malformed, vkey)).toMatchObject({ ok: false, reason: 'malformed' });
    expect(await verifyReceipt(json, { origin: 'evil.example.com/default', vkeys: vkey, verify: () => true, verifyPasskey: verifySpki })).toMatchObject({
      ok: false,
    });
  });

  test('E2: waits until every entry has its place', async () => {
    const request = await world.pending();
    expect(await receiptOf(request.id)).toMatchObject({ status: 409, json: { code: 'receipt_not_ready' }, headers: { 'retry-after': '1' } });
    await world.sequence();
    expect(await receiptOf(request.id)).toMatchObject({ status: 200, json: { status: 'pending', outcome: null } });
    await world.decide(world.tokens.alice, request, 'deny');
    expect(await receiptOf(request.id)).toMatchObject({ status: 409, json: { code: 'receipt_not_ready' } });
  });

  test('C2: is for who may read the request, and carries nothing that is masked', async () => {
    const { id } = await world.pending({ parameters: { ...parameters, password: 'correct-horse-battery', mail: 'zoe@example.com' } });
    await world.sequence();
    const other = await world.newKey({ name: 'other' });
    expect(await receiptOf(id, other.key)).toMatchObject({ status: 404 });
    expect(await receiptOf(id, world.tokens.carol)).toMatchObject({ status: 404 });
    const { status, text } = await receiptOf(id, world.tokens.alice);
    expect(status).toBe(200);
    expect(text).not.toMatch(/correct-horse|zoe@example/);
  });

  test('F1: its key opens no mask: guesses at masked values cannot be tried with it', async () => {
    const { id } = await world.pending({ parameters: { ...parameters, mail: 'zoe@example.com' } });
    await world.sequence();
    const { json } = await receiptOf(id);
    const guess = maskValue({ parameters: { mail: 'zoe@example.com' } }, { paths: [], key: fromBase64url(json.record_key), keep: [] });
    const shown = json.entries[0].details.view.parameters.mail as string; // text, as it was submitted
    expect(shown).toMatch(/^\[email:[0-9a-f]{10}\]$/);
    expect(JSON.stringify(guess.masked)).not.toContain(shown);
  });
});

const missing = (): never => {
  throw new Error('missing');
};

async function byOurLedger(receipt: unknown, vkey: string): Promise<Awaited<ReturnType<typeof verifyReceipt>>> {
  return verifyReceipt(receipt, {
    origin: 'localhost/default',
    vkeys: vkey.split('\n'),
    verify: (key, message, signature) =>
      verify(null, message, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') }, format: 'jwk' }), signature),
    verifyPasskey: verifySpki,
  });
}

/** RFC 6962, RFC 2104, RFC 8785 and the C2SP notes written down once more with node:crypto and canonicalize, without a line of ours. */
function byStandardsAlone(receipt: Receipt, vkey: string): void {
  const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
  const [name = '', id = '', ...keyParts] = vkey.split('+');
  const key = Buffer.from(keyParts.join('+'), 'base64');
  for (const { leaf, details, proof } of receipt.entries) {
    const entry = Buffer.from(leaf, 'base64');
    const { commitment } = JSON.parse(entry.toString()) as { commitment: string }; // what a leaf is made of
    const opened = createHmac('sha256', Buffer.from(receipt.record_key, 'base64url'))
      .update(canonicalize(details) ?? '')
      .digest('hex');
    expect(commitment).toBe(`hmac-sha256:${opened}`);

    const split = proof.indexOf('\n\n');
    const [header, indexLine = '', ...path] = proof.slice(0, split).split('\n');
    expect(header).toBe('c2sp.org/tlog-proof@v1');
    const checkpoint = proof.slice(split + 2);
    const [note = '', signatures = ''] = checkpoint.split('\n\n');
    const [origin, size, root] = note.split('\n');
    expect(origin).toBe(name);
    const [, , signed = ''] = signatures.trimEnd().split(' ');
    const bytes = Buffer.from(signed, 'base64');
    expect(bytes.subarray(0, 4).toString('hex')).toBe(id);
    expect(
      sha256(Buffer.from(`${name}\n`), key)
        .subarray(0, 4)
        .toString('hex'),
    ).toBe(id);
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)]);
    expect(verify(null, Buffer.from(`${note}\n`), createPublicKey({ key: spki, format: 'der', type: 'spki' }), bytes.subarray(4))).toBe(true);

    // RFC 9162, section 2.1.3.2.
    let [fn, sn] = [Number(indexLine.slice('index '.length)), Number(size) - 1];
    let hash = sha256(Buffer.of(0), entry);
    for (const line of path) {
      const sibling = Buffer.from(line, 'base64');
      if (fn % 2 === 1 || fn === sn) {
        hash = sha256(Buffer.of(1), sibling, hash);
        while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
      } else hash = sha256(Buffer.of(1), hash, sibling);
      [fn, sn] = [fn >> 1, sn >> 1];
    }
    expect(sn).toBe(0);
    expect(hash.toString('base64')).toBe(root);
  }
}
