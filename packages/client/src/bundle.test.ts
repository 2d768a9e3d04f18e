import { beforeAll, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import vm from 'node:vm';

/* What is installed is one file that needs no other and no Node: it must run in Bun, Deno, workers and browsers as it is. */
const here = path.resolve(import.meta.dirname, '..');
let code: string;

beforeAll(async () => {
  // As the build does it, but from the sources, so that no build is needed. In a process of its own: its native part does not know this realm's objects.
  const folder = mkdtempSync(path.join(tmpdir(), 'countersign-bundle-'));
  const file = path.join(folder, 'index.js');
  const bin = path.join(here, 'node_modules/rolldown/bin/cli.mjs');
  const args = ['src/index.ts', '--file', file, '--format', 'esm', '--platform', 'neutral', '--resolve.condition-names', 'source,import,default'];
  const { status, stderr } = spawnSync(process.execPath, [bin, ...args], { cwd: here, encoding: 'utf8' });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  code = readFileSync(file, 'utf8');
  rmSync(folder, { recursive: true, force: true });
});

test('A2: the bundle imports nothing, and names nothing of Node', () => {
  expect(code).not.toMatch(/^\s*import\b|\bimport\(|^\s*export\b.*\bfrom\b/m);
  expect(code).not.toMatch(/["']node:|\brequire\(|\bprocess\.|\bBuffer\.(from|alloc|concat)|\b__dirname\b/);
  expect(JSON.parse(readFileSync(path.join(here, 'package.json'), 'utf8')).dependencies ?? {}).toEqual({});
});

test('A2: it is small enough to be read', () => {
  expect(code.length).toBeLessThan(150_000);
});

test('D1, A4: it verifies and digests where there is nothing but the web platform', async () => {
  const {
    crypto,
    TextEncoder,
    TextDecoder,
    URL,
    URLSearchParams,
    Headers,
    AbortSignal,
    fetch,
    atob,
    btoa,
    setTimeout,
    clearTimeout,
    performance,
    Uint8Array,
    ArrayBuffer,
  } = globalThis;
  const context = vm.createContext({
    crypto,
    TextEncoder,
    TextDecoder,
    URL,
    URLSearchParams,
    Headers,
    AbortSignal,
    fetch,
    atob,
    btoa,
    setTimeout,
    clearTimeout,
    performance,
    Uint8Array,
    ArrayBuffer,
  });
  const module = new vm.SourceTextModule(code, { context });
  await module.link(() => {
    throw new Error('it imports something');
  });
  await module.evaluate();
  // A module of unknown exports; this test says what it expects of them.
  const client = module.namespace as any;
  const vectors = JSON.parse(readFileSync(path.join(here, 'vectors/vectors.json'), 'utf8'));
  const { now, jwks, secret, webhooks, grants, actions } = vectors;
  for (const { action, digest } of actions) expect(client.actionDigestOf(vm.runInContext(`(${JSON.stringify(action)})`, context))).toBe(digest);
  for (const { name, body, headers, trust, result } of webhooks) {
    const came = await client.verifyOutcome(body, headers, { now, ...(trust === 'jwks' ? { jwks } : { secret }) }).then(
      () => 'ok',
      ({ code }: any) => code,
    );
    expect({ name, came }).toEqual({ name, came: result });
  }
  for (const { name, grant, audience, issuer, action, result } of grants) {
    const came = await client.verifyGrant(grant, { jwks, audience, issuer, action, now }).then(
      () => 'ok',
      ({ code }: any) => code,
    );
    expect({ name, came }).toEqual({ name, came: result });
  }
  expect(typeof client.createClient({ url: 'https://countersign.example.com', apiKey: 'cs_key_x' }).guard).toBe('function');
});
