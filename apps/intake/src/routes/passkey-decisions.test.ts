import { createHash, createPublicKey } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@countersign/dev-env/needs';
import { SoftAuthenticator } from '@countersign/dev-env/soft-authenticator';
import type { PasskeyEvidence, Receipt } from '@countersign/contracts';
import { checkPasskeyEvidence } from '@countersign/core/decision';
import { stepUpLink } from '@countersign/core/flow';
import { verifyReceipt } from '@countersign/core/ledger';
import { verifyEd25519, verifySpki } from '@countersign/keys';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld, type Reply } from '../testing/api-world.js';
import { codeOf, enrol, type Seat, seat } from '../testing/passkey-seat.js';

const OBLIGED = (policy: string): string =>
  policy.replace(
    '        - all: [{ group: data-owners, quorum: 1 }]\n      timeout: 4h',
    '        - all: [{ group: data-owners, quorum: 1 }]\n      timeout: 4h\n      obligations: { passkey: { fresh: 2m } }',
  );

let world: ApiWorld;
let alice: Seat;
let bob: Seat;
let key: SoftAuthenticator;
let bobs: SoftAuthenticator;
beforeAll(async () => {
  world = await createApiWorld({ policy: OBLIGED });
  [alice, bob] = [await seat(world, 'alice'), await seat(world, 'bob')];
  ({ key } = await enrol(world, alice));
  ({ key: bobs } = await enrol(world, bob));
});
afterAll(() => world.close());

interface Pending {
  id: string;
  action_digest: string;
  request_digest: string;
}
type Lies = Parameters<SoftAuthenticator['assert']>[1];

const challengeFor = async (at: Seat, { id }: Pending, verdict = 'approve', intent?: string): Promise<Reply> =>
  at.call('POST', `/v1/action-requests/${id}/passkey-challenges`, { verdict, ...(intent === undefined ? {} : { intent }) });
const handIn = (at: Seat, { id }: Pending, response: object, intent?: string): Promise<Reply> =>
  at.call('POST', `/v1/action-requests/${id}/passkey-assertions`, { response, ...(intent === undefined ? {} : { intent }) });
const decide = (at: Seat, { id, request_digest }: Pending, passkey?: string, verdict = 'approve'): Promise<Reply> =>
  at.call('POST', `/v1/action-requests/${id}/decisions`, { verdict, request_digest, ...(passkey === undefined ? {} : { passkey }) });

async function asserted(at: Seat, by: SoftAuthenticator, request: Pending, verdict = 'approve'): Promise<string> {
  const { json } = await challengeFor(at, request, verdict);
  const reply = await handIn(at, request, by.assert(json));
  expect(reply).toMatchObject({ status: 201, json: { verdict } });
  return reply.json.passkey;
}

const statusOf = async (request: Pending): Promise<string> => (await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key })).json.status;
const shell = ['openssl', 'xxd', 'jq', 'bash'].every((program) => needs(program, 'the recipe for passkeys in docs/auditor.md') !== undefined);
const REFUSED = { status: 403, code: 'passkey_refused' };
const NEEDED = { status: 403, code: 'step_up_required' };

