import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ActionRequest, Submission, Verdict } from '@countersign/contracts';
import { cancel, createPolicySource, decide, type Decider, expire, type FlowDeps, freshGrant, open, redeem, revoke } from '@countersign/core/flow';
import { actionOf } from '@countersign/core/outcome';
import { compileBundle } from '@countersign/core/policy';
import type { Caller, Person, Signer, StoredSigningKey } from '@countersign/core/ports';
import { digestOf, formatInstant } from '@countersign/core/request';
import { EnvelopeSealer, grantVerifier, Keyring, parseMasterKeyring } from '@countersign/keys';
import { type Condition, DatabaseFault, MemoryStore } from './memory-store.js';
import { Choices, Scheduler } from './scheduler.js';
import { checkEnd, CommitJudge, type Journal, type PolicyName } from './simulator-rules.js';

const TENANT = 'default';
const MASTER = `simulator:${Buffer.from(Uint8Array.from({ length: 32 }, (_, index) => index)).toString('base64')}`;
const quickstart = readFileSync(path.resolve(import.meta.dirname, '../../apps/server/src/quickstart/policy.yaml'), 'utf8');
const customerData = 'effect: require\n    actions: [data.export]';
/** The policies that may come into force while requests are open: the quickstart's, one that denies exports, one that wants security too. */
const POLICIES: Record<PolicyName, string> = {
  quickstart,
  denies: quickstart.replace(
    '  - id: no-backup-deletion',
    '  - id: no-exports\n    effect: deny\n    actions: [data.export]\n    explain: Stopped\n\n  - id: no-backup-deletion',
  ),
  stricter: quickstart.replace(
    '  - id: privilege',
    `  - id: security-too\n    ${customerData}\n    explain: Security looks too\n    require:\n      stages:\n        - all: [{ group: security, quorum: 1 }]\n\n  - id: privilege`,
  ),
};
const compiled = Object.entries(POLICIES).map(([name, text]) => {
  const read = compileBundle([{ path: 'policy.yaml', text }]);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  // The keys of POLICIES.
  return { name: name as PolicyName, digest: read.bundle.digest, canonical: read.bundle.canonical };
});
const bundles = createPolicySource({
  canonical: (_tenant, digest) => Promise.resolve(compiled.find((policy) => policy.digest === digest)?.canonical ?? null),
});
const digestOfPolicy = (name: PolicyName): string => compiled.find((policy) => policy.name === name)?.digest ?? '';

export interface SimulationOptions {
  /** How probable each kind of fault is at each call. */
  faultRate?: number;
  /** A condition that the store forgets: to see that it is found. */
  forgets?: Condition;
}

export interface Simulated {
  violations: string[];
  steps: number;
  /** What happened, to see that the runs are about something. */
  counts: Record<string, number>;
}

/**
 * One run: a handful of requests, and a crowd that submits, decides, cancels, revokes, redeems and expires them at once, in processes
 * whose clocks differ and which may crash, while policy and directory change and the database loses statements and answers. Every
 * commit is judged as it happens by rules that know nothing of core, and the whole at the end.
 */
