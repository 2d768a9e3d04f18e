import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readCommand } from '@countersign/chat';
import type { AppManifestUtils } from '@microsoft/app-manifest';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inflateSync } from 'node:zlib';
import { unzipSync } from 'fflate';
import { countersign } from '../testing/terminal.js';
import { manifestIn } from './app-package.js';
import { germanWords, PACKAGE_VERSION, teamsManifest } from './manifest.js';

const APP = '11111111-2222-4333-8444-555555555555';
const env = { MicrosoftAppId: APP, PUBLIC_URL: 'https://approvals.example.com' };
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'countersign-teams-package-'));
});
afterAll(() => rm(folder, { recursive: true }));

const made = async (args: readonly string[] = [], variables: Record<string, string> = env): Promise<Uint8Array> => {
  const { code, err } = await countersign(['teams', 'package', ...args], { cwd: folder, env: variables });
  expect([code, err]).toEqual([0, '']);
  return readFile(path.join(folder, args[args.indexOf('--out') + 1] ?? 'countersign-teams.zip'));
};

describe('countersign teams package', () => {
  test('is what Teams takes: manifest, words and icons at the top, by Microsoft’s own schema', async () => {
    const files = unzipSync(await made(['--out', 'one.zip']));
    expect(Object.keys(files).toSorted()).toEqual(['color.png', 'de.json', 'manifest.json', 'outline.png']);
    const manifest = JSON.parse(Buffer.from(files['manifest.json'] ?? []).toString('utf8'));
    expect(await complaints(manifest)).toEqual([]);
    expect(manifest).toMatchObject({
      id: APP,
      validDomains: ['approvals.example.com'],
      bots: [{ botId: APP, scopes: ['personal', 'team', 'groupChat'] }],
      composeExtensions: [{ botId: APP, commands: [{ id: 'waiting', type: 'query' }] }],
    });
    expect(JSON.stringify(manifest)).not.toContain('webApplicationInfo');
  });

  test('what the schema refuses is refused by this test, too', async () => {
    const good = teamsManifest({ appId: APP, publicUrl: env.PUBLIC_URL });
    for (const bad of [
      { ...good, icons: undefined },
      { ...good, bots: [{ botId: APP, scopes: ['everywhere'] }] },
      { ...good, version: 1 },
    ])
      expect(await complaints(bad)).not.toEqual([]);
  });

  test('the German words fit the schema of words, and stand where the manifest has something to say', async () => {
    const words = germanWords();
    const manifest: unknown = teamsManifest({ appId: APP, publicUrl: env.PUBLIC_URL });
    const schemas = path.join(path.dirname(createRequire(import.meta.url).resolve('@microsoft/app-manifest')), 'json-schemas/teams/v1.19');
    const schema = JSON.parse(await readFile(path.join(schemas, 'MicrosoftTeams.Localization.schema.json'), 'utf8')) as {
      properties: Record<string, { maxLength?: number }>;
      patternProperties: Record<string, { maxLength: number }>;
      required: string[];
    };
    expect(Object.keys(words)).toEqual(expect.arrayContaining(schema.required));
    for (const [place, text] of Object.entries(words)) {
      if (place === '$schema') continue;
      const rule = schema.properties[place] ?? Object.entries(schema.patternProperties).find(([pattern]) => new RegExp(pattern).test(place))?.[1];
      expect([place, typeof text === 'string' && text.length > 0 && text.length <= (rule?.maxLength ?? -1)]).toEqual([place, true]);
      const steps = place.split(/[.[\]]+/).filter((step) => step !== '');
      const there = steps.reduce<unknown>((at, step) => Object(at)[step] as unknown, manifest);
      expect([place, typeof there]).toEqual([place, 'string']);
    }
    // Every description that a person reads has its German.
    const described = JSON.stringify(manifest).match(/"description":"/g)?.length ?? 0;
    expect(Object.keys(words).filter((place) => place.endsWith('].description'))).toHaveLength(described);
  });

  test('what Teams offers while somebody writes is what the bot knows', () => {
    const { bots } = teamsManifest({ appId: APP, publicUrl: env.PUBLIC_URL });
    const titles = JSON.stringify(bots).match(/"title":"[^"]+"/g) ?? [];
    expect(titles.length).toBeGreaterThan(5);
    for (const title of titles) expect([title, readCommand(title.slice('"title":"'.length, -1))]).not.toEqual([title, null]);
  });

  test('the icons are 192 × 192 and full, 32 × 32 and white alone', async () => {
    const files = unzipSync(await made(['--out', 'icons.zip']));
    const color = pixelsOf(files['color.png']);
    expect([color.width, color.height]).toEqual([192, 192]);
    expect(color.pixels.every(([, , , alpha]) => alpha === 255)).toBe(true);
    expect(new Set(color.pixels.map(String)).size).toBeGreaterThan(50);
    // The mark keeps to the middle: around it is ground alone, which is dark.
    const light = color.pixels.flatMap(([red], at) => (red > 150 ? [[at % 192, Math.floor(at / 192)]] : []));
    expect(light.every(([x = 0, y = 0]) => x >= 46 && x < 146 && y >= 46 && y < 146)).toBe(true);
    const outline = pixelsOf(files['outline.png']);
    expect([outline.width, outline.height]).toEqual([32, 32]);
    expect(outline.pixels.every(([red, green, blue, alpha]) => alpha === 0 || (red === 255 && green === 255 && blue === 255))).toBe(true);
    expect(outline.pixels.filter(([, , , alpha]) => alpha === 255).length).toBeGreaterThan(100);
    expect(outline.pixels.filter(([, , , alpha]) => alpha === 0).length).toBeGreaterThan(400);
  });

  test('the same configuration gives the same bytes, whenever and wherever; another one others', async () => {
    const bytes = Buffer.from(await made(['--out', 'a.zip']));
    expect(Buffer.from(await made(['--out', 'b.zip'])).equals(bytes)).toBe(true);
    // The time and date of each file (APPNOTE 4.4.6): midnight of 1 January 1980, and no clock's.
    for (let at = bytes.indexOf('PK\u0003\u0004'); at >= 0; at = bytes.indexOf('PK\u0003\u0004', at + 4))
      expect([bytes.readUInt16LE(at + 10), bytes.readUInt16LE(at + 12)]).toEqual([0, 0x21]);
    const other = await made(['--out', 'c.zip', '--public-url', 'https://other.example.com', '--privacy', 'https://example.com/privacy']);
    expect(manifestIn(other)).toMatchObject({
      validDomains: ['other.example.com'],
      developer: { websiteUrl: 'https://other.example.com', privacyUrl: 'https://example.com/privacy' },
    });
  });

  test('a change of what is in it needs a higher PACKAGE_VERSION: Teams takes no other package under the same one', () => {
    const content = JSON.stringify([teamsManifest({ appId: APP, publicUrl: env.PUBLIC_URL }), germanWords()]);
    expect({ [PACKAGE_VERSION]: createHash('sha256').update(content).digest('hex') }).toEqual(CONTENT);
  });

  test.each<[string, string[], Record<string, string>, string]>([
    ['no app id', [], { PUBLIC_URL: env.PUBLIC_URL }, 'MicrosoftAppId'],
    ['an app id that is none', ['--app-id', 'countersign'], env, 'MicrosoftAppId'],
    ['no address', [], { MicrosoftAppId: APP }, 'PUBLIC_URL'],
    ['an address that Teams does not open', [], { ...env, PUBLIC_URL: 'http://localhost:8080' }, 'https'],
    ['a page that Teams does not open', ['--terms', 'example.com/terms'], env, 'https'],
  ])('%s is told, and nothing is written', async (_what, args, variables, words) => {
    const { code, err } = await countersign(['teams', 'package', '--out', 'none.zip', ...args], { cwd: folder, env: variables });
    expect([code, err]).toEqual([2, expect.stringContaining(words)]);
    await expect(readFile(path.join(folder, 'none.zip'))).rejects.toThrow('ENOENT');
  });

  test('what is no package has no manifest', () => {
    expect(manifestIn(new Uint8Array([1, 2, 3]))).toBeNull();
  });
});

/** What Microsoft's own checker says of a manifest. It runs in a process of its own: a part of it is required as CommonJS and is none. */
async function complaints(manifest: object): ReturnType<typeof AppManifestUtils.validateAgainstSchema> {
  const check = `const { AppManifestUtils } = require('@microsoft/app-manifest');
    AppManifestUtils.validateAgainstSchema(JSON.parse(process.argv[1])).then((found) => console.log(JSON.stringify(found)));`;
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', '-e', check, JSON.stringify(manifest)], {
    cwd,
    env: { PATH: process.env['PATH'] },
  });
  return JSON.parse(stdout) as string[]; // the line that it prints
}

