import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ActionRequest, Submission, Verdict } from '@countersign/contracts';
import { cancel, createPolicySource, decide, type DecideOutcome, expire, type FlowDeps, leafMaker, open } from '@countersign/core/flow';
import { compileBundle } from '@countersign/core/policy';
import type { Caller, ChatAccount, DirectorySnapshot, RequestState } from '@countersign/core/ports';
import { digestOf, epochMs, formatInstant, newId } from '@countersign/core/request';
import { EnvelopeSealer, grantVerifier, Keyring, parseMasterKeyring } from '@countersign/keys';
import { openStore, type Store } from '@countersign/store';
import pg from 'pg';
import { freePort } from './free-port.js';
import { createTestDatabase } from './postgres.js';

/**
 * Countersign without its apps: the quickstart's people and policy on a PostgreSQL of the test's own, the real flows, real
 * cryptography. A test of a channel opens requests here, lets people decide by another road, and looks at what its channel shows.
 */
export async function createApprovalWorld(options: { accounts?: Partial<Record<PersonName, ChatAccount[]>> } = {}): Promise<ApprovalWorld> {
  const database = await createTestDatabase();
  const store = openStore({ url: database.appUrl, connections: 5 });
  const announced: string[] = [];
  let failing = 0;
  const requests: FlowDeps['requests'] = {
    ...store.requests,
    async change(commit) {
      if (failing === 0) return store.requests.change(commit);
      failing -= 1;
      throw new Error('the database did not answer');
    },
  };
  const flow = await createFlow({ requests, policies: store.policies, passkeys: store.passkeys, signingKeys: store.signingKeys }, announced);
  const personId = () => newId('per', Date.now(), randomBytes(10));
  const people: Record<PersonName, string> = { dana: personId(), alice: personId(), bob: personId(), carol: personId(), olivia: personId() };
  const directory = directoryOf(people, options.accounts ?? {});
  await store.directory.replace(TENANT, directory);
  const caller = await createCaller(store, people.dana);
  await activatePolicy(store, flow);

  const stateOf = async (requestId: string): Promise<RequestState> => {
    const state = await store.requests.state(TENANT, requestId);
    if (state === null) throw new Error(`there is no request ${requestId}`);
    return state;
  };

  return {
    tenant: TENANT,
    store,
    flow,
    people,
    caller,
    async open(submission = {}, ago = 0) {
      const whole: Submission = { ...EXPORT, ...submission };
      const earlier: FlowDeps = { ...flow, clock: { now: () => formatInstant(epochMs(flow.clock.now()) - ago * 1_000) } };
      const outcome = await open(earlier, { caller, submission: whole, idempotency_key: randomUUID(), fingerprint: digestOf(whole) });
      if (outcome.kind !== 'opened') throw new Error(`the request was not opened: ${JSON.stringify(outcome)}`);
      return outcome.answer;
    },
    state: stateOf,
    async decide(person, requestId, verdict, reason) {
      const { request } = await stateOf(requestId);
      return decide(flow, {
        decider: {
          tenant: TENANT,
          person_id: people[person],
          via: 'api',
          authenticated: { issuer: 'test', method: 'session', at: flow.clock.now() },
          may_decide: true,
        },
        request_id: requestId,
        verdict,
        ...(reason === undefined ? {} : { reason }),
        request_digest: request.request_digest,
      });
    },
    async cancel(requestId) {
      const outcome = await cancel(flow, { kind: 'caller', caller }, requestId);
      if (outcome.kind !== 'done') throw new Error(`not cancelled: ${outcome.text}`);
    },
    async expire(requestId) {
      await expire(flow, { tenant: TENANT, request_id: requestId });
    },
    async deactivate(person) {
      await store.directory.replace(TENANT, { ...directory, people: directory.people.filter((entry) => entry.id !== people[person]) });
    },
    policy: (change) => activatePolicy(store, flow, change(quickstartPolicy())),
    demandReasons: () => askForReasons(store, flow),
    failNextDecision() {
      failing += 1;
    },
    async directory(change) {
      await store.directory.replace(TENANT, change(structuredClone(directory)));
    },
    async hurry() {
      const client = new pg.Client({ connectionString: database.superuserUrl });
      await client.connect();
      try {
        await client.query('UPDATE card_tasks SET due_at = now()');
        await client.query('UPDATE batches SET due_at = now(), leased_until = NULL');
        await client.query('UPDATE notice_tasks SET due_at = now()');
      } finally {
        await client.end();
      }
    },
    async close() {
      await store.close();
      await database.drop();
    },
  };
}

