import { parseCallbackAllow } from '@countersign/delivery';
import { compileCanonical, loadFactParsers } from '@countersign/core/policy';
import type { Config } from '@countersign/service';
import { type DatabaseInspection, inspectDatabase, openStore, StoreError } from '@countersign/store';
import { messageOf } from '../cli-error.js';
import { findDatabase, findMasterKeyring } from '../home.js';
import { openedKeys } from '../ledger/opened-keys.js';
import type { Terminal } from '../terminal.js';
import { type Check, fail, ok, warn } from './check.js';
import { directoryChecks } from './directory.js';
import { routingChecks } from './routing.js';

const OLDEST_NODE = [20, 20] as const;
const TENANT = 'default';

export function nodeCheck(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  return enough ? ok('Node', version) : fail('Node', version, `Install Node ${OLDEST_NODE.join('.')} or newer.`);
}

export function quickstartCheck(config: Config): Check {
  return config.quickstart
    ? fail(
        'boundary',
        'a quickstart is no boundary: software that runs as the same user can read its keys and press for its people',
        'For real use set COUNTERSIGN_DIRECTORY (or OIDC_ISSUER), COUNTERSIGN_POLICY, DATABASE_URL and COUNTERSIGN_MASTER_KEY, and run it as a user of its own.',
      )
    : ok('boundary', 'no quickstart');
}

/** Everything that the database shows: that it answers, is migrated, keeps its ledger, opens with the master key, has a policy. */
export async function databaseChecks(config: Config, terminal: Terminal): Promise<Check[]> {
  let url: string;
  let seen: DatabaseInspection;
  try {
    const database = await findDatabase(terminal, {
      home: config.home,
      databaseUrl: config.database.kind === 'external' ? config.database.url.reveal() : undefined,
    });
    if (database === null)
      return [
        fail(
          'database',
          `the embedded database of ${config.home} does not run`,
          'Start Countersign, then run doctor again; or set COUNTERSIGN_HOME to the home that runs.',
        ),
      ];
    ({ url } = database);
    seen = await inspectDatabase(url);
  } catch (error) {
    return [fail('database', messageOf(error), 'Check DATABASE_URL, and that the server accepts connections from here.')];
  }
  const reached = ok('database', `PostgreSQL ${seen.server_version} answers as ${seen.role}`);
  if (seen.missing_migrations.length > 0)
    return [
      reached,
      fail(
        'migrations',
        `not applied: ${seen.missing_migrations.join(', ')}`,
        'Start this release once; it migrates, with MIGRATE_DATABASE_URL where that is set.',
      ),
    ];
  return [reached, ok('migrations', 'all of this release are applied'), ledgerCheck(seen), ...(await contentChecks(url, config, terminal))];
}

function ledgerCheck({ role, superuser, ledger }: DatabaseInspection): Check {
  const name = 'ledger';
  const fix = 'Give the service a role of its own: MIGRATE_DATABASE_URL for the owner, DATABASE_URL for a role that owns nothing.';
  const disarmed = ledger.filter(({ armed }) => !armed).map(({ table }) => table);
  if (disarmed.length > 0)
    return fail(
      name,
      `the trigger append_only is off or missing on ${disarmed.join(', ')}: rows can be changed`,
      'Somebody switched it off. Find out who, run countersign ledger verify, and arm it: ALTER TABLE … ENABLE ALWAYS TRIGGER append_only.',
    );
  if (superuser) return fail(name, `the role ${role} is a superuser, whom nothing stops`, fix);
  if (ledger.some(({ owner }) => owner))
    return warn(name, `the role ${role} owns the ledger's tables: the triggers refuse a change, but that role may drop them`, fix);
  const may = ledger.filter((table) => table.may.length > 0).map((table) => `${table.may.join(', ')} on ${table.table}`);
  return may.length > 0
    ? fail(name, `the role ${role} has ${may.join('; ')}`, 'Revoke it; the migrations grant what the service needs.')
    : ok(name, `the role ${role} can add to the ledger and change nothing in it; the triggers are armed`);
}

async function contentChecks(url: string, config: Config, terminal: Terminal): Promise<Check[]> {
  const store = openStore({ url, connections: 2 });
  try {
    return [
      await masterKeyCheck(store.signingKeys, config, terminal),
      await policyCheck(store.policies),
      ...(await controlChecks(store)),
      ...(await directoryChecks(store, TENANT, Date.now())),
      ...(await routingChecks(store, TENANT)),
    ];
  } finally {
    await store.close();
  }
}

