import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { LeafRecord, PolicyStore, Clock, Entropy } from '@countersign/core/ports';
import { type BundleFile, compileBundle, type PolicyProblem } from '@countersign/core/policy';
import { makeLeaf } from '@countersign/core/ledger';
import { newUuid } from '@countersign/core/request';

/** A bundle that cannot be used; its message names every problem with file, line and column. */
export class PolicyFileError extends Error {
  override readonly name = 'PolicyFileError';
}

/** COUNTERSIGN_POLICY: a file, or a folder whose .yaml and .yml files are one bundle. */
export async function readPolicy(source: string): Promise<BundleFile[]> {
  try {
    if (!(await stat(source)).isDirectory()) return [{ path: source, text: await readFile(source, 'utf8') }];
    const names = (await readdir(source)).filter((name) => /\.ya?ml$/.test(name)).sort();
    return await Promise.all(names.map(async (name) => ({ path: path.join(source, name), text: await readFile(path.join(source, name), 'utf8') })));
  } catch (cause) {
    throw new PolicyFileError(`The policy ${source} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * Puts the bundle of a file or folder in force. A bundle that does not compile changes nothing: what is in force stays.
 * @throws PolicyFileError
 */
export async function activatePolicy(
  world: { policies: PolicyStore; clock: Clock; entropy: Entropy },
  options: { tenant: string; source: string; by: string },
): Promise<{ digest: string; changed: boolean }> {
  const compiled = compileBundle(await readPolicy(options.source));
  if (!compiled.ok) throw new PolicyFileError(`The policy cannot be used:\n${compiled.problems.map(problemLine).join('\n')}`);
  const { digest, canonical, name } = compiled.bundle;
  const at = world.clock.now();
  const id = newUuid(at, world.entropy.bytes(10));
  const recordKey = world.entropy.bytes(32);
  const leaf: LeafRecord = {
    id,
    event: 'policy.activated',
    at,
    subject: digest,
    // Nothing of it is private; the commitment to nothing is under a key that nobody needs again.
    bytes: makeLeaf({
      id,
      event: 'policy.activated',
      at,
      tenant: options.tenant,
      subject: digest,
      facts: { bundle: name, policy_digest: digest, by: options.by },
      details: {},
      recordKey,
    }),
    sealed_private: null,
  };
  const { changed } = await world.policies.activate({ tenant: options.tenant, digest, canonical, by: options.by, leaf });
  return { digest, changed };
}

const problemLine = ({ file, line, column, message, hint }: PolicyProblem): string =>
  `${file}:${line}:${column}: ${message}${hint === undefined ? '' : ` (${hint})`}`;