describe('a decision by passkey', () => {
  test('C4: without one an approval is refused with words; with one it counts, and its evidence stands on the decision', async () => {
    const request = await world.pending();
    expect(codeOf(await decide(alice, request))).toEqual(NEEDED);
    const decided = await decide(alice, request, await asserted(alice, key, request));
    expect(decided).toMatchObject({ status: 201, json: { passkey: { credential_id: key.credentialId } } });
    const { decisions, status } = (await world.call('GET', `/v1/action-requests/${request.id}`, { as: world.key })).json;
    expect(status).toBe('approved');
    expect(decisions).toMatchObject([{ person: { email: 'alice@example.com' }, passkey: { credential_id: key.credentialId, signature: expect.any(String) } }]);
  });

  test('C4: a token of the same person does not do, and a denial needs none', async () => {
    const request = await world.pending();
    expect(codeOf(await world.decide(world.tokens.alice, request, 'approve'))).toEqual(NEEDED);
    expect((await world.decide(world.tokens.alice, request, 'deny', 'no')).status).toBe(201);
    expect(await statusOf(request)).toBe('denied');
  });

  const lies: [string, Lies][] = [
    ['a signature by another key', { key: new SoftAuthenticator('').key }],
    ['a signature with a flipped bit', { breakSignature: true }],
    ['another origin', { origin: 'https://evil.example' }],
    ['a subdomain as origin', { origin: 'http://evil.localhost' }],
    ['an address with a path as origin', { origin: 'http://localhost/' }],
    ['another host of the key', { rpId: 'evil.example' }],
    ['no user verification', { verified: false }],
    ['no presence', { present: false }],
    ['a frame of another site', { crossOrigin: true }],
    ['a frame of a named site', { crossOrigin: true, topOrigin: 'https://evil.example' }],
    ['a named site around it, and no frame', { topOrigin: 'https://evil.example' }],
    ['an enrolment in its place', { type: 'webauthn.create' }],
    ['another user handle', { userHandle: 'AAAA' }],
    ['a challenge that was never made', { challenge: Buffer.alloc(32).toString('base64url') }],
    ['a credential that nobody enrolled', { id: Buffer.alloc(32, 7).toString('base64url') }],
  ];
  test.each(lies)('C4: %s is refused, and nothing is decided', async (_what, lie) => {
    const request = await world.pending();
    const { json } = await challengeFor(alice, request);
    expect(codeOf(await handIn(alice, request, key.assert(json, lie)))).toEqual(REFUSED);
    // It was taken by the first answer, an honest one that comes later is too late.
    if (lie?.challenge === undefined) expect(codeOf(await handIn(alice, request, key.assert(json)))).toEqual(REFUSED);
    expect(await statusOf(request)).toBe('pending');
  });

  test('C4: an assertion counts once: neither it nor its handle is taken again', async () => {
    const [request, next] = [await world.pending(), await world.pending()];
    const { json } = await challengeFor(alice, request);
    const response = key.assert(json);
    const first = await handIn(alice, request, response);
    expect(codeOf(await handIn(alice, request, response))).toEqual(REFUSED);
    expect((await decide(alice, request, first.json.passkey)).status).toBe(201);
    expect(codeOf(await decide(alice, next, first.json.passkey))).toEqual(NEEDED);
  });

  test('A4: what was signed for one request, verdict or view decides no other', async () => {
    const [one, two] = [await world.pending(), await world.pending({ reason: 'Another reason' })];
    const { json } = await challengeFor(alice, one);
    expect(codeOf(await handIn(alice, two, key.assert(json)))).toEqual(REFUSED);
    const handle = await asserted(alice, key, one);
    expect(codeOf(await decide(alice, two, handle))).toEqual(NEEDED);
    // Whoever named it elsewhere has spent it.
    expect(codeOf(await decide(alice, one, handle))).toEqual(NEEDED);
    const denial = await asserted(alice, key, one, 'deny');
    expect(codeOf(await decide(alice, one, denial))).toEqual(NEEDED);
    // The request is not what it was when the challenge was made.
    const { json: before } = await challengeFor(alice, one);
    const other = `sha256:${createHash('sha256').update('another view').digest('hex')}`;
    await world.sql(`UPDATE action_requests SET view_digest = '${other}' WHERE id = '${one.id}'`);
    expect(codeOf(await handIn(alice, one, key.assert(before)))).toEqual(REFUSED);
    expect([await statusOf(one), await statusOf(two)]).toEqual(['pending', 'pending']);
  });

  test('C4: a key of another person, a handle of another person and a challenge of another session are refused', async () => {
    const request = await world.pending();
    const mine = await challengeFor(alice, request);
    expect(codeOf(await handIn(alice, request, bobs.assert(mine.json)))).toEqual(REFUSED);
    const again = await seat(world, 'alice');
    const elsewhere = await challengeFor(again, request);
    expect(codeOf(await handIn(alice, request, key.assert(elsewhere.json)))).toEqual(REFUSED);
    const theirs = await challengeFor(alice, request);
    expect(codeOf(await handIn(bob, request, bobs.assert(theirs.json)))).toEqual(REFUSED);
    const handle = await asserted(bob, bobs, request);
    expect(codeOf(await decide(alice, request, handle))).toEqual(NEEDED);
    expect(await statusOf(request)).toBe('pending');
  });

  test('C4: a copy of a key shows by its counter, and the ledger has it; an authenticator without one passes', async () => {
    const request = await world.pending();
    const { json } = await challengeFor(alice, request);
    expect(codeOf(await handIn(alice, request, key.assert(json, { counter: 1 })))).toEqual(REFUSED);
    expect(await world.flow.requests.timeline('default', world.people.alice.id)).toContainEqual(expect.objectContaining({ event: 'passkey.refused' }));
    const { key: uncounted } = await enrol(world, alice, new SoftAuthenticator(world.url, { counts: false }));
    await asserted(alice, uncounted, request);
    const handle = await asserted(alice, uncounted, request);
    expect((await decide(alice, request, handle)).status).toBe(201);
  });

  test('C4: of a key and its copy that sign at once one counts', async () => {
    const request = await world.pending();
    const [one, two] = [await challengeFor(alice, request), await challengeFor(alice, request)];
    const counter = key.counter + 1;
    const answers = await Promise.all([handIn(alice, request, key.assert(one.json, { counter })), handIn(alice, request, key.assert(two.json, { counter }))]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 403]);
  });

  test('C5: a removed key signs nothing, and what it signed before decides nothing', async () => {
    const request = await world.pending();
    const spare = await enrol(world, alice);
    const [{ json }, handle] = [await challengeFor(alice, request), await asserted(alice, spare.key, request)];
    expect((await alice.call('DELETE', `/v1/passkeys/${spare.id}`)).status).toBe(204);
    expect(codeOf(await handIn(alice, request, spare.key.assert(json)))).toEqual(REFUSED);
    expect(codeOf(await decide(alice, request, handle))).toEqual(NEEDED);
    expect(await statusOf(request)).toBe('pending');
  });

  test('C5: who is deactivated in between decides nothing', async () => {
    const request = await world.pending();
    const handle = await asserted(bob, bobs, request);
    const { json } = await challengeFor(bob, request);
    await world.sql(`UPDATE directory_people SET active = false WHERE id = '${world.people.bob.id}'`);
    expect(codeOf(await handIn(bob, request, bobs.assert(json)))).toEqual({ status: 403, code: 'account_inactive' });
    expect(codeOf(await decide(bob, request, handle))).toEqual({ status: 403, code: 'account_inactive' });
    await world.sql(`UPDATE directory_people SET active = true WHERE id = '${world.people.bob.id}'`);
    expect(await statusOf(request)).toBe('pending');
  });

  test('C4: what was signed longer ago than policy wants does not do', async () => {
    const request = await world.pending();
    const handle = await asserted(alice, key, request);
    world.ahead += 121;
    expect(codeOf(await decide(alice, request, handle))).toEqual(NEEDED);
    world.ahead -= 121;
  });

  test('C4: whoever stands behind the request decides nothing by passkey either', async () => {
    const request = await world.pending();
    const dana = await seat(world, 'dana');
    const { key: hers } = await enrol(world, dana);
    const handle = await asserted(dana, hers, request);
    expect(codeOf(await decide(dana, request, handle))).toEqual({ status: 403, code: 'self_approval' });
  });
});