export async function simulate(seed: number, { faultRate = 0.02, forgets }: SimulationOptions = {}): Promise<Simulated> {
  const choices = new Choices(seed);
  const scheduler = new Scheduler(choices, () => void (store.nowMs += choices.below(8)));
  const policyNames = new Map(compiled.map(({ name, digest }) => [digest, name]));
  const judge = new CommitJudge(policyNames);
  const store: MemoryStore = new MemoryStore(scheduler, { rate: faultRate, ...(forgets === undefined ? {} : { forgets }) }, judge);
  for (const { digest, canonical } of compiled) store.bundles.set(digest, canonical);
  store.activePolicy = digestOfPolicy('quickstart');
  store.agents.set('retrainer', { id: 'retrainer', owner: 'per_dana', active: true });
  // Dana is in every group: only the chain keeps her from deciding.
  for (const [name, groups] of Object.entries({
    dana: ['data-owners', 'security'],
    alice: ['data-owners'],
    bob: ['data-owners', 'security'],
    carol: ['security'],
    olivia: [],
  })) {
    store.people.set(`per_${name}`, personOf(name, groups));
  }
  store.endpoints.set('ep_all', {
    url: 'https://hooks.example.com/',
    events: ['action_request.opened', 'decision.recorded', 'outcome.settled', 'outcome.revoked'],
    format: 'standard',
  });
  const journal: Journal = { opened: [], redeemed: [], decided: [], revoked: [], cancelled: [] };
  const crowd = await Crowd.gather(choices, store, scheduler, journal);
  crowd.arrive();
  await scheduler.run();
  return { violations: [...judge.violations, ...checkEnd(store, journal)], steps: scheduler.steps, counts: countsOf(store, journal) };
}

function personOf(name: string, groups: string[]): Person {
  return { id: `per_${name}`, email: `${name}@example.com`, name, active: true, groups, roles: name === 'olivia' ? ['administrator'] : [] };
}

function countsOf(store: MemoryStore, journal: Journal): Record<string, number> {
  const counts: Record<string, number> = { requests: store.states.size, redeemed_grants: journal.redeemed.length, decisions: 0, ...store.injected };
  for (const { request, decisions } of store.states.values()) {
    counts[request.status] = (counts[request.status] ?? 0) + 1;
    counts['decisions'] = (counts['decisions'] ?? 0) + decisions.length;
  }
  return counts;
}

const caller: Caller = {
  tenant: TENANT,
  key_id: 'key_pipeline',
  name: 'pipeline',
  owner: 'per_dana',
  rights: { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: ['*'], redeem: true },
  authenticated: { issuer: 'countersign', method: 'api_key', at: '2026-03-01T12:00:00.000Z' },
};

/** Everybody who acts, each on a process of their own. */
class Crowd {
  readonly #open: ActionRequest[] = [];

  private constructor(
    private readonly choices: Choices,
    private readonly store: MemoryStore,
    private readonly scheduler: Scheduler,
    private readonly journal: Journal,
    private readonly world: Pick<FlowDeps, 'sealer' | 'signer' | 'verifyGrant'>,
  ) {}

  static async gather(choices: Choices, store: MemoryStore, scheduler: Scheduler, journal: Journal): Promise<Crowd> {
    return new Crowd(choices, store, scheduler, journal, await cryptography());
  }

  arrive(): void {
    const { choices } = this;
    const submissions = Array.from({ length: 1 + choices.below(3) }, () => this.#submission());
    submissions.forEach((submission, number) => {
      // The same caller, twice at once with one idempotency key: a retry before the first answer.
      for (let copies = 1 + choices.below(2); copies > 0; copies--) void this.#submitter(submission, `key-${number}`);
    });
    for (const person of ['dana', 'alice', 'alice', 'bob', 'bob', 'carol', 'olivia']) void this.#decider(person, choices.chance(0.8) ? 'approve' : 'deny');
    if (choices.chance(0.3)) void this.#withdrawer('cancel');
    for (let number = choices.below(3); number > 0; number--) void this.#withdrawer('revoke');
    for (let number = 1 + choices.below(3); number > 0; number--) void this.#redeemer();
    void this.#expirer();
    void this.#time();
    if (choices.chance(0.6)) void this.#operator();
    if (choices.chance(0.4)) void this.#directory();
  }

  #submission(): Submission {
    const { choices } = this;
    const callback = choices.pick([undefined, { url: 'https://caller.example.com/hook' }, { endpoint_id: 'ep_all' }]);
    const action = choices.pick(['data.export', 'data.export', 'iam.grant', 'iam.grant', 'model.promote', 'backup.delete']);
    return {
      action,
      resource: action === 'data.export' ? { type: 'postgres_table', id: 'prod.customers' } : { type: 'thing', id: 't' },
      parameters: { number: choices.below(1_000) },
      actor: { type: 'agent', id: 'retrainer' },
      environment: 'production',
      ...(callback === undefined ? {} : { callback }),
      ...(choices.chance(0.5) ? { timeout_seconds: 1 + choices.below(3) } : {}),
    };
  }