/** The real store before a database that does not answer: what a caller gets while PostgreSQL is away. It gives up well before chat platforms do. */
export async function openStoreWithoutServer(): Promise<Store> {
  return openStore({ url: `postgresql://nobody@127.0.0.1:${String(await freePort())}/none`, connections: 1, patienceMs: 200 });
}

/** The people of the quickstart: dana owns the agent and the API key, alice and bob own the data, bob and carol are security, olivia administers. */
export type PersonName = (typeof NAMES)[number];
const NAMES = ['dana', 'alice', 'bob', 'carol', 'olivia'] as const;

export interface ApprovalWorld {
  readonly tenant: string;
  readonly store: Store;
  readonly flow: FlowDeps;
  /** Person ids. Addresses are `<name>@example.com`. */
  readonly people: Readonly<Record<PersonName, string>>;
  /** Dana's API key. */
  readonly caller: Caller;
  /** Opens the agent's export of customer data, with these members of the submission instead; `ago`: so many seconds earlier by the service's clock. */
  open(submission?: Partial<Submission>, ago?: number): Promise<ActionRequest>;
  state(requestId: string): Promise<RequestState>;
  /** Somebody decides in the web inbox. */
  decide(person: PersonName, requestId: string, verdict: Verdict, reason?: string): Promise<DecideOutcome>;
  /** The requester takes it back. */
  cancel(requestId: string): Promise<void>;
  /** Settles it as expired if its time is over. */
  expire(requestId: string): Promise<void>;
  /** The directory no longer has the person. */
  deactivate(person: PersonName): Promise<void>;
  /** Puts another policy in force, made from the quickstart's text. */
  policy(change: (quickstart: string) => string): Promise<void>;
  /** Puts the quickstart's policy in force, with a reason asked for either verdict on exports of customer data. */
  demandReasons(): Promise<void>;
  /** The next change of a request, a decision for example, cannot be stored. */
  failNextDecision(): void;
  /** The directory changes, as a new file of it would say. */
  directory(change: (now: DirectorySnapshot) => DirectorySnapshot): Promise<void>;
  /** Makes cards and notices that wait for their next try due at once. */
  hurry(): Promise<void>;
  close(): Promise<void>;
}

const TENANT = 'default';

/** What the agent asks for, unless a test says otherwise; needs one of data-owners. */
const EXPORT: Submission = {
  action: 'data.export',
  resource: { type: 'postgres_table', id: 'prod.customers' },
  parameters: { format: 'csv', rows: 48211, destination: 's3://ml-retraining/customers.csv' },
  reason: 'Retraining set for churn model v7',
  actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: 'dana@example.com' } },
  environment: 'production',
};

async function createFlow(store: Pick<Store, 'requests' | 'policies' | 'passkeys' | 'signingKeys'>, announced: string[]): Promise<FlowDeps> {
  const clock = { now: () => formatInstant(Date.now()) };
  const sealer = new EnvelopeSealer(parseMasterKeyring(`test:${randomBytes(32).toString('base64')}`));
  const keyring = await Keyring.open({ store: store.signingKeys, sealer, clock });
  return {
    requests: store.requests,
    policies: createPolicySource(store.policies),
    sealer,
    signer: () => keyring.signer('outcome'),
    verifyGrant: grantVerifier(keyring),
    passkeys: store.passkeys,
    clock,
    entropy: { bytes: (length) => new Uint8Array(randomBytes(length)) },
    announcer: { announce: (topic) => void announced.push(topic) },
    checkCallback: () => ({ ok: true }),
    publicUrl: 'http://localhost:8080',
    defaultTimeoutSeconds: 3_600,
  };
}