describe('a press in a chat that needs a passkey', () => {
  const GIVEN = { ticket: 'CHG-1', acknowledged: ['I have read it.'], break_glass: true as const };
  const pressed = async (request: Pending): Promise<string> => {
    const url = await stepUpLink(
      { ...world.flow, passkeys: world.store.passkeys },
      {
        tenant: 'default',
        request_id: request.id,
        person_id: world.people.alice.id,
        verdict: 'approve',
        reason: 'looks right',
        given: { ...GIVEN, delegate_for: world.people.bob.id },
        via: 'slack',
      },
    );
    expect(url).toMatch(new RegExp(`^${world.url}/requests/${request.id}#step-up/[0-9a-f-]{36}$`));
    return url.slice(url.lastIndexOf('/') + 1);
  };

  test('C1: its link shows the presser what was pressed, and is used up by the passkey', async () => {
    const request = await world.pending();
    const intent = await pressed(request);
    const path = `/v1/step-up-intents/${intent}`;
    expect((await alice.call('GET', path)).json).toMatchObject({
      action_request: request.id,
      verdict: 'approve',
      reason: 'looks right',
      ...GIVEN,
      delegate_for: { id: world.people.bob.id, email: 'bob@example.com' },
      via: 'slack',
      used_at: null,
    });
    const { json } = await challengeFor(alice, request, 'approve', intent);
    const reply = await handIn(alice, request, key.assert(json), intent);
    expect((await alice.call('GET', path)).json).toMatchObject({ used_at: expect.any(String) });
    expect(codeOf(await challengeFor(alice, request, 'approve', intent))).toEqual({ status: 404, code: 'not_found' });
    expect((await decide(alice, request, reply.json.passkey)).status).toBe(201);
  });

  test('C4: it gives nobody else anything: no session, no other person, no other request', async () => {
    const [request, other] = [await world.pending(), await world.pending()];
    const intent = await pressed(request);
    const path = `/v1/step-up-intents/${intent}`;
    expect((await world.call('GET', path)).status).toBe(401);
    expect((await world.call('GET', path, { as: world.key })).status).toBe(403);
    expect(codeOf(await bob.call('GET', path))).toEqual({ status: 403, code: 'forbidden' });
    expect(codeOf(await challengeFor(bob, request, 'approve', intent))).toEqual({ status: 403, code: 'forbidden' });
    const { json } = await challengeFor(bob, request);
    expect(codeOf(await handIn(bob, request, bobs.assert(json), intent))).toEqual({ status: 403, code: 'forbidden' });
    expect(codeOf(await challengeFor(alice, other, 'approve', intent))).toEqual({ status: 404, code: 'not_found' });
    expect(await statusOf(request)).toBe('pending');
  });
});

