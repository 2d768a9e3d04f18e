import { readFile } from 'node:fs/promises';
import { createConsole } from '@countersign/console';
import { loadFactParsers } from '@countersign/core/policy';
import { createIntake } from '@countersign/intake';
import { signatureVerifier } from '@countersign/keys';
import {
  type Config,
  createHttpService,
  createLogger,
  createMetrics,
  createShutdown,
  type HttpService,
  type Logger,
  type Mount,
  type Shutdown,
  type TlsOptions,
} from '@countersign/service';
import { createWorkloads, loadTrust } from './callers.js';
import { systemEntropy } from './clock.js';
import { loadDirectoryFile, watchDirectoryFile } from './directory-source.js';
import { type PolicyOriginConfig, PolicySources } from './policy-sources.js';
import { QUICKSTART_NOTICE } from './quickstart/banner.js';
import { exampleFiles, type QuickstartFile } from './quickstart/files.js';
import { seedQuickstart } from './quickstart/seed.js';
import { type Parts, startDecisions, startMail, startSlack, startTeams } from './roles.js';
import { signInOf } from './sign-in.js';
import { openStorage } from './storage.js';
import { openWakeups } from './wakeups.js';
import { createWorld, logMask, StartError, TENANT, type World } from './world.js';

export interface Running {
  url: string;
  port: number;
  /** What a quickstart wrote into its file; null otherwise. */
  quickstart: QuickstartFile | null;
  shutdown: Shutdown;
}

/** Puts the roles of this process together and starts them: storage first, the port last. */
export async function start(config: Config): Promise<Running> {
  const log = createLogger({ level: config.logLevel, mask: logMask(), readable: process.stdout.isTTY });
  const metrics = createMetrics({ processMetrics: true });
  const shutdown = createShutdown(log);
  try {
    // Bundles may gate on facts whose parsers load slowly; the database takes longer.
    const [{ store, appUrl }] = await Promise.all([openStorage(config, log, shutdown), loadFactParsers()]);
    const { wakeups, announcer } = await openWakeups(config, appUrl, { log, metrics, shutdown });
    const world = await createWorld(config, store, announcer, shutdown);
    const notice = config.quickstart ? QUICKSTART_NOTICE : null;
    const policies = await loadPolicyAndDirectory(config, world, log);
    // What changes in the source is taken over by each process; the database says in one place what is in force.
    if (policies !== null) {
      const stop = policies.watch(config.policyPollSeconds);
      shutdown.add('policy', async () => stop());
    }
    await loadTrust(config, world, log);
    if (config.directoryPath !== undefined) watchDirectoryFile(world, TENANT, config.directoryPath, { log, shutdown });
    const quickstart = config.quickstart
      ? await seedQuickstart({
          home: config.home,
          tenant: TENANT,
          publicUrl: config.http.publicUrl,
          clock: world.clock,
          entropy: systemEntropy,
          sealer: world.sealer,
          credentials: store.credentials,
          callers: store.callers,
          directory: store.directory,
        })
      : null;
    const parts: Parts = { config, world, announcer, wakeups, log, metrics, shutdown, notice };
    let http: HttpService | null = null;
    const mounts = await startRoles(parts, () => http?.origins ?? [], policies);
    http = await createHttpService({
      host: config.http.host,
      port: config.http.port,
      publicUrl: config.http.publicUrl,
      quickstart: config.quickstart,
      mounts,
      ...(config.tls === undefined ? {} : { tls: await readTls(config.tls) }),
      log,
      metrics,
      readiness: { postgresql: () => store.ping(), ...(world.kmsAnswers === null ? {} : { kms: world.kmsAnswers }) },
      ...(config.http.metricsToken === undefined ? {} : { metricsToken: config.http.metricsToken }),
    });
    const listening = http;
    shutdown.add('http', () => listening.close());
    return { url: http.publicUrl, port: http.port, quickstart, shutdown };
  } catch (error) {
    await shutdown.stop('start failed');
    shutdown.release();
    throw error;
  }
}

/** The PEM files of TLS_CERT, TLS_KEY and TLS_CLIENT_CA. */
async function readTls(files: NonNullable<Config['tls']>): Promise<TlsOptions> {
  const read = (file: string): Promise<string> =>
    readFile(file, 'utf8').catch((cause: unknown) => {
      throw new StartError(`The file ${file} cannot be read.`, { cause });
    });
  const { clientCa } = files;
  return { cert: await read(files.cert), key: await read(files.key), ...(clientCa === undefined ? {} : { clientCa: await read(clientCa) }) };
}