  /** A process: its own clock, cache of policies and signing key. */
  #process(): FlowDeps {
    const { choices, store } = this;
    const skewMs = choices.below(401) - 200;
    const broken = choices.chance(0.05);
    const signer = (): Signer => {
      const whole = this.world.signer();
      return broken ? { ...whole, sign: () => Promise.reject(new DatabaseFault('the key service does not answer')) } : whole;
    };
    return {
      ...this.world,
      signer,
      requests: store.requests,
      policies: {
        // The way to the store may fail; compiling is the same every time, and slow.
        async bundle(tenant, digest) {
          await store.policies.canonical(tenant, digest);
          return bundles.bundle(tenant, digest);
        },
      },
      clock: { now: () => formatInstant(store.nowMs + skewMs) },
      entropy: { bytes: (length) => choices.bytes(length) },
      announcer: { announce: () => {} },
      checkCallback: () => ({ ok: true }),
      publicUrl: 'https://countersign.example.com',
      defaultTimeoutSeconds: 3_600,
    };
  }

  /** Tries again after a fault, on another process, as every client of ours does; null where it gives up. */
  async #persistently<T>(act: (deps: FlowDeps) => Promise<T>): Promise<T | null> {
    for (let tries = 0; tries < 4; tries++) {
      try {
        return await act(this.#process());
      } catch (error) {
        if (!(error instanceof DatabaseFault) && !(error instanceof Error && 'code' in error)) throw error;
        await this.scheduler.turn();
      }
    }
    return null;
  }

  async #submitter(submission: Submission, idempotency_key: string): Promise<void> {
    const outcome = await this.#persistently((deps) => open(deps, { caller, submission, idempotency_key, fingerprint: digestOf(submission) }));
    if (outcome === null || (outcome.kind !== 'opened' && outcome.kind !== 'replayed')) return;
    this.journal.opened.push({ key: idempotency_key, id: outcome.answer.id });
    this.#open.push(outcome.answer);
  }

  /** One of the requests that somebody was told of, after a while. */
  async #request(): Promise<ActionRequest | null> {
    for (let looks = 0; looks < 60; looks++) {
      await this.scheduler.turn();
      if (this.#open.length > 0 && this.choices.chance(0.2)) return this.choices.pick(this.#open);
    }
    return this.#open[0] ?? null;
  }

  async #decider(name: string, verdict: Verdict): Promise<void> {
    for (let presses = 1 + this.choices.below(3); presses > 0; presses--) {
      const request = await this.#request();
      if (request === null) return;
      const decider: Decider = {
        tenant: TENANT,
        person_id: `per_${name}`,
        via: 'web',
        authenticated: caller.authenticated,
        may_decide: !this.choices.chance(0.05),
      };
      const wrong = this.choices.chance(0.05);
      const outcome = await this.#persistently((deps) =>
        decide(deps, { decider, request_id: request.id, verdict, request_digest: wrong ? `sha256:${'0'.repeat(64)}` : request.request_digest }),
      );
      if (outcome?.kind !== 'decided') continue;
      this.journal.decided.push({ request: request.id, decision: outcome.decision.id, verdict, wrong, may_decide: decider.may_decide });
    }
  }

  async #withdrawer(what: 'cancel' | 'revoke'): Promise<void> {
    const request = await this.#request();
    if (request === null) return;
    const withdraw = what === 'cancel' ? cancel : revoke;
    const outcome = await this.#persistently((deps) =>
      withdraw(deps, this.choices.chance(0.5) ? { kind: 'caller', caller } : { kind: 'person', tenant: TENANT, person_id: 'per_bob' }, request.id),
    );
    if (outcome?.kind === 'done') this.journal[what === 'cancel' ? 'cancelled' : 'revoked'].push(request.id);
  }

  async #redeemer(): Promise<void> {
    for (let tries = 0; tries < 12; tries++) {
      const request = await this.#request();
      if (request === null) return;
      const fresh = await this.#persistently((deps) => freshGrant(deps, caller, request.id));
      if (fresh?.kind !== 'issued') continue;
      const state = this.store.states.get(request.id);
      if (state === undefined) return;
      const other = this.choices.chance(0.2);
      const shown = actionOf(state.request.view);
      const action = other ? { ...shown, parameters: { number: -1 } } : shown;
      // Two executors of the same grant, now and then.
      for (let copies = 1 + this.choices.below(2); copies > 0; copies--) {
        void this.#persistently((deps) => redeem(deps, { caller, grant: fresh.answer.grant, action })).then((outcome) => {
          if (outcome?.kind === 'redeemed') this.journal.redeemed.push({ request: request.id, other, grant: outcome.answer.grant_id });
        });
      }
      return;
    }
  }

  async #expirer(): Promise<void> {
    for (let rounds = 0; rounds < 12; rounds++) {
      await this.scheduler.turn();
      const due = await this.#persistently((deps) => deps.requests.due(10));
      // Now and then one that has time still: a worker whose clock runs ahead.
      const early = this.#open.length > 0 && this.choices.chance(0.2) ? [{ tenant: TENANT, request_id: this.choices.pick(this.#open).id }] : [];
      for (const target of [...(due ?? []), ...early]) await this.#persistently((deps) => expire(deps, target));
    }
  }

  /** Time passes: mostly a little, now and then beyond the life of a grant. */
  async #time(): Promise<void> {
    for (let jumps = this.choices.below(10); jumps > 0; jumps--) {
      for (let turns = this.choices.below(30); turns >= 0; turns--) await this.scheduler.turn();
      this.store.nowMs += this.choices.chance(0.1) ? 290_000 + this.choices.below(20_000) : this.choices.below(900);
    }
  }

  async #operator(): Promise<void> {
    for (let changes = 2 + this.choices.below(5); changes > 0; changes--) {
      for (let turns = this.choices.below(60); turns >= 0; turns--) await this.scheduler.turn();
      this.store.activePolicy = digestOfPolicy(this.choices.pick(['quickstart', 'denies', 'stricter'] as const));
    }
  }

  async #directory(): Promise<void> {
    for (let turns = this.choices.below(200); turns >= 0; turns--) await this.scheduler.turn();
    const person = this.store.people.get(`per_${this.choices.pick(['alice', 'bob', 'carol'])}`);
    if (person === undefined) return;
    this.store.people.set(person.id, this.choices.chance(0.5) ? { ...person, active: false } : { ...person, groups: [] });
  }
}

let made: Promise<Pick<FlowDeps, 'sealer' | 'signer' | 'verifyGrant'>> | null = null;

/** Real cryptography, made once: it holds no state. */
function cryptography(): NonNullable<typeof made> {
  return (made ??= (async () => {
    const sealer = new EnvelopeSealer(parseMasterKeyring(MASTER));
    const rows: StoredSigningKey[] = [];
    const keyring = await Keyring.open({
      store: {
        list: () => Promise.resolve(rows),
        insert: (row) => {
          rows.push(row);
          return Promise.resolve();
        },
        rotate: () => Promise.resolve({ changed: false }),
      },
      sealer,
      clock: { now: () => formatInstant(Date.parse('2026-03-01T12:00:00.000Z')) },
    });
    return { sealer, signer: () => keyring.signer('outcome'), verifyGrant: grantVerifier(keyring) };
  })());
}