describe('the evidence', () => {
  let receipt: Receipt;
  let evidence: PasskeyEvidence;
  let decided: { request_digest: string; view_digest: string; verdict: 'approve' };
  let vkeys: string[];
  beforeAll(async () => {
    const request = await world.pending();
    await decide(alice, request, await asserted(alice, key, request));
    while ((await world.sequence()) > 0);
    receipt = (await world.call('GET', `/v1/action-requests/${request.id}/receipt`, { as: world.key })).json;
    ({ vkeys } = receipt.log);
    const recorded = receipt.entries.find(({ event }) => event === 'decision.recorded')?.details ?? {};
    // The schema of the receipt holds details as JSON; these members are what the decision's entry is made of.
    evidence = recorded['passkey'] as unknown as PasskeyEvidence;
    decided = { request_digest: receipt.request_digest, view_digest: String(recorded['view_digest']), verdict: 'approve' };
  });
  const verified = (candidate: unknown) => verifyReceipt(candidate, { origin: receipt.log.origin, vkeys, verify: verifyEd25519, verifyPasskey: verifySpki });

  test('E2: it is in the receipt, and is proved again offline', async () => {
    expect(await verified(receipt)).toMatchObject({ ok: true, passkeys: [{ credential_id: key.credentialId, origin: world.url }] });
    expect(await checkPasskeyEvidence(evidence, decided, verifySpki, { origin: world.url })).toEqual({ ok: true, origin: world.url });
  });

  test('E2: changed in the receipt, it is found', async () => {
    const changed = structuredClone(receipt);
    for (const { passkey } of changed.outcome?.decisions ?? []) if (passkey !== undefined) passkey.signature = passkey.client_data_json;
    expect(await verified(changed)).toMatchObject({ ok: false, reason: 'contradicts' });
    const without = structuredClone(receipt);
    for (const decision of without.outcome?.decisions ?? []) delete decision.passkey;
    expect(await verified(without)).toMatchObject({ ok: false, reason: 'contradicts' });
    const other = structuredClone(receipt);
    for (const { details } of other.entries)
      if (details['passkey'] !== undefined) Object.assign(details['passkey'] as object, { nonce: Buffer.alloc(32).toString('base64url') });
    expect(await verified(other)).toMatchObject({ ok: false, reason: 'not_opened' });
  });

  test('E2: with any of its members or what it is about changed, it does not verify', async () => {
    const faults = async (change: Partial<PasskeyEvidence>, about: Partial<typeof decided> = {}) => {
      const verdict = await checkPasskeyEvidence({ ...evidence, ...change }, { ...decided, ...about }, verifySpki);
      return verdict.ok ? 'ok' : verdict.reason;
    };
    const rewritten = (members: object): string =>
      Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(evidence.client_data_json, 'base64url').toString()), ...members })).toString('base64url');
    const flags = (value: number): string => {
      const data = Buffer.from(evidence.authenticator_data, 'base64url');
      data[32] = value;
      return data.toString('base64url');
    };
    const zero = `sha256:${'0'.repeat(64)}`;
    const theirs = createPublicKey(bobs.key).export({ type: 'spki', format: 'der' }).toString('base64url');
    expect({
      honest: await faults({}),
      request: await faults({}, { request_digest: zero }),
      view: await faults({}, { view_digest: zero }),
      verdict: await faults({}, { verdict: 'deny' as 'approve' }),
      nonce: await faults({ nonce: Buffer.alloc(32).toString('base64url') }),
      short_nonce: await faults({ nonce: 'AAAA' }),
      key: await faults({ public_key: theirs }),
      no_key: await faults({ public_key: 'AAAA' }),
      signature: await faults({ signature: Buffer.alloc(70).toString('base64url') }),
      origin: await faults({ client_data_json: rewritten({ origin: 'https://evil.example' }) }),
      frame: await faults({ client_data_json: rewritten({ crossOrigin: true }) }),
      type: await faults({ client_data_json: rewritten({ type: 'webauthn.create' }) }),
      rewritten: await faults({ client_data_json: rewritten({ more: 1 }) }),
      not_verified: await faults({ authenticator_data: flags(0x01) }),
      not_present: await faults({ authenticator_data: flags(0x04) }),
      other_flags: await faults({ authenticator_data: flags(0x45) }),
      text: await faults({ client_data_json: 'AAAA' }),
    }).toEqual({
      honest: 'ok',
      request: 'other_challenge',
      view: 'other_challenge',
      verdict: 'other_challenge',
      nonce: 'other_challenge',
      short_nonce: 'malformed',
      key: 'bad_signature',
      no_key: 'bad_signature',
      signature: 'bad_signature',
      origin: 'other_origin',
      frame: 'cross_origin',
      type: 'malformed',
      rewritten: 'bad_signature',
      not_verified: 'not_verified',
      not_present: 'not_verified',
      other_flags: 'bad_signature',
      text: 'malformed',
    });
  });

  (shell ? test : test.skip)('E2: openssl alone verifies it, by the recipe of docs/auditor.md', () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-passkey-'));
    try {
      writeFileSync(join(folder, 'receipt.json'), JSON.stringify(receipt));
      expect(execFileSync('bash', ['-euo', 'pipefail', '-c', recipe()], { cwd: folder, encoding: 'utf8' })).toContain('Verified OK');
      const changed = structuredClone(receipt);
      for (const { details, event } of changed.entries) if (event === 'decision.recorded') details['view_digest'] = `sha256:${'0'.repeat(64)}`;
      writeFileSync(join(folder, 'receipt.json'), JSON.stringify(changed));
      expect(() => execFileSync('bash', ['-euo', 'pipefail', '-c', recipe()], { cwd: folder, stdio: 'pipe' })).toThrow();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** The one script in the chapter of docs/auditor.md, as it stands there. */
function recipe(): string {
  const chapter = readFileSync(new URL('../../../../docs/auditor.md', import.meta.url), 'utf8').split('## A decision by passkey')[1] ?? '';
  return /```bash\n([\s\S]*?)```/.exec(chapter)?.[1] ?? 'exit 9';
}