async function masterKeyCheck(signingKeys: ReturnType<typeof openStore>['signingKeys'], config: Config, terminal: Terminal): Promise<Check> {
  const name = 'master key';
  try {
    const master = await findMasterKeyring(terminal, config.home);
    if (master === null)
      return fail(name, 'there is none', 'Set COUNTERSIGN_MASTER_KEY, or put master.key back into the home. Without it nothing that is sealed opens.');
    const stored = await signingKeys.list();
    if (stored.length === 0) return warn(name, `${master.activeKid}; nothing was sealed yet`, 'Start Countersign once.');
    const { keyring, findings } = await openedKeys(signingKeys, master);
    if (keyring === null)
      return fail(
        name,
        findings.map(({ problem }) => `the signing keys ${problem}`).join('; '),
        'Put back the master key that this database was started with.',
      );
    return ok(name, `${master.activeKid} opens all ${stored.length} signing keys`);
  } catch (error) {
    return fail(name, messageOf(error), 'Mend the key or its file.');
  }
}

async function policyCheck(policies: ReturnType<typeof openStore>['policies']): Promise<Check> {
  const name = 'policy';
  try {
    const active = await policies.active(TENANT);
    const canonical = active === null ? null : await policies.canonical(TENANT, active.digest);
    if (active === null || canonical === null) return fail(name, 'none is in force', 'Set COUNTERSIGN_POLICY and start Countersign.');
    await loadFactParsers();
    const compiled = compileCanonical(canonical);
    if (!compiled.ok || compiled.bundle.digest !== active.digest)
      return fail(
        name,
        `the text in force is not what its digest ${active.digest} names`,
        'Run countersign ledger verify: somebody changed it in the database.',
      );
    return ok(name, `${compiled.bundle.name} (${active.digest.slice(0, 19)}…) is in force since ${active.activated_at}, by ${active.by}`);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return fail(name, error.message, 'Check the database.');
  }
}

/** What keeps things from running, or another policy from being in force; nothing where all is well. */
async function controlChecks({ policies, freezes }: Pick<ReturnType<typeof openStore>, 'policies' | 'freezes'>): Promise<Check[]> {
  const failing = (await policies.looks(TENANT)).filter(({ failed_at }) => failed_at !== null);
  const frozen = await freezes.list(TENANT, { open: true, limit: 20 });
  return [
    ...failing.map(({ source, failed_at, problems }) =>
      warn(
        'policy source',
        `${source} fails since ${failed_at}: ${problems[0]?.message ?? 'it cannot be used'}`,
        'See countersign policy status; what is in force stays.',
      ),
    ),
    ...(frozen.length === 0
      ? []
      : [
          warn(
            'freezes',
            `${frozen.length} in force: ${frozen.map(({ id, placed_by }) => `${id} by ${placed_by.email}`).join(', ')}`,
            'See countersign freezes; somebody else lifts them.',
          ),
        ]),
  ];
}

export function callbackCheck(config: Config): Check {
  const name = 'callbacks';
  const { callbackAllow } = config;
  if (callbackAllow === undefined)
    return ok(name, config.quickstart ? 'HTTPS to public addresses, and loopback (quickstart)' : 'HTTPS to public addresses alone');
  const parsed = parseCallbackAllow(callbackAllow.join(','));
  if (!parsed.ok) return fail(name, `COUNTERSIGN_CALLBACK_ALLOW: ${parsed.errors.join('; ')}`, 'Write CIDR ranges or host names, separated by commas.');
  const wide = callbackAllow.filter((entry) => Number(/\/(\d+)$/.exec(entry.trim())?.[1] ?? 128) < (entry.includes(':') ? 32 : 8));
  if (wide.length > 0)
    return warn(
      name,
      `COUNTERSIGN_CALLBACK_ALLOW lets callers reach ${wide.join(', ')}`,
      'List the networks that callbacks need; a caller can aim at everything in them.',
    );
  return ok(name, callbackAllow.length === 0 ? 'HTTPS to public addresses, nothing private' : `HTTPS to public addresses, and ${callbackAllow.join(', ')}`);
}
