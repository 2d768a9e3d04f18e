import type {
  Agent,
  ChangeCommit,
  ChangeResult,
  CommitParts,
  DecidingContext,
  DeliveryRecord,
  IdempotencyRecord,
  LeafRecord,
  OpenCommit,
  OpenResult,
  Person,
  PolicyStore,
  RequestState,
  RequestStore,
  Subscription,
} from '@countersign/core/ports';
import type { Scheduler } from './scheduler.js';

/** What a condition of the port guards; a test leaves one out to see that the simulator finds it. */
export type Condition = 'version' | 'time' | 'policy' | 'idempotency' | 'leaves';

export interface Faults {
  /** How probable each kind is at each call, in [0, 1). */
  rate: number;
  /** Conditions that the store forgets. */
  forgets?: Condition;
}

/** Who judges commits as they happen, by what the database holds then. */
export interface Watcher {
  committed(commit: ChangeCommit, before: RequestState, now: { ms: number; policy: string }): void;
}

/** A fault of the database, as the store reports it: nothing is half done. */
export class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault';
}

/**
 * The store's documented meaning without PostgreSQL: every call is one atomic step at the database, between the way there and the way
 * back, on which a statement may be lost before it ran, lose its answer, be tried twice, or be the last that its process does.
 */
export class MemoryStore {
  nowMs = Date.parse('2026-03-01T12:00:00.000Z');
  activePolicy = '';
  readonly bundles = new Map<string, string>();
  readonly people = new Map<string, Person>();
  readonly agents = new Map<string, Agent>();
  readonly states = new Map<string, RequestState>();
  readonly keys = new Map<string, IdempotencyRecord>();
  readonly leaves: LeafRecord[] = [];
  readonly deliveries: DeliveryRecord[] = [];
  readonly superseded = new Set<string>();
  readonly endpoints = new Map<string, Pick<Subscription, 'url' | 'events' | 'format'>>();
  /** How often each kind of fault was injected. */
  readonly injected = { lost_before: 0, lost_answer: 0, tried_twice: 0, crashed: 0 };

  constructor(
    private readonly scheduler: Scheduler,
    private readonly faults: Faults,
    private readonly watcher: Watcher,
  ) {}

