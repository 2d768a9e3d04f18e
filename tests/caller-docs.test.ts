import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { needs } from '@countersign/dev-env/needs';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, type RunningServer, startServer } from './support/running-server.js';
import { until } from './support/until.js';

/* The ten lines of docs/caller.md, taken from the page and run as they stand. */
jest.setTimeout(60_000);

let server: RunningServer;
const folder = mkdtempSync(path.join(tmpdir(), 'countersign-docs-'));
const page = readFileSync(path.join(root, 'docs/caller.md'), 'utf8');
const firstBlock = (language: string): string => new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? '';

beforeAll(async () => {
  server = await startServer();
}, 90_000);
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a file, decides the one request that comes of it, and gives what was printed. */
async function printed(program: string, args: string[], verdict: 'approve' | 'deny'): Promise<string> {
  const as = server.quickstart().api_key;
  const child = spawn(program, args, {
    env: {
      PATH: process.env['PATH'],
      COUNTERSIGN_URL: server.url,
      COUNTERSIGN_API_KEY: as,
      PYTHONPATH: path.join(root, 'clients/python'),
      PYTHONDONTWRITEBYTECODE: '1',
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  const end = new Promise((resolve) => child.once('close', resolve));
  const [request] = await until(async () => {
    const { data } = (await server.call('GET', '/v1/action-requests?status=pending', { as })).json;
    return data.length > 0 && data;
  }, `a request of the example; it said ${output}`);
  expect((await server.decide(server.token('alice'), request, verdict)).status).toBe(201);
  await end;
  return output;
}

test('A1, A2, G1: the JavaScript of the page asks, waits and runs', async () => {
  const file = path.join(folder, 'example.mjs');
  const code = firstBlock('js').replace("'@countersign/client'", `'${pathToFileURL(path.join(root, 'packages/client/dist/index.js')).href}'`);
  expect(code).toContain('guard(action');
  writeFileSync(file, `const exportTable = ({ rows }) => \`exported \${rows}\`;\n${code}`);
  expect(await printed(process.execPath, [file], 'approve')).toBe('exported 48211\n');
});

const python = needs('python3', 'the Python of docs/caller.md');
(python === undefined ? test.skip : test)('A1, A2, G1: the Python of the page asks, waits and runs, and a denial raises', async () => {
  const file = path.join(folder, 'example.py');
  writeFileSync(file, firstBlock('python'));
  expect(await printed(python ?? '', [file], 'approve')).toBe('48211 rows of prod.customers as csv\n');
  expect(await printed(python ?? '', [file], 'deny')).toMatch(/NotRun: denied/);
});
