import { createConsole } from '@countersign/console';
import { createIntake } from '@countersign/intake';
import { type Config, createHttpService, createLogger, createMetrics, createShutdown, type HttpService, type Mount, type Shutdown } from '@countersign/service';
import { createWorkloads, loadTrust } from './callers.js';
import { systemEntropy } from './clock.js';
import { loadDirectoryFile, watchDirectoryFile } from './directory-source.js';
import { activatePolicy } from './policy-file.js';
import { QUICKSTART_NOTICE } from './quickstart/banner.js';
import { exampleFiles, type QuickstartFile } from './quickstart/files.js';
import { seedQuickstart } from './quickstart/seed.js';
import { type Parts, startDecisions, startSlack, startTeams } from './roles.js';
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
    const { store, appUrl } = await openStorage(config, log, shutdown);
    const { wakeups, announcer } = await openWakeups(config, appUrl, { log, metrics, shutdown });
    const world = await createWorld(config, store, announcer, shutdown);
    const notice = config.quickstart ? QUICKSTART_NOTICE : null;
    await loadPolicyAndDirectory(config, world);
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
          directory: store.directory,
        })
      : null;
    const parts: Parts = { config, world, announcer, wakeups, log, metrics, shutdown, notice };
    let http: HttpService | null = null;
    const mounts = await startRoles(parts, () => http?.origins ?? []);
    http = await createHttpService({
      host: config.http.host,
      port: config.http.port,
      publicUrl: config.http.publicUrl,
      quickstart: config.quickstart,
      mounts,
      log,
      metrics,
      readiness: { postgresql: () => store.ping() },
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

/** How old the keys may be that we publish: whoever meets a signature by a new key looks for it here at once. */
const PUBLISHED_KEYS_AGE_MS = 1_000;

async function startRoles(parts: Parts, origins: () => readonly string[]): Promise<Mount[]> {
  const { config, world, notice } = parts;
  const has = (role: Config['roles'][number]): boolean => config.roles.includes(role);
  const mounts: Mount[] = [];
  const [slack, teams] = [has('slack-bot') ? await startSlack(parts) : null, has('teams-bot') ? await startTeams(parts) : null];
  if (slack !== null) mounts.push(slack.mount());
  if (teams !== null) mounts.push(teams.mount());
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
      callers: world.store.callers,
      workloads: createWorkloads(world, parts.log, parts.shutdown),
      trustedProxies: config.trustedProxies,
      policies: world.store.policies,
      passkeys: world.store.passkeys,
      deliveries: world.store.deliveries,
      endpoints: world.store.endpoints,
      control: { freezes: world.store.freezes, configChanges: world.store.configChanges, fourEyes: config.fourEyes },
      followUps: world.store,
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

/** The policy and the people, from the configured files or the quickstart's own. */
async function loadPolicyAndDirectory(config: Config, world: World): Promise<void> {
  const examples = config.quickstart ? await exampleFiles(config.home) : null;
  const policy = config.policyPath ?? examples?.policy;
  const directory = config.directoryPath ?? examples?.directory;
  if (policy !== undefined) {
    await activatePolicy(
      { policies: world.store.policies, clock: world.clock, entropy: systemEntropy },
      { tenant: TENANT, source: policy, by: examples === null ? 'COUNTERSIGN_POLICY' : 'quickstart' },
    );
  } else if ((await world.store.policies.active(TENANT)) === null) {
    throw new StartError('No policy is in force. Set COUNTERSIGN_POLICY to a policy file or folder.');
  }
  if (directory !== undefined) await loadDirectoryFile(world, TENANT, directory);
}
