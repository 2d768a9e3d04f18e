import path from 'node:path';
import { comparePolicies, loneLeaf, putInForce } from '@countersign/core/flow';
import { type BundleFile, type CompiledBundle, compileBundle, type PolicyProblem } from '@countersign/core/policy';
import type { GitPolicy, Logger } from '@countersign/service';
import { PolicyFileError, problemLine, readPolicy } from './policy-file.js';
import { fetchPolicy } from './policy-git.js';
import type { World } from './world.js';

/** Where the policy of this installation is kept: a file, a folder, or a git repository. */
export type PolicyOriginConfig = { kind: 'file' | 'quickstart'; path: string } | { kind: 'git'; git: GitPolicy; signers: string | undefined };

export interface PolicySourceOptions {
  tenant: string;
  source: PolicyOriginConfig;
  home: string;
  /** Whether what may loosen waits until somebody activates it, as an upload does. */
  gated: boolean;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

type PolicyOrigin = Parameters<typeof putInForce>[3]['origin'];
type PolicyWorld = Pick<World, 'flow' | 'clock'> & { store: Pick<World['store'], 'policies'> };

/** The name of the one source that the configuration names. */
const SOURCE = 'COUNTERSIGN_POLICY';

/**
 * Looks at the source of policy, and puts in force what has changed there. What somebody put in force by API stays until the source changes
 * again. A source that cannot be read or used changes nothing, and is shown.
 */
export class PolicySources {
  readonly #world: PolicyWorld;
  readonly #options: PolicySourceOptions;
  /** The digest of what this process saw last, so that a replica with an older file does not undo what a newer one did. */
  #seen: string | null = null;
  #running: Promise<void> | null = null;
  /** The look after the one that runs. */
  #next: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(world: PolicyWorld, options: PolicySourceOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** The first look. @throws PolicyFileError where the source is no good and no policy is in force that could go on */
  async start(): Promise<void> {
    const { tenant } = this.#options;
    const active = await this.#world.store.policies.active(tenant);
    const looks = await this.#world.store.policies.looks(tenant);
    this.#seen = active === null ? null : (looks.find(({ source }) => source === SOURCE)?.digest ?? null);
    const failure = await this.#look();
    if (failure !== null && active === null) throw failure;
  }

  /** Looks again and again, until stopped. */
  watch(everySeconds: number): () => void {
    this.#timer = setInterval(() => void (this.#running ?? this.#run()), everySeconds * 1000);
    return () => {
      if (this.#timer !== null) clearInterval(this.#timer);
    };
  }

  /** Looks now. A look that runs already may have read the source before it changed: whoever asks meanwhile shares the one after it. */
  async sync(): Promise<void> {
    if (this.#running === null) return this.#run();
    this.#next ??= this.#running.then(() => {
      this.#next = null;
      return this.#running ?? this.#run();
    });
    return this.#next;
  }

  #run(): Promise<void> {
    this.#running = this.#look()
      .then((failure) => {
        if (failure !== null) this.#options.log.error({ err: failure }, 'The policy could not be taken over; what is in force stays');
      })
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'The policy could not be looked at'))
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  /** What was wrong with the source; null where it is well. */
  async #look(): Promise<PolicyFileError | null> {
    const { tenant, source } = this.#options;
    const { store, clock } = this.#world;
    const looked = (result: Parameters<typeof store.policies.looked>[1]['result']) =>
      store.policies.looked(tenant, { source: SOURCE, kind: source.kind, at: clock.now(), result });
    const fail = async (error: PolicyFileError, problems: PolicyProblem[]): Promise<PolicyFileError> => {
      await looked({ kind: 'failed', problems });
      return error;
    };
    let read: { files: BundleFile[]; origin: PolicyOrigin; revision: string | null };
    try {
      read = await this.#read();
    } catch (error) {
      if (!(error instanceof PolicyFileError)) throw error;
      return fail(error, [{ file: describe(source), line: 1, column: 1, message: error.message }]);
    }
    const compiled = compileBundle(read.files);
    if (!compiled.ok) return fail(new PolicyFileError(`The policy cannot be used:\n${compiled.problems.map(problemLine).join('\n')}`), compiled.problems);
    const { bundle } = compiled;
    await looked({ kind: 'read', digest: bundle.digest, revision: read.revision });
    if (bundle.digest === this.#seen) return null;
    if (compiled.warnings.length > 0)
      this.#options.log.warn({ policy_digest: bundle.digest, warnings: compiled.warnings.map(problemLine) }, 'The policy has warnings');
    await this.#takeOver(bundle, read.origin);
    this.#seen = bundle.digest;
    return null;
  }

  async #read(): Promise<{ files: BundleFile[]; origin: PolicyOrigin; revision: string | null }> {
    const { source, home } = this.#options;
    if (source.kind !== 'git') return { files: await readPolicy(source.path), origin: { kind: source.kind, path: source.path }, revision: null };
    const { git, signers } = source;
    const { files, commit, signer } = await fetchPolicy(git, { folder: path.join(home, 'policy.git'), signers });
    const origin: PolicyOrigin = { kind: 'git', url: publicUrlOf(git.url), ref: git.ref, path: git.path, commit, ...(signer === undefined ? {} : { signer }) };
    return { files, origin, revision: commit };
  }

  async #takeOver(bundle: CompiledBundle, origin: PolicyOrigin): Promise<void> {
    const { tenant, gated, log, source } = this.#options;
    const { store, flow } = this.#world;
    const world = { ...flow, bundles: store.policies };
    const active = await store.policies.active(tenant);
    if (gated && active !== null && active.digest !== bundle.digest) {
      const comparison = await comparePolicies(flow, tenant, await flow.policies.bundle(tenant, active.digest), bundle);
      if (comparison.loosens) {
        const leaf = await loneLeaf(flow, {
          event: 'policy.stored',
          at: flow.clock.now(),
          tenant,
          subject: bundle.digest,
          facts: { bundle: bundle.name, policy_digest: bundle.digest },
          details: { from: describe(source) },
        });
        await store.policies.store({ tenant, digest: bundle.digest, canonical: bundle.canonical, by: SOURCE, leaf });
        log.warn({ policy_digest: bundle.digest, reasons: comparison.reasons }, 'The policy may loosen: it waits until an administrator activates it');
        return;
      }
    }
    const by = origin.kind === 'git' ? `git ${origin.commit}` : origin.kind === 'quickstart' ? 'quickstart' : SOURCE;
    const { changed } = await putInForce(world, tenant, bundle, { by, origin });
    if (changed) log.info({ policy_digest: bundle.digest, by }, 'Another policy is in force');
  }
}

function describe(source: PolicyOriginConfig): string {
  return source.kind === 'git' ? `${publicUrlOf(source.git.url)}#${source.git.ref}:${source.git.path}` : source.path;
}

/** Without user and password. */
function publicUrlOf(address: string): string {
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return url.href;
}
