import { compileBundle, type BundleFile, type CompiledBundle, type PolicyInput, type PolicyProblem } from '../index.js';

/** Small bundles for tests, and requests that they judge. */

export const HEAD = 'apiVersion: countersign.dev/v1\nkind: PolicyBundle\n';
export const PEOPLE = 'require: {stages: [{all: [{group: fallback, quorum: 1}]}]}';
export const DEFAULTS = `outcome: allow, undeclared: allow, ${PEOPLE}`;

export const file = (body: string, defaults = DEFAULTS, path = 'p.yaml', metadata = 'name: t, version: 1'): BundleFile => ({
  path,
  text: `${HEAD}metadata: {${metadata}}\ndefaults: {${defaults}}\n${body}`,
});

export function compiled(...files: BundleFile[]): CompiledBundle {
  const result = compileBundle(files);
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return result.bundle;
}

export const problems = (...files: BundleFile[]): PolicyProblem[] => {
  const result = compileBundle(files);
  return result.ok ? [] : result.problems;
};
export const messages = (...files: BundleFile[]): string[] => problems(...files).map(({ message }) => message);
export const warnings = (...files: BundleFile[]): string[] => {
  const result = compileBundle(files);
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return result.warnings.map(({ message }) => message);
};

export const request = (parts: Partial<PolicyInput> = {}): PolicyInput => ({
  action: 'db.query',
  resource: { type: 'db', id: 'main' },
  actor: { type: 'agent', id: 'a1' },
  now: '2026-11-21T12:00:00.000Z',
  ...parts,
});
export const caller = { type: 'workload', id: 'ci', name: 'the pipeline', issuer: 'https://ci.example.com', claims: { ref: 'refs/heads/main' } };