function directoryOf(people: Readonly<Record<PersonName, string>>, accounts: Partial<Record<PersonName, ChatAccount[]>>): DirectorySnapshot {
  const capital = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
  return {
    people: NAMES.map((name) => ({
      id: people[name],
      email: `${name}@example.com`,
      name: `${capital(name)} Example`,
      active: true,
      roles: name === 'olivia' ? ['administrator'] : [],
      accounts: accounts[name] ?? [],
    })),
    groups: [
      { name: 'data-owners', members: [people.alice, people.bob] },
      { name: 'security', members: [people.bob, people.carol] },
    ],
    agents: [{ id: 'retrainer', owner: people.dana, active: true }],
  };
}

async function createCaller(store: Store, owner: string): Promise<Caller> {
  const id = newId('key', Date.now(), randomBytes(10));
  const rights = { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: ['*'], redeem: true };
  const at = formatInstant(Date.now());
  await store.credentials.insertApiKey({
    id,
    tenant: TENANT,
    name: 'pipeline',
    owner,
    hash: createHash('sha256').update(id).digest(),
    prefix: 'cs_test',
    rights,
    sealed_webhook_secret: new Uint8Array(1),
    created_at: at,
    expires_at: null,
    revoked_at: null,
  });
  return { tenant: TENANT, key_id: id, name: 'pipeline', owner, rights, authenticated: { issuer: 'countersign', method: 'api_key', at } };
}

/** The quickstart's own policy, so that what tests show holds for what newcomers start with. */
const quickstartPolicy = (): string => readFileSync(new URL('../../../apps/server/src/quickstart/policy.yaml', import.meta.url), 'utf8');

/** The quickstart's policy, with a passkey demanded for exports of customer data. */
export const demandPasskey = (text: string): string =>
  text.replace('      timeout: 4h\n\n', '      timeout: 4h\n      obligations: { passkey: { fresh: 5m } }\n\n');

/** The quickstart's policy, with a ticket, words to confirm and a look at everything demanded on exports of customer data. */
export const DEMANDED_WORDS = 'I have read the *runbook* <!here>.';
export const demandMore = (text: string): string =>
  text.replace(
    '      timeout: 4h\n\n',
    `      timeout: 4h\n      obligations: { ticket: { pattern: "CHG-[0-9]{4}" }, acknowledge: [${JSON.stringify(DEMANDED_WORDS)}], must_open: true }\n\n`,
  );

/** The quickstart's policy, with all that a card can offer on exports of customer data: whoever breaks the glass is of security. */
export const offerEverything = (text: string): string =>
  text.replace(
    '      timeout: 4h\n\n',
    `      timeout: 4h
      counter: [parameters.rows, parameters.format, parameters.columns, parameters.dry_run]
      bulk: true
      delegation: { within: anyone, max_duration: 30d }
    break_glass:
      group: security
      review_by: data-owners
      review_within: 1d
      obligations: { ticket: { pattern: "INC-[0-9]+" } }
    reveal: { groups: [data-owners], classes: [secret, email] }

`,
  );

/** Puts the quickstart's policy in force, with a reason asked for either verdict on exports of customer data. */
export function askForReasons(store: Pick<Store, 'policies'>, flow: FlowDeps): Promise<void> {
  return activatePolicy(store, flow, quickstartPolicy().replace('      timeout: 4h\n\n', '      timeout: 4h\n      reason: both\n\n'));
}

async function activatePolicy(store: Pick<Store, 'policies'>, flow: FlowDeps, text = quickstartPolicy()): Promise<void> {
  const compiled = compileBundle([{ path: 'policy.yaml', text }]);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const { digest, canonical } = compiled.bundle;
  const leaf = leafMaker(flow, { tenant: TENANT, subject: digest, recordKey: flow.entropy.bytes(32) });
  await store.policies.activate({ tenant: TENANT, digest, canonical, by: 'test', leaf: leaf('policy.activated', flow.clock.now(), { digest }, {}) });
}