  /** The ports for one process. */
  readonly requests: RequestStore = {
    openingContext: ({ agent_id, refs }) =>
      this.#call(() => {
        const agent = this.agents.get(agent_id) ?? null;
        const named = new Set([...refs, ...(agent?.owner == null ? [] : [agent.owner])].map((ref) => ref.toLowerCase()));
        const people = [...this.people.values()].filter(({ id, email }) => named.has(id) || named.has(email.toLowerCase()));
        return { active_policy: this.activePolicy, agent, people };
      }),
    decidingContext: ({ request_id, person_id }) =>
      this.#call((): DecidingContext | null => {
        const state = this.states.get(request_id);
        if (state === undefined) return null;
        const ids = new Set([person_id, ...state.request.chain.map((link) => link.person_id), ...state.decisions.map(({ person }) => person.id)]);
        return { ...state, active_policy: this.activePolicy, people: [...this.people.values()].filter(({ id }) => ids.has(id)), delegations: [], opened: [] };
      }),
    state: (_tenant, request_id) => this.#call(() => this.states.get(request_id) ?? null),
    subscription: ({ endpoint_id, request_id }) =>
      this.#call(() => {
        const endpoint = this.endpoints.get(endpoint_id) ?? { url: null, events: [], format: 'standard' as const };
        const last_sequence = Math.max(0, ...this.deliveries.filter((delivery) => delivery.request_id === request_id).map(({ sequence }) => sequence));
        return { ...endpoint, last_sequence };
      }),
    open: (commit) =>
      this.#write(
        () => this.#open(commit),
        // The row is the gate: under the same key it finds its own request, which an earlier try wrote.
        () => this.#open(commit),
      ),
    change: (commit) =>
      this.#write(
        () => this.#change(commit),
        (first) => (first.kind === 'committed' ? first : this.#change(commit)),
      ),
    record: (_tenant, leaves) =>
      this.#write(
        () => this.#leaves(leaves),
        () => this.#leaves(leaves),
      ),
    opened: () => Promise.reject(new Error('not part of the model')),
    list: () => Promise.reject(new Error('not part of the model')),
    timeline: () => Promise.reject(new Error('not part of the model')),
    usedUp: () => Promise.reject(new Error('not part of the model')),
    due: () =>
      this.#call(() =>
        [...this.states.values()]
          .filter(({ request }) => request.status === 'pending' && Date.parse(request.expires_at) <= this.nowMs)
          .map(({ request }) => ({ tenant: request.tenant, request_id: request.id })),
      ),
  };

  readonly policies: Pick<PolicyStore, 'canonical'> = {
    canonical: (_tenant, digest) => this.#call(() => this.bundles.get(digest) ?? null),
  };

  #open(commit: OpenCommit): OpenResult {
    const { idempotency, request } = commit;
    const key = `${idempotency.key_id} ${idempotency.key}`;
    const known = this.faults.forgets === 'idempotency' ? undefined : this.keys.get(key);
    if (known !== undefined) {
      if (known.request_id === request.id) return { kind: 'committed' };
      return { kind: 'replay', fingerprint: known.fingerprint, request_id: known.request_id, sealed_answer: known.sealed_answer };
    }
    if (!this.#policyHolds(commit)) return { kind: 'policy_changed' };
    this.keys.set(key, idempotency);
    this.states.set(request.id, {
      request,
      decisions: [],
      outcomes: commit.outcome === undefined ? [] : [commit.outcome],
      grant: commit.grant ?? null,
      ...{ report: null, questions: [], proposals: [], reviews: [], read_at: request.created_at },
    });
    this.#parts(commit, request.id);
    return { kind: 'committed' };
  }

  #change(commit: ChangeCommit): ChangeResult {
    const before = this.states.get(commit.request_id);
    if (before === undefined) return { kind: 'conflict' };
    const { request } = before;
    const forgets = this.faults.forgets;
    if (forgets !== 'version' && (request.version !== commit.from.version || request.status !== commit.from.status)) return { kind: 'conflict' };
    if (forgets !== 'time' && !this.#inTime(commit, request.expires_at)) return { kind: 'time' };
    if (forgets !== 'policy' && !this.#policyHolds(commit)) return { kind: 'policy_changed' };
    this.watcher.committed(commit, before, { ms: this.nowMs, policy: this.activePolicy });
    this.states.set(commit.request_id, {
      ...before,
      request: { ...request, ...commit.set, version: request.version + 1 },
      decisions: [...before.decisions, ...(commit.decision === undefined ? [] : [commit.decision])],
      outcomes: [...before.outcomes, ...(commit.outcome === undefined ? [] : [commit.outcome])],
      grant: commit.grant ?? before.grant,
      report: commit.report ?? before.report,
    });
    if (commit.supersede === true) {
      const below = commit.deliveries?.[0]?.sequence ?? commit.outcome?.sequence ?? Infinity;
      for (const { id, request_id, sequence } of this.deliveries) if (request_id === commit.request_id && sequence < below) this.superseded.add(id);
    }
    this.#parts(commit, commit.request_id);
    return { kind: 'committed' };
  }

  #parts(commit: CommitParts, requestId: string): void {
    if (commit.deliveries?.some(({ request_id }) => request_id !== requestId)) throw new Error('a delivery of another request');
    this.deliveries.push(...(commit.deliveries ?? []));
    if (this.faults.forgets !== 'leaves') this.#leaves(commit.leaves);
  }

  #leaves(leaves: readonly LeafRecord[]): void {
    for (const leaf of leaves) if (!this.leaves.some(({ id }) => id === leaf.id)) this.leaves.push(leaf);
  }

  #policyHolds({ active_policy }: CommitParts): boolean {
    return active_policy === undefined || active_policy === this.activePolicy;
  }

  #inTime({ time }: ChangeCommit, expiresAt: string): boolean {
    if (typeof time === 'object') return this.nowMs < Date.parse(time.before);
    if (time === 'any') return true;
    return Date.parse(expiresAt) > this.nowMs === (time === 'live');
  }

  /** A read: one step. It may find no database, or be the last that its process does. */
  async #call<T>(read: () => T): Promise<T> {
    await this.#way();
    if (this.#happens('lost_before')) throw new DatabaseFault('the database did not answer');
    // Records are replaced, never changed: what the flow keeps is what was true then.
    const found = read();
    await this.scheduler.turn();
    return found;
  }

  async #write<T>(first: () => T, again: (result: T) => T): Promise<T> {
    await this.#way();
    if (this.#happens('lost_before')) throw new DatabaseFault('the database was not reached');
    let result = first();
    await this.#way();
    if (this.#happens('tried_twice')) {
      result = again(result);
      await this.scheduler.turn();
    }
    if (this.#happens('lost_answer')) throw new DatabaseFault('what came of it is unknown');
    return result;
  }

  async #way(): Promise<void> {
    await this.scheduler.turn();
    if (this.#happens('crashed')) await this.scheduler.crash();
  }

  #happens(kind: keyof MemoryStore['injected']): boolean {
    if (!this.scheduler.choices.chance(this.faults.rate)) return false;
    this.injected[kind] += 1;
    return true;
  }
}