/** What is in the package, by its version. */
const CONTENT = { '1.0.0': '757c5b9a3e1ee51bed233b5cd4039a3d8378e3fdf9ebdaec71ce3bed0274ba6d' };

/** The pixels of a PNG of 8 bits a channel, without interlacing (PNG, ISO/IEC 15948). */
function pixelsOf(png: Uint8Array | undefined): { width: number; height: number; pixels: [number, number, number, number][] } {
  const bytes = Buffer.from(png ?? []);
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\u0089PNG\r\n\u001a\n');
  const [width, height, depth, type] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20), bytes[24], bytes[25]];
  expect([depth, bytes[28]]).toEqual([8, 0]);
  const channels = type === 6 ? 4 : 3;
  const parts: Buffer[] = [];
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at))
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at)));
  const raw = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const lines: Uint8Array[] = [];
  for (let y = 0; y < height; y += 1) {
    const line = new Uint8Array(raw.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1)));
    const above = lines[y - 1] ?? new Uint8Array(stride);
    for (let x = 0; x < stride; x += 1) {
      const [left, up, corner] = [x < channels ? 0 : (line[x - channels] ?? 0), above[x] ?? 0, x < channels ? 0 : (above[x - channels] ?? 0)];
      line[x] = (line[x] ?? 0) + predicted(raw[y * (stride + 1)] ?? 0, left, up, corner);
    }
    lines.push(line);
  }
  const pixels = lines.flatMap((line) =>
    Array.from({ length: width }, (_, x): [number, number, number, number] => [
      line[x * channels] ?? 0,
      line[x * channels + 1] ?? 0,
      line[x * channels + 2] ?? 0,
      channels === 4 ? (line[x * channels + 3] ?? 0) : 255,
    ]),
  );
  return { width, height, pixels };
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return Math.floor((left + up) / 2);
  if (filter !== 4) return 0;
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
