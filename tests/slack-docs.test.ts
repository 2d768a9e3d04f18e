import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { countersign } from '@countersign/cli/testing';
import { freePort } from '@countersign/dev-env/free-port';
import { startFakeSlack, visibleText } from '@countersign/dev-env/slack';
import { type Running, start } from '@countersign/server';
import { readConfig } from '@countersign/service';
import { expect, jest, test } from '@jest/globals';
import { root } from './support/running-server.js';
import { posted } from './support/posted-card.js';
import { until } from './support/until.js';

/* docs/slack.md, from nothing to the first approval: its commands as they stand on the page, before a Slack of ours. */
jest.setTimeout(180_000);

const page = readFileSync(path.join(root, 'docs/slack.md'), 'utf8');
const walk = page.slice(page.indexOf('## The first approval'), page.indexOf('## Over HTTP'));
const blocks = [...walk.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => (block ?? '').replaceAll(/^ {3}/gm, '').trim());
const command = (beginning: string): string => {
  const found = blocks.flatMap((block) => (block.startsWith('curl') ? [block] : block.split('\n'))).find((line) => line.startsWith(beginning));
  if (found === undefined) throw new Error(`the page has no ${beginning}`);
  return found;
};
/** What stands after `bin/countersign`. */
const words = (line: string): string[] => line.replace('bin/countersign ', '').split(' ');

test('the way to the first approval leads there', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'countersign-slack-docs-'));
  const folder = path.join(home, '.countersign');
  const printed = await countersign([...words(command('bin/countersign slack manifest')), '--json'], { cwd: home });
  const manifest = JSON.parse(printed.out) as { oauth_config: { scopes: { bot: string[] } } };
  const slack = await startFakeSlack({
    scopes: manifest.oauth_config.scopes.bot,
    users: [{ id: 'U0YOU', name: 'you', email: 'you@example.com' }],
    channels: [{ id: 'C0APPROVALS', name: 'approvals' }],
  });
  const port = String(await freePort());
  const quickstart = { COUNTERSIGN_HOME: folder, PORT: port, LOG_LEVEL: 'silent' };
  const exported = command('export ')
    .replace('xoxb-…', slack.botToken)
    .replace('xapp-…', slack.appToken)
    .replace('export ', '')
    .split(' ')
    .map((one) => one.split('=') as [string, string]);
  const env = { ...quickstart, ...Object.fromEntries(exported), SLACK_API_URL: slack.apiUrl };
  let running: Running | null = null;
  const stop = async (): Promise<void> => {
    await running?.shutdown.stop('the test is over');
    running?.shutdown.release();
    running = null;
  };
  const begin = async (given: Record<string, string>): Promise<void> => {
    const read = readConfig(given);
    if (!read.ok) throw new Error(JSON.stringify(read.problems));
    running = await start(read.config);
  };
  try {
    await begin(quickstart);
    await stop();
    expect(await countersign(words(command('bin/countersign quickstart link')), { cwd: home, env: quickstart })).toMatchObject({ code: 0 });
    await begin(env);
    await until(() => slack.socketConnected(), 'the connection');
    const doctor = await countersign(words(command('bin/countersign doctor')), { cwd: home, env });
    expect([doctor.code, doctor.out]).toEqual([0, expect.stringContaining('Nothing fails.')]);

    const { id, status } = JSON.parse(await shell(command('curl').replace('localhost:8080', `localhost:${port}`), home)) as { id: string; status: string };
    expect(status).toBe('pending');
    const card = await until(() => slack.messages('approvals').find((message) => visibleText(message.blocks).includes(id)), 'the card');
    await posted(`http://localhost:${port}`, JSON.parse(readFileSync(path.join(folder, 'quickstart.json'), 'utf8')).api_key, id);
    const approve = JSON.stringify(card.blocks).match(/"countersign_approve\w*"/)?.[0] ?? '';
    await slack.client.press({ user: 'U0YOU', channel: 'approvals', ts: card.ts, actionId: JSON.parse(approve) as string });
    expect(await until(() => [...slack.ephemeral('U0YOU'), ...slack.direct('U0YOU')].at(-1)?.text, 'the answer')).toContain('You approved it');
    await until(() => visibleText(slack.message('approvals', card.ts)?.blocks ?? []).includes('Approved'), 'the closed card');
    expect((await countersign(['list'], { cwd: home, env: quickstart })).out).toMatch(/approved/);
  } finally {
    await stop();
    await slack.close();
    rmSync(home, { recursive: true, force: true });
  }
});

/** What a command prints. */
async function shell(line: string, cwd: string): Promise<string> {
  const child = spawn('sh', ['-c', line], { cwd });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  await new Promise((resolve) => child.once('close', resolve));
  return out;
}
