import { randomBytes, randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { fileURLToPath } from 'node:url';
import { readFile } from 'node:fs/promises';
import type { Requirement } from '@countersign/contracts';
import { createPolicySource, type FlowDeps, type PolicySource, type FourEyes, leafMaker } from '@countersign/core/flow';
import {
  type Appliers,
  directoryAppliers,
  endpointAppliers,
  loadDirectory,
  policyApplier,
  placeAppliers,
  preparedAppliers,
  settleChanges,
  slackAppliers,
} from '@countersign/core/flow';
import { integrate } from '@countersign/core/ledger';
import { maskText } from '@countersign/core/masking';
import { type BundleFile, compileBundle, loadFactParsers } from '@countersign/core/policy';
import type { KeyRights, Person } from '@countersign/core/ports';
import { type Digest, formatInstant } from '@countersign/core/request';
import { checkCallbackUrl, createGuardedGet, parseCallbackAllow } from '@countersign/delivery';
import { freePort } from '@countersign/dev-env/free-port';
import { createTestDatabase } from '@countersign/dev-env/postgres';
import {
  ANY_RIGHTS,
  applyTrust,
  checkProof,
  IssuerKeys,
  makeApiKey,
  makePersonalToken,
  makeSignInLink,
  readDirectoryFile,
  readTrust,
  snapshotOf,
  type TokenScope,
  type TrustApplied,
  workloadVerifier,
} from '@countersign/identity';
import { EnvelopeSealer, grantVerifier, Keyring, parseMasterKeyring, signatureVerifier } from '@countersign/keys';
import { createHttpService, createLogger, createMetrics, type TlsOptions } from '@countersign/service';
import { openStore, type Store } from '@countersign/store';
import pg from 'pg';
import type { SignInDeps } from '../deps.js';
import { createIntake, Waiters, watchedStore } from '../index.js';

export type Name = 'dana' | 'alice' | 'bob' | 'carol' | 'olivia';

/** An answer as it came over the wire. */
export interface Reply {
  status: number;
  headers: Record<string, string | undefined>;
  bytes: Buffer;
  text: string;
  /** The parsed body; null when there is none. `any`, since tests say themselves what they expect of it. */
  // oxlint-disable-next-line typescript/no-explicit-any -- see above
  json: any;
}

export interface CallOptions {
  /** A token or key for Authorization; none by default. */
  as?: string;
  body?: unknown;
  /** Bytes as they are, instead of `body`. */
  raw?: string | Buffer;
  headers?: Record<string, string>;
}

/** The API on a port, over the real PostgreSQL, with the quickstart's people and policy. */
export interface ApiWorld {
  url: string;
  store: Store;
  flow: FlowDeps;
  waiters: Waiters;
  keyring: Keyring;
  /** Dana's API key, for any actor. */
  key: string;
  people: Record<Name, Person>;
  /** Personal tokens that read and decide; olivia's administers too. */
  tokens: Record<Name, string>;
  /** Everything that was logged. */
  log(): string;
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  /** Submits the example export with these members instead, under a new key; what PII rules gate unless told otherwise. */
  submit(members?: object, options?: CallOptions & { key?: string }): Promise<Reply>;
  /** A request that waits for a data owner. */
  pending(members?: object): Promise<{ id: string; action_digest: Digest; request_digest: Digest }>;
  decide(who: string, request: { id: string; request_digest: string }, verdict: 'approve' | 'deny', reason?: string): Promise<Reply>;
  newKey(options?: { rights?: Partial<KeyRights>; owner?: Name; expires_at?: string; name?: string }): Promise<{ id: string; key: string }>;
  /** Loads trust rules, as a start does. */
  trust(yaml: string): Promise<TrustApplied>;
  newToken(who: Name, scopes: TokenScope[], life_seconds?: number): Promise<string>;
  /** Signs in by a link; the cookie to send. */
  signIn(who: Name): Promise<{ cookie: string; set: string }>;
  signInToken(who: Name): Promise<string>;
  /** What the decisions worker does with changes of the configuration that were decided: how many ended. */
  settleChanges(): Promise<number>;
  /** How kinds of change are put into effect, besides those of the product. */
  appliers: Record<string, Appliers[string]>;
  /** Places the waiting leaves and signs a checkpoint. */
  sequence(): Promise<number>;
  /** Runs SQL on the test's database as nobody of the product may. */
  sql(text: string): Promise<void>;
  /** The service's address of the test's database. */
  appUrl: string;
  /** The master key, as COUNTERSIGN_MASTER_KEY has it. */
  masterKey: string;
  /** The superuser's address of the test's database. */
  databaseUrl: string;
  /** The service's clock, in seconds ahead of the real one. */
  ahead: number;
  /** As if the composition root were told to stop. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

const TENANT = 'default';
const quickstart = (file: string): string => fileURLToPath(new URL(`../../../server/src/quickstart/${file}`, import.meta.url));

export const EXPORT = {
  action: 'data.export',
  resource: { type: 'postgres_table', id: 'prod.customers' },
  parameters: { format: 'csv', rows: 48211, destination: 's3://ml-retraining/customers.csv' },
  reason: 'Retraining set for churn model v7',
  actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: 'dana@example.com' } },
  environment: 'production',
};

export async function createApiWorld(
  options: {
    signIn?: (url: string) => SignInDeps;
    pingMs?: number;
    lookMs?: number;
    /** One bundle's text, or the files of several. */
    policy?: (quickstart: string) => string | BundleFile[];
    fourEyes?: FourEyes;
    /** What requirements of these actions say besides, whatever the bundle says. */
    demands?: Readonly<Record<string, Partial<Requirement>>>;
    trustedProxies?: string[];
    clientCertHeader?: string;
    rateLimit?: { requests: number; seconds: number };
    /** Speaks TLS: `call` does not. */
    tls?: TlsOptions;
    /** In place of one with a master key of its own. */
    sealer?: EnvelopeSealer;
    /** The AAGUIDs that count. */
    passkeyMakes?: string[];
  } = {},
): Promise<ApiWorld> {
  const database = await createTestDatabase();
  const store = openStore({ url: database.appUrl, connections: 10, patienceMs: 200 });
  const port = await freePort();
  const url = `${options.tls === undefined ? 'http' : 'https'}://localhost:${port}`;
  const waiters = new Waiters();
  const requests = watchedStore(store.requests, waiters);
  const lines: string[] = [];
  const log = createLogger({
    level: 'debug',
    mask: (text) => maskText(text, { paths: [], key: new Uint8Array(32), keep: [] }).masked,
    destination: { write: (line) => void lines.push(line) },
  });
  const entropy = { bytes: (length: number): Uint8Array => new Uint8Array(randomBytes(length)) };
  const callbacks = { allow: [], loopback: true };

  const world: Pick<ApiWorld, 'ahead'> = { ahead: 0 };
  const clock = { now: () => formatInstant(Date.now() + world.ahead * 1000) };
  const masterKey = `test:${randomBytes(32).toString('base64')}`;
  const sealer = options.sealer ?? new EnvelopeSealer(parseMasterKeyring(masterKey));
  const keyring = await Keyring.open({ store: store.signingKeys, sealer, clock });
  const flow: FlowDeps = {
    requests,
    policies: demanding(createPolicySource(store.policies), options.demands ?? {}),
    patterns: store.patterns,
    sealer,
    signer: () => keyring.signer('outcome'),
    verifyGrant: grantVerifier(keyring),
    checkProof: async ({ text, ...target }) => {
      const checked = await checkProof({ callers: store.callers, clock, publicUrl: url }, text, target);
      return 'problem' in checked ? checked.problem : null;
    },
    passkeys: store.passkeys,
    clock,
    entropy,
    announcer: { announce: () => undefined },
    checkCallback(callback) {
      const checked = checkCallbackUrl(callback, callbacks);
      return checked.ok ? { ok: true } : { ok: false, reason: checked.detail };
    },
    publicUrl: url,
    defaultTimeoutSeconds: 3600,
  };

  const directory = await readDirectoryFile(quickstart('directory.yaml'));
  await loadDirectory({ ...flow, directory: store.directory }, TENANT, snapshotOf(TENANT, directory, await store.directory.list(TENANT)), 'directory.yaml');
  const everybody = await store.directory.list(TENANT);
  const people = Object.fromEntries(everybody.map((person) => [person.email.split('@')[0], person])) as Record<Name, Person>; // the quickstart's names

  if (options.policy !== undefined) await loadFactParsers();
  const policy = (options.policy ?? ((text: string) => text))(await readFile(quickstart('policy.yaml'), 'utf8'));
  const compiled = compileBundle(typeof policy === 'string' ? [{ path: 'policy.yaml', text: policy }] : policy);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const leaf = leafMaker(flow, { tenant: TENANT, subject: compiled.bundle.digest, recordKey: entropy.bytes(32) });
  await store.policies.activate({
    tenant: TENANT,
    digest: compiled.bundle.digest,
    canonical: compiled.bundle.canonical,
    by: 'test',
    leaf: leaf('policy.activated', clock.now(), { policy_digest: compiled.bundle.digest }, {}),
  });

  const newKey: ApiWorld['newKey'] = async ({ rights = {}, owner = 'dana', expires_at, name = 'pipeline' } = {}) => {
    const made = await makeApiKey(flow, {
      tenant: TENANT,
      name,
      owner: people[owner].id,
      rights: { ...ANY_RIGHTS, ...rights },
      ...(expires_at === undefined ? {} : { expires_at }),
    });
    await store.credentials.insertApiKey(made.record);
    return { id: made.record.id, key: made.key };
  };
  const newToken: ApiWorld['newToken'] = async (who, scopes, life_seconds = 3600) => {
    const made = makePersonalToken(flow, { tenant: TENANT, person_id: people[who].id, name: 'test', scopes, life_seconds, stepped_up_at: flow.clock.now() });
    await store.credentials.insertPersonalToken(made.record);
    return made.token;
  };
  const tokens = {} as Record<Name, string>;
  for (const name of ['dana', 'alice', 'bob', 'carol', 'olivia'] as const)
    tokens[name] = await newToken(name, name === 'olivia' ? ['read', 'decide', 'admin'] : ['read', 'decide']);
  const { key } = await newKey();

  const issuers = createGuardedGet({
    policyFor: (trusted) => {
      const parsed = parseCallbackAllow(trusted.join(','));
      return { allow: parsed.ok ? parsed.allow : [], loopback: false };
    },
  });
  const workloads = workloadVerifier({
    callers: store.callers,
    keys: new IssuerKeys({ fetch: issuers.text, callers: store.callers, now: () => Date.parse(clock.now()) }),
    clock,
    onRefusal: (why) => log.warn(why, 'A token of a trusted issuer fits no trust rule'),
  });
  const appliers: ApiWorld['appliers'] = {
    'policy.activate': policyApplier({ ...flow, bundles: store.policies }),
    ...directoryAppliers({ ...flow, directory: store.directory, scim: store.scim }),
    ...endpointAppliers({ ...flow, endpoints: store.endpoints }),
    ...placeAppliers({ ...flow, chatPlaces: store.chatPlaces }),
    ...slackAppliers({ ...flow, slackInstalls: store.slackInstalls }),
    ...preparedAppliers({ ...flow, callers: store.callers, chatLinks: store.chatLinks }),
  };
  let origins: readonly string[] = [url];
  const intake = createIntake({
    flow,
    waiters,
    directory: store.directory,
    scim: store.scim,
    credentials: store.credentials,
    callers: store.callers,
    workloads,
    trustedProxies: options.trustedProxies ?? [],
    ...(options.rateLimit === undefined ? {} : { rateLimit: options.rateLimit }),
    ...(options.clientCertHeader === undefined ? {} : { clientCertHeader: options.clientCertHeader }),
    identities: store.identities,
    chatLinks: store.chatLinks,
    chatPlaces: store.chatPlaces,
    slackInstalls: store.slackInstalls,
    ...(options.signIn === undefined ? {} : { signIn: options.signIn(url) }),
    policies: store.policies,
    passkeys: store.passkeys,
    passkeyMakes: options.passkeyMakes ?? [],
    deliveries: store.deliveries,
    endpoints: store.endpoints,
    control: { freezes: store.freezes, configChanges: store.configChanges, patterns: store.patterns, fourEyes: options.fourEyes ?? 'auto' },
    followUps: store,
    mail: { mails: store.mails, verify: signatureVerifier(keyring, 'link') },
    ledger: store.ledger,
    jwks: () => Promise.resolve(keyring.jwks()),
    checkpointKeys: () => Promise.resolve(keyring.publicKeys('checkpoint')),
    rotateKey: (purpose, who) => keyring.rotate(purpose, { ...who, via: 'api' }),
    previews: { slack: (card) => ({ blocks: [card.headline] }), teams: (card) => ({ type: 'AdaptiveCard', text: card.headline }) },
    notice: null,
    log,
    origins: () => origins,
    times: { lookMs: options.lookMs ?? 50, pingMs: options.pingMs ?? 50 },
  });
  const service = await createHttpService({
    host: '127.0.0.1',
    port,
    publicUrl: url,
    quickstart: true,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    mounts: [intake.mount()],
    log,
    metrics: createMetrics(),
    readiness: { database: () => store.ping() },
    drainMs: 2000,
  });
  origins = service.origins;

  const call: ApiWorld['call'] = (method, path, { as, body, raw, headers = {} } = {}) => {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const sent = httpRequest(
        {
          host: '127.0.0.1',
          port,
          method,
          path,
          headers: {
            host: `localhost:${port}`,
            ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
            ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const bytes = Buffer.concat(chunks);
            const text = bytes.toString('utf8');
            const type = response.headers['content-type'] ?? '';
            const flat = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]));
            resolve({ status: response.statusCode ?? 0, headers: flat, bytes, text, json: /json/.test(type) && text !== '' ? JSON.parse(text) : null });
          });
        },
      );
      sent.on('error', reject);
      sent.end(payload);
    });
  };
  const submit: ApiWorld['submit'] = (members = {}, { key: idempotencyKey = randomUUID(), as = key, headers = {}, ...rest } = {}) =>
    call('POST', '/v1/action-requests', { as, body: { ...EXPORT, ...members }, headers: { 'idempotency-key': idempotencyKey, ...headers }, ...rest });
  const signInToken: ApiWorld['signInToken'] = async (who) => {
    const link = await makeSignInLink({ credentials: store.credentials, clock, entropy, publicUrl: url }, { tenant: TENANT, person_id: people[who].id });
    return link.slice(link.indexOf('#') + 1);
  };
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= service.close());

  return Object.assign(world, {
    url,
    store,
    flow,
    waiters,
    keyring,
    databaseUrl: database.superuserUrl,
    appUrl: database.appUrl,
    key,
    people,
    tokens,
    log: () => lines.join(''),
    call,
    submit,
    async pending(members = {}) {
      const reply = await submit(members);
      if (reply.status !== 201 || reply.json.status !== 'pending') throw new Error(`not pending: ${reply.text}`);
      return reply.json;
    },
    decide: (who, { id, request_digest }, verdict, reason) =>
      call('POST', `/v1/action-requests/${id}/decisions`, { as: who, body: { verdict, request_digest, ...(reason === undefined ? {} : { reason }) } }),
    masterKey,
    newKey,
    newToken,
    async trust(text) {
      const read = readTrust('trust.yaml', text);
      if (!read.ok) throw new Error(JSON.stringify(read.problems));
      return applyTrust({ ...flow, callers: store.callers, directory: store.directory }, { tenant: TENANT, file: 'trust.yaml', publicUrl: url }, read.rules);
    },
    signInToken,
    async signIn(who) {
      const reply = await call('POST', '/v1/sessions', { body: { token: await signInToken(who) } });
      const set = reply.headers['set-cookie'] ?? '';
      return { cookie: set.split(';')[0] ?? '', set };
    },
    appliers,
    settleChanges: () =>
      settleChanges({ ...flow, configChanges: store.configChanges, patterns: store.patterns, fourEyes: options.fourEyes ?? 'auto' }, appliers, (error) => {
        throw error;
      }),
    sequence: () => store.ledger.sequence(TENANT, 1000, (tail) => integrate(tail, { origin: `localhost/${TENANT}`, signer: keyring.signer('checkpoint') })),
    async sql(text) {
      const client = new pg.Client({ connectionString: database.superuserUrl });
      await client.connect();
      try {
        await client.query(text);
      } finally {
        await client.end();
      }
    },
    stop,
    async close() {
      await stop();
      await issuers.close();
      await store.close();
      await database.drop();
    },
  } satisfies Omit<ApiWorld, 'ahead'>);
}

/** The policies, with further demands on some actions: so the rules of decisions are tested apart from the language that writes them. */
function demanding(source: PolicySource, demands: Readonly<Record<string, Partial<Requirement>>>): PolicySource {
  return {
    ...source,
    async bundle(tenant, digest) {
      const bundle = await source.bundle(tenant, digest);
      return {
        ...bundle,
        evaluate(input) {
          const evaluation = bundle.evaluate(input);
          const more = demands[input.action];
          const requirement = evaluation.requirement ?? bundle.defaults.require;
          return more === undefined || requirement === null
            ? evaluation
            : { ...evaluation, effect: 'require' as const, requirement: { ...requirement, ...more } };
        },
      };
    },
  };
}

/** Milliseconds since 1970 of an instant on the wire. */
