import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { launchBrowser, openPage } from '@countersign/dev-env/browser';
import { needs } from '@countersign/dev-env/needs';
import { type FakeSlack, startFakeSlack } from '@countersign/dev-env/slack';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { EXPORT } from './support/api.js';
import { verifyByCommand } from './support/ledger-check.js';
import { root, type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

const chromium = needs('chromium', 'passkeys and revealed values in a browser');

/** The quickstart's policy: an export takes a passkey, and data owners see what masks hide. */
function policyText(): string {
  const text = readFileSync(path.join(root, 'apps/server/src/quickstart/policy.yaml'), 'utf8');
  const demanded = text.replace(
    '      timeout: 4h\n\n',
    '      timeout: 4h\n      obligations: { passkey: { fresh: 5m } }\n    reveal: { groups: [data-owners], classes: [email], fresh: 5m }\n\n',
  );
  const ticketed = demanded.replace('\nrules:\n', TICKETED);
  if (demanded === text || ticketed === demanded) throw new Error('the quickstart policy reads otherwise than this test thinks');
  return ticketed;
}

/** An action that takes a ticket and words besides the passkey. */
const TICKETED = `
rules:
  - id: rotation
    effect: require
    actions: [ops.rotate]
    require:
      stages:
        - all: [{ group: data-owners, quorum: 1 }]
      obligations: { ticket: { pattern: "CHG-[0-9]{4}" }, acknowledge: ["I have read the runbook."], passkey: { fresh: 5m } }

`;

const ADDRESS = 'quentin.quimby@customer.example';

(chromium === undefined ? describe.skip : describe)('passkeys in a real browser', () => {
  let home: string;
  let server: RunningServer;
  let browser: Browser;
  let slack: FakeSlack;
  /** Alice at her own device, and Bob at his. */
  let alice: Device;
  let bob: Device;

  interface Device {
    page: Page;
    faults: string[];
    cdp: CDPSession;
    authenticatorId: string;
  }

  beforeAll(async () => {
    home = mkdtempSync(path.join(tmpdir(), 'countersign-passkeys-'));
    writeFileSync(path.join(home, 'policy.yaml'), policyText());
    copyFileSync(path.join(root, 'apps/server/src/quickstart/directory.yaml'), path.join(home, 'directory.yaml'));
    slack = await startFakeSlack({
      users: ['alice', 'bob'].map((name) => ({ id: `U0${name.toUpperCase()}`, name, email: `${name}@example.com` })),
      channels: [{ id: 'C0APPROVALS', name: 'approvals' }],
    });
    const env = {
      // Chromium's own make: each enrolment is attested.
      COUNTERSIGN_PASSKEY_MAKES: '01020304-0506-0708-0102-030405060708',
      SLACK_BOT_TOKEN: slack.botToken,
      SLACK_SIGNING_SECRET: slack.signingSecret,
      SLACK_API_URL: slack.apiUrl,
      SLACK_CHANNEL: '#approvals',
    };
    [server, browser] = await Promise.all([startServer({ home, env }), launchBrowser(chromium ?? '')]);
    slack.connect(`${server.url}/slack/events`);
    [alice, bob] = await Promise.all([device('alice'), device('bob')]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await slack?.close();
    rmSync(home, { recursive: true, force: true });
  }, 60_000);

  /** A browser of a person who has just signed in by link, with an authenticator that knows its owner. */
  async function device(person: string): Promise<Device> {
    const { page, faults } = await openPage(browser);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await page.goto(server.quickstart().people[`${person}@example.com`]?.sign_in_url ?? '');
    await page.getByRole('heading', { name: /Waiting/ }).waitFor();
    await page.goto(`${server.url}/passkeys`);
    await page.getByLabel('Name of a new passkey').fill(`${person}'s laptop`);
    await page.getByRole('button', { name: 'Enrol a passkey' }).click();
    await page.getByText('The passkey is enrolled.').waitFor();
    return { page, faults, cdp, authenticatorId };
  }

  async function ask(members: object = {}): Promise<{ id: string; url: string }> {
    const reply = await server.submit(server.quickstart().api_key, { ...EXPORT, ...members });
    expect(reply.json).toMatchObject({ status: 'pending' });
    return reply.json;
  }
  const read = async (id: string) => (await server.call('GET', `/v1/action-requests/${id}`, { as: server.quickstart().api_key })).json;

  test('C4: the page asks for the passkey, and what it signed stands on the decision and verifies offline', async () => {
    const request = await ask();
    await alice.page.goto(request.url);
    expect(await alice.page.locator('article.card').innerText()).toContain('48211');
    await alice.page.getByRole('button', { name: 'Approve with passkey' }).click();
    await alice.page.getByText('You approved it.').waitFor();
    const { status, decisions } = await read(request.id);
    expect({ status, decisions }).toMatchObject({ status: 'approved', decisions: [{ via: 'web', passkey: { signature: expect.any(String) } }] });
    const client = JSON.parse(Buffer.from(decisions[0].passkey.client_data_json, 'base64url').toString());
    expect(client).toMatchObject({ type: 'webauthn.get', origin: server.url, crossOrigin: false });
    const receipt = await until(async () => {
      const reply = await server.call('GET', `/v1/action-requests/${request.id}/receipt`, { as: server.quickstart().api_key });
      return reply.status === 200 ? reply.text : null;
    }, 'the receipt');
    const file = path.join(home, 'receipt.json');
    writeFileSync(file, receipt);
    const { stdout } = await command('verify', file);
    expect(stdout).toContain(`was signed by the passkey ${decisions[0].passkey.credential_id} on ${server.url}`);
    // One letter of what was signed, and the whole is wrong.
    const changed = JSON.parse(receipt);
    for (const { details } of changed.entries) if (details.passkey !== undefined) details.passkey.signature = details.passkey.signature.replace(/^./, 'N');
    writeFileSync(file, JSON.stringify(changed));
    expect((await command('verify', file)).stdout).toContain('WRONG');
    expect(alice.faults).toEqual([]);
  });

  test('C4: a device that does not know who holds it decides nothing', async () => {
    const request = await ask();
    await alice.cdp.send('WebAuthn.setUserVerified', { authenticatorId: alice.authenticatorId, isUserVerified: false });
    await alice.page.goto(request.url);
    await alice.page.getByRole('button', { name: 'Approve with passkey' }).click();
    await alice.page.locator('.notice.refused').getByText('did not check that it is you').waitFor();
    await alice.cdp.send('WebAuthn.setUserVerified', { authenticatorId: alice.authenticatorId, isUserVerified: true });
    expect(await read(request.id)).toMatchObject({ status: 'pending', decisions: [] });
  });

  test('C4: a script that asks the device to leave its owner unchecked gains nothing', async () => {
    const request = await ask();
    await alice.page.goto(request.url);
    await alice.page.getByRole('button', { name: 'Approve with passkey' }).waitFor();
    const answer = await alice.page.evaluate(async (id) => {
      const post = async (path: string, body: object) => {
        const response = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
        return { status: response.status, json: await response.json() };
      };
      const bytes = (text: string) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
      const asked = (await post(`/v1/action-requests/${id}/passkey-challenges`, { verdict: 'approve' })).json;
      const credential = await navigator.credentials.get({
        publicKey: {
          challenge: bytes(asked.challenge),
          rpId: asked.rpId,
          userVerification: 'discouraged',
          allowCredentials: asked.allowCredentials.map((one: { id: string }) => ({ type: 'public-key', id: bytes(one.id) })),
        },
      });
      // What the browser gives for a public key has toJSON (WebAuthn level 3, section 5.1).
      const response = (credential as unknown as { toJSON(): object }).toJSON();
      return post(`/v1/action-requests/${id}/passkey-assertions`, { response });
    }, request.id);
    expect({ status: answer.status, code: answer.json.code }).toEqual({ status: 403, code: 'passkey_refused' });
    expect(await read(request.id)).toMatchObject({ status: 'pending', decisions: [] });
  });

  test('C1: a press in Slack leads its presser, and nobody else, to the page where the passkey is used', async () => {
    const request = await ask();
    const message = await slack.wire.until(() => slack.messages('approvals').find(({ blocks }) => JSON.stringify(blocks).includes(request.id)), 'the card');
    await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts: message.ts, actionId: 'countersign_approve' });
    const said = await slack.wire.until(() => slack.ephemeral('U0ALICE').at(-1), 'the private answer');
    const url = /"url":"([^"]+)"/.exec(JSON.stringify(said.blocks))?.[1] ?? '';
    expect(url).toMatch(new RegExp(`^${request.url}#step-up/`));
    expect(await read(request.id)).toMatchObject({ status: 'pending' });

    await bob.page.goto(url);
    await bob.page.getByText('Somebody else pressed this button.').waitFor();
    expect(await bob.page.getByRole('button', { name: /Approve|Deny/ }).count()).toBe(0);

    await alice.page.goto(url);
    await alice.page.getByText('You pressed Approve in Slack').waitFor();
    await alice.page.getByRole('button', { name: 'Approve with passkey' }).click();
    await alice.page.getByText('You approved it.').waitFor();
    expect(await read(request.id)).toMatchObject({ status: 'approved', decisions: [{ person: { email: 'alice@example.com' }, passkey: {} }] });
    await slack.wire.until(() => !JSON.stringify(slack.message('approvals', message.ts)?.blocks).includes('"Approve"'), 'the closed card');
    // Nobody is signed in by the link.
    const stranger = await openPage(browser);
    await stranger.page.goto(url);
    await stranger.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(await stranger.page.locator('article.card').count()).toBe(0);
  });

  test('C1: what was entered in Slack is on the page where the passkey is used, and is entered once', async () => {
    const request = await ask({ action: 'ops.rotate', resource: { type: 'service', id: 'billing' } });
    const message = await slack.wire.until(() => slack.messages('approvals').find(({ blocks }) => JSON.stringify(blocks).includes(request.id)), 'the card');
    const value = JSON.stringify({ request_id: request.id, request_digest: (await read(request.id)).request_digest });
    await slack.client.press({ user: 'U0ALICE', channel: 'approvals', ts: message.ts, actionId: 'countersign_act_approve_0', value });
    const form = await slack.wire.until(() => slack.views('U0ALICE').find(({ blocks }) => blocks.some(({ type }) => type === 'input')), 'the form');
    const words = String(form.blocks.find(({ block_id }) => String(block_id).startsWith('acknowledge_'))?.['block_id']);
    const before = slack.ephemeral('U0ALICE').length;
    await slack.client.submit({ user: 'U0ALICE', values: { ticket: 'CHG-1234', [words]: ['yes'] } });
    const said = await slack.wire.until(() => slack.ephemeral('U0ALICE')[before], 'the private answer');
    const url = /"url":"([^"]+)"/.exec(JSON.stringify(said.blocks))?.[1] ?? '';
    await alice.page.goto(url);
    await alice.page.getByText('with the ticket “CHG-1234”, having confirmed: “I have read the runbook.”').waitFor();
    await alice.page.getByRole('button', { name: 'Approve with passkey' }).click();
    expect(await alice.page.getByLabel('Ticket, like').inputValue()).toBe('CHG-1234');
    // It stands in the form already: one more press sends it.
    await alice.page.getByRole('button', { name: 'Approve with passkey' }).click();
    await alice.page.getByText('You approved it.').waitFor();
    expect(await read(request.id)).toMatchObject({
      status: 'approved',
      decisions: [{ ticket: 'CHG-1234', acknowledged: ['I have read the runbook.'], passkey: {} }],
    });
  });

  test('C4: a page of another site cannot stand around ours, whatever it allows', async () => {
    const request = await ask();
    const hostile: Server = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<h1>Win a prize</h1><iframe allow="publickey-credentials-get *" src="${request.url}" width="800" height="800"></iframe>`);
    });
    await new Promise<void>((resolve) => hostile.listen(0, '127.0.0.1', resolve));
    try {
      const tab = await alice.page.context().newPage();
      const refused = tab.waitForEvent('requestfailed', { predicate: (failed) => failed.url().startsWith(request.url) });
      await tab.goto(`http://evil.localhost:${(hostile.address() as AddressInfo).port}/`);
      expect((await refused).failure()?.errorText).toContain('BLOCKED_BY_RESPONSE');
      expect(await tab.frames()[1]?.locator('button').count()).toBe(0);
      await tab.close();
    } finally {
      hostile.close();
    }
    const page = await server.call('GET', `/requests/${request.id}`);
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(page.headers['permissions-policy']).toContain('publickey-credentials-get=(self)');
  });

  test('C5: a removed passkey is gone from the page, and from what it decides', async () => {
    const request = await ask();
    await bob.page.goto(`${server.url}/passkeys`);
    await bob.page.getByRole('button', { name: 'Remove' }).click();
    await bob.page.getByText("bob's laptop was removed.").waitFor();
    await bob.page.getByText('You have no passkey yet.').waitFor();
    await bob.page.goto(request.url);
    await bob.page.getByRole('button', { name: 'Approve with passkey' }).click();
    await bob.page.locator('.notice.refused').getByText('You have no passkey yet').waitFor();
    expect(await read(request.id)).toMatchObject({ status: 'pending', decisions: [] });
  });

  test('F2: a masked value is shown to whom policy lets see it, with a purpose, and stands in no log', async () => {
    const request = await ask({ parameters: { ...EXPORT.parameters, contact: ADDRESS } });
    await alice.page.goto(request.url);
    const hidden = alice.page.getByRole('region', { name: 'Hidden values' });
    await hidden.getByText('/parameters/contact').waitFor();
    expect(await alice.page.content()).not.toContain(ADDRESS);
    await hidden.getByRole('button', { name: 'Reveal' }).click();
    await hidden.getByRole('textbox').fill('To see whose record it is');
    await hidden.getByRole('button', { name: 'Show it to me' }).click();
    await hidden.getByText(ADDRESS).waitFor();
    await hidden.getByRole('button', { name: 'Hide' }).click();
    expect(await alice.page.content()).not.toContain(ADDRESS);
    const { data } = (await server.call('GET', `/v1/action-requests/${request.id}/events`, { as: server.token('bob') })).json;
    expect(data.filter(({ event }: { event: string }) => event === 'value.revealed')).toMatchObject([
      { detail: { person: { email: 'alice@example.com' }, pointer: '/parameters/contact', purpose: 'To see whose record it is' } },
    ]);
    expect(JSON.stringify(data)).not.toContain(ADDRESS);
    expect(server.output()).not.toContain(ADDRESS);
    expect(alice.faults).toEqual([]);
  });

  test('E2: after all of that the full check of the ledger finds nothing wrong', async () => {
    expect(await verifyByCommand(home)).toMatchObject({ findings: [] });
  });

  const command = (...args: string[]): Promise<{ stdout: string }> =>
    new Promise((resolve) => {
      execFile(path.join(root, 'bin/countersign'), args, { cwd: home, env: { PATH: process.env['PATH'] ?? '' } }, (_error, stdout, stderr) =>
        resolve({ stdout: stdout + stderr }),
      );
    });
});
