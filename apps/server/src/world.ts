import { createPolicySource, type FlowDeps } from '@countersign/core/flow';
import { maskText } from '@countersign/core/masking';
import type { Announcer, Clock } from '@countersign/core/ports';
import { type CallbackPolicy, checkCallbackUrl, parseCallbackAllow } from '@countersign/delivery';
import { EnvelopeSealer, grantVerifier, Keyring, loadOrCreateMasterKeyring, parseMasterKeys } from '@countersign/keys';
import { checkProof } from '@countersign/identity';
import type { Config, Shutdown } from '@countersign/service';
import type { Store } from '@countersign/store';
import { Waiters, watchedStore } from '@countersign/intake';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { databaseClock, systemEntropy } from './clock.js';

/** What every role of this process shares. */
export interface World {
  store: Store;
  clock: Clock;
  sealer: EnvelopeSealer;
  /** Asks the KMS that has the master key, where one has; null where this process has it. */
  kmsAnswers: (() => Promise<void>) | null;
  keyring: Keyring;
  waiters: Waiters;
  callbacks: CallbackPolicy;
  flow: FlowDeps;
}

/** There is one tenant until others are created. */
export const TENANT = 'default';

/** How long people have where neither caller nor policy says: a day, in seconds. */
const DEFAULT_TIMEOUT_SECONDS = 86_400;

export async function createWorld(config: Config, store: Store, announcer: Announcer, shutdown: Shutdown): Promise<World> {
  const { clock, stop } = await databaseClock(store.sweep);
  shutdown.add('clock', stop);
  const master =
    config.masterKey === undefined
      ? await loadOrCreateMasterKeyring(path.join(config.home, 'master.key'))
      : parseMasterKeys(config.masterKey.reveal(), process.env);
  const sealer = new EnvelopeSealer(master);
  const kmsAnswers = 'check' in master && master.kms ? kmsProbe(() => master.check()) : null;
  const keyring = await Keyring.open({ store: store.signingKeys, sealer, clock });
  keepKeysFresh(keyring, shutdown);
  const waiters = new Waiters();
  const callbacks = callbackPolicy(config);
  const flow: FlowDeps = {
    requests: watchedStore(store.requests, waiters),
    policies: createPolicySource(store.policies),
    patterns: store.patterns,
    sealer,
    signer: () => keyring.signer('outcome'),
    verifyGrant: grantVerifier(keyring),
    checkProof: async ({ text, ...target }) => {
      const checked = await checkProof({ callers: store.callers, clock, publicUrl: config.http.publicUrl }, text, target);
      return 'problem' in checked ? checked.problem : null;
    },
    passkeys: store.passkeys,
    clock,
    entropy: systemEntropy,
    announcer,
    checkCallback: (url) => {
      const checked = checkCallbackUrl(url, callbacks);
      return checked.ok ? { ok: true } : { ok: false, reason: `The callback address is not allowed: ${checked.detail}.` };
    },
    publicUrl: config.http.publicUrl,
    defaultTimeoutSeconds: DEFAULT_TIMEOUT_SECONDS,
  };
  return { store, clock, sealer, kmsAnswers, keyring, waiters, callbacks, flow };
}

/** How long an answer of the KMS is good for, in milliseconds: probes come often, and its calls cost. */
const KMS_ANSWER_MS = 10_000;

/** Asks the KMS, and remembers its answer for a moment. */
function kmsProbe(check: () => Promise<void>): () => Promise<void> {
  let asked: { at: number; answer: Promise<void> } | null = null;
  return () => {
    if (asked === null || performance.now() - asked.at > KMS_ANSWER_MS) asked = { at: performance.now(), answer: check() };
    return asked.answer;
  };
}

/** How often this process looks whether another one has rotated keys. A retired key signs for so long at most. */
const KEYS_LOOK_MS = 30_000;

function keepKeysFresh(keyring: Keyring, shutdown: Shutdown): void {
  // A look that fails leaves the keys as they are; the database's absence is told elsewhere.
  const timer = setInterval(() => void keyring.refresh().catch(() => undefined), KEYS_LOOK_MS);
  shutdown.add('keys', async () => clearInterval(timer));
}

/** COUNTERSIGN_CALLBACK_ALLOW: absent, a quickstart may reach loopback; set but empty, nothing private is reached. */
function callbackPolicy(config: Config): CallbackPolicy {
  if (config.callbackAllow === undefined) return { allow: [], loopback: config.quickstart };
  const parsed = parseCallbackAllow(config.callbackAllow.join(','));
  if (!parsed.ok) throw new StartError(`COUNTERSIGN_CALLBACK_ALLOW: ${parsed.errors.join('; ')}.`);
  return { allow: parsed.allow, loopback: false };
}

/** Something that keeps the service from starting, in a line for the person at the terminal. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Masks texts of logs; what is equal within one process run looks equal, nothing beyond. */
export function logMask(): (text: string) => string {
  const key = new Uint8Array(randomBytes(32));
  return (text) => maskText(text, { paths: [], key }).masked;
}
