import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EXPORT } from './support/api.js';
import { root, type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

let server: RunningServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-receipt-'));
  server = await startServer();
}, 90_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** `countersign verify` on a receipt, in a process of its own and without the service's address. */
function verify(receipt: object, ...args: string[]): { code: number | null; out: string } {
  const file = path.join(folder, 'receipt.json');
  writeFileSync(file, JSON.stringify(receipt));
  const ran = spawnSync(process.execPath, [path.join(root, 'bin', 'countersign'), 'verify', file, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
  return { code: ran.status, out: `${ran.stdout}${ran.stderr}` };
}

test('E2, D3: one command shows offline what happened to a request, by the keys of the log, and sees what was changed', async () => {
  const { api_key } = server.quickstart();
  const request = (await server.submit(api_key, EXPORT)).json;
  expect((await server.decide(server.token('alice'), request, 'approve')).status).toBe(201);
  const receipt = await until(async () => {
    const reply = await server.call('GET', `/v1/action-requests/${request.id}/receipt`, { as: api_key });
    return reply.status === 200 ? reply.json : null;
  }, 'the receipt');
  const vkeys: string[] = (await server.call('GET', '/ledger/default/keys')).json.keys.map(({ vkey }: { vkey: string }) => vkey);
  const trusted = vkeys.flatMap((vkey) => ['--vkey', vkey]);

  const good = verify(receipt, ...trusted);
  expect(good).toMatchObject({ code: 0, out: expect.stringContaining(`OK: ${request.id} is approved`) });
  expect(good.out).toContain('decision.recorded');

  const liar = structuredClone(receipt);
  liar.entries.find(({ event }: { event: string }) => event === 'decision.recorded').details.person.name = 'Mallory';
  expect(verify(liar, ...trusted)).toMatchObject({ code: 1, out: expect.stringContaining('WRONG') });
  expect(verify({ ...receipt, status: 'denied' }, ...trusted)).toMatchObject({ code: 1, out: expect.stringContaining('WRONG') });
  const foreign = 'localhost/ledger/default+a81de6f2+AWq5AyoAFz3VY6jjYUhF/BfmTgSf6MQF+AY6SXNcDrvJ';
  expect(verify(receipt, '--vkey', foreign).code).not.toBe(0);
});