/** How old the keys may be that we publish: whoever meets a signature by a new key looks for it here at once. */
const PUBLISHED_KEYS_AGE_MS = 1_000;

async function startRoles(parts: Parts, origins: () => readonly string[], policies: PolicySources | null): Promise<Mount[]> {
  const { config, world, notice } = parts;
  const has = (role: Config['roles'][number]): boolean => config.roles.includes(role);
  const mounts: Mount[] = [];
  const [slack, teams] = [has('slack-bot') ? await startSlack(parts) : null, has('teams-bot') ? await startTeams(parts) : null];
  if (slack !== null) mounts.push(slack.mount());
  if (teams !== null) mounts.push(teams.mount());
  if (has('mail')) await startMail(parts);
  if (has('decisions')) startDecisions(parts);
  if (has('intake')) {
    const { previewCard: slackPreview } = await import('@countersign/slack-bot/render');
    const { previewCard: teamsPreview } = await import('@countersign/teams-bot/render');
    const intake = createIntake({
      flow: world.flow,
      waiters: world.waiters,
      directory: world.store.directory,
      scim: world.store.scim,
      credentials: world.store.credentials,
      identities: world.store.identities,
      chatLinks: world.store.chatLinks,
      chatPlaces: world.store.chatPlaces,
      slackInstalls: world.store.slackInstalls,
      signIn: signInOf(config),
      callers: world.store.callers,
      workloads: createWorkloads(world, parts.log, parts.shutdown),
      trustedProxies: config.trustedProxies,
      ...(config.rateLimit === undefined ? {} : { rateLimit: config.rateLimit }),
      ...(config.clientCertHeader === undefined ? {} : { clientCertHeader: config.clientCertHeader }),
      policies: world.store.policies,
      passkeys: world.store.passkeys,
      passkeyMakes: config.passkeyMakes,
      deliveries: world.store.deliveries,
      endpoints: world.store.endpoints,
      control: {
        freezes: world.store.freezes,
        configChanges: world.store.configChanges,
        patterns: world.store.patterns,
        fourEyes: config.fourEyes,
        ...(policies === null ? {} : { syncPolicy: () => policies.sync() }),
      },
      followUps: world.store,
      mail: { mails: world.store.mails, verify: signatureVerifier(world.keyring, 'link') },
      ledger: world.store.ledger,
      jwks: async () => {
        await world.keyring.refreshIfStale(PUBLISHED_KEYS_AGE_MS);
        return world.keyring.jwks();
      },
      checkpointKeys: async () => {
        await world.keyring.refreshIfStale(PUBLISHED_KEYS_AGE_MS);
        return world.keyring.publicKeys('checkpoint');
      },
      rotateKey: (purpose, who) => world.keyring.rotate(purpose, { ...who, via: 'api' }),
      previews: { slack: slackPreview, teams: teamsPreview },
      notice,
      origins,
      log: parts.log,
    });
    mounts.push(intake.mount(), (await createConsole()).mount());
  }
  return mounts;
}

/** The policy and the people, from where the configuration says or the quickstart's own files. */
async function loadPolicyAndDirectory(config: Config, world: World, log: Logger): Promise<PolicySources | null> {
  const examples = config.quickstart ? await exampleFiles(config.home) : null;
  const directory = config.directoryPath ?? examples?.directory;
  const source = policySourceOf(config, examples?.policy);
  const policies = source === null ? null : new PolicySources(world, { tenant: TENANT, source, home: config.home, gated: config.policyGated, log });
  if (policies !== null) await policies.start();
  else if ((await world.store.policies.active(TENANT)) === null) {
    throw new StartError('No policy is in force. Set COUNTERSIGN_POLICY to a policy file or folder, or to a git repository.');
  }
  if (directory !== undefined) await loadDirectoryFile(world, TENANT, directory);
  return policies;
}

function policySourceOf({ policyGit, policyPath, policySigners }: Config, example: string | undefined): PolicyOriginConfig | null {
  if (policyGit !== undefined) return { kind: 'git', git: policyGit, signers: policySigners };
  if (policyPath !== undefined) return { kind: 'file', path: policyPath };
  return example === undefined ? null : { kind: 'quickstart', path: example };
}
