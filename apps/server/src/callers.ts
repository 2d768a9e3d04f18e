import { finishVoiding } from '@countersign/core/flow';
import { createGuardedGet, parseCallbackAllow } from '@countersign/delivery';
import { applyTrust, IssuerKeys, readTrustFile, type WorkloadVerifier, workloadVerifier } from '@countersign/identity';
import type { Config, Logger, Shutdown } from '@countersign/service';
import { systemEntropy } from './clock.js';
import { TENANT, type World } from './world.js';

/** How often it is looked for what revoked keys left behind. */
const VOID_MS = 5_000;

/** Ends what revoked keys left behind: what a crash cut short, and what was under way when they were revoked. */
export function keepVoiding({ world, log, shutdown }: { world: World; log: Logger; shutdown: Shutdown }): void {
  let running: Promise<unknown> = Promise.resolve();
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    running = finishVoiding({ flow: world.flow, callers: world.store.callers })
      .catch((error: unknown) => log.error({ err: error }, 'Requests of revoked keys could not be ended; it is tried again'))
      .finally(() => (busy = false));
  }, VOID_MS);
  shutdown.add('voiding', async () => {
    clearInterval(timer);
    await running;
  });
}

/** Loads COUNTERSIGN_TRUST, where it is set, into the directory's callers. Without it what was loaded before stays as it is. */
export async function loadTrust(config: Config, world: World, log: Logger): Promise<void> {
  if (config.trustPath === undefined) return;
  const { store, clock, sealer } = world;
  const applied = await applyTrust(
    { callers: store.callers, directory: store.directory, clock, entropy: systemEntropy, sealer },
    { tenant: TENANT, file: config.trustPath, publicUrl: config.http.publicUrl },
    await readTrustFile(config.trustPath),
  );
  log.info(applied, 'The trust rules were loaded');
  if (applied.stay_revoked.length > 0)
    log.warn({ callers: applied.stay_revoked }, 'These callers were revoked by somebody, and stay so until their rule is another');
}

/** Verifies tokens of platforms. Their keys are fetched only from where callbacks may go, and from the hosts that the trust rules name (I14). */
export function createWorkloads(world: World, log: Logger, shutdown: Shutdown): WorkloadVerifier {
  const get = createGuardedGet({
    policyFor: (trusted) => {
      const parsed = parseCallbackAllow(trusted.join(','));
      return { allow: [...world.callbacks.allow, ...(parsed.ok ? parsed.allow : [])], loopback: world.callbacks.loopback };
    },
  });
  shutdown.add('issuers', () => get.close());
  const { store, clock } = world;
  return workloadVerifier({
    callers: store.callers,
    keys: new IssuerKeys({ fetch: get.text, callers: store.callers, now: () => Date.parse(clock.now()), warn: (text) => log.warn(text) }),
    clock,
    onRefusal: (why) => log.warn(why, 'A token of a trusted issuer fits no trust rule'),
  });
}
