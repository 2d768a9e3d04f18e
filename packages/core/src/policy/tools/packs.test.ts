import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { compileBundle, loadFactParsers, type BundleFile, type CompiledBundle } from '../index.js';
import { runPolicyTests } from './run-tests.js';

const folder = new URL('../../../../../policies/', import.meta.url);
const packs = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
const fileOf = (pack: string): BundleFile => ({ path: `${pack}.yaml`, text: readFileSync(new URL(`${pack}/policy.yaml`, folder), 'utf8') });

function compiled(files: readonly BundleFile[]): { bundle: CompiledBundle; warnings: readonly string[] } {
  const result = compileBundle(files);
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return { bundle: result.bundle, warnings: result.warnings.map(({ line, message }) => `${line}: ${message}`) };
}

beforeAll(() => loadFactParsers());

test('there is a pack for each thing that people gate', () => {
  expect(packs.sort()).toEqual([
    'aws-iam',
    'data-export',
    'firewall-rules',
    'gcp-iam',
    'kubernetes',
    'model-promotion',
    'production-databases',
    'secrets-rotation',
    'terraform-plans',
  ]);
});

describe.each(packs)('B4: the pack %s', (pack) => {
  test('compiles without a warning', () => {
    const { warnings, bundle } = compiled([fileOf(pack)]);
    expect(warnings).toEqual([]);
    expect(bundle.name).toBe(pack);
  });

  test('passes its tests, which match every rule and see every condition both ways', () => {
    const report = runPolicyTests(compiled([fileOf(pack)]).bundle, undefined, { minRules: 100, minConditions: 100 });
    expect(report.results.filter(({ passed }) => !passed)).toEqual([]);
    expect(report.shortfalls).toEqual([]);
    expect(report.passed).toBe(true);
  });

  test('asks where nobody said anything, and has three lines to edit', () => {
    const { defaults } = compiled([fileOf(pack)]).bundle;
    expect(defaults).toMatchObject({ outcome: 'require', undeclared: 'require' });
    const { text } = fileOf(pack);
    expect([...text.matchAll(/# EDIT (\d)/g)].map((match) => match[1])).toEqual(['1', '2', '3']);
    const readme = readFileSync(new URL(`${pack}/README.md`, folder), 'utf8');
    expect(readme).toMatch(/^For /m);
    expect(readme.match(/^\d\. /gm)).toHaveLength(3);
  });

  test('still holds after a newcomer has edited the groups', () => {
    const { path, text } = fileOf(pack);
    let edited = 0;
    const other = text.replaceAll(/includes: \[[a-z-]+\] \}(?= # EDIT)/g, () => `includes: [group-${++edited}] }`);
    expect(edited).toBe(2);
    expect(runPolicyTests(compiled([{ path, text: other }]).bundle).passed).toBe(true);
  });
});

test('all packs hold together, and each one’s tests still pass', () => {
  const report = runPolicyTests(compiled(packs.map(fileOf)).bundle);
  expect(report.results.filter(({ passed }) => !passed)).toEqual([]);
  expect(report.results.length).toBeGreaterThan(90);
});
