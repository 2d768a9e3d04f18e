import { userInfo } from 'node:os';
import {
  type ApiKeyBody,
  apiKeyBodySchema,
  apiKeyListSchema,
  type ApiKeyView,
  newApiKeySchema,
  revokedApiKeySchema,
  rotatedApiKeySchema,
} from '@countersign/contracts';
import type { ApiKeyRecord } from '@countersign/core/ports';
import { createKey, type KeyAdministration, keyView, revokeKey, rotateKey } from '@countersign/identity';
import { connect } from '../caller/connection.js';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { listOf, onDatabase, type Opened, placeOptions, PLACES, TENANT } from '../on-database.js';
import type { Terminal } from '../terminal.js';

/* API keys, by a running service or, for the first ones and for emergencies, on the database itself. Both roads write the same ledger entries. */

const options = { ...placeOptions, url: { type: 'string' } } as const;
type Places = { [Name in keyof typeof options]?: string | undefined };
const ROADS = `  --url URL                a running service, as an administrator: COUNTERSIGN_TOKEN is a personal token with the scope admin.
                           Without --url the command works on the database itself:
${PLACES}`;

const administrator = () => ({ tenant: TENANT, by: userInfo().username, via: 'cli' as const });
const administration = ({ store, clock, entropy, sealer }: Opened): KeyAdministration => ({
  callers: store.callers,
  directory: store.directory,
  clock,
  entropy,
  sealer,
});
/** The service that --url names, whatever the environment does. */
const server = (terminal: Terminal, { url = '' }: Places) => connect({ ...terminal, env: { ...terminal.env, COUNTERSIGN_URL: url } }, {}, 'person');
const pathOf = (id: string): string => `/v1/api-keys/${encodeURIComponent(id)}`;

export const apiKeyCreate: Command = {
  name: 'api-key create',
  summary: 'make an API key for a caller',
  usage: `Usage: countersign api-key create --owner PERSON --name NAME --actors LIST --actions LIST [options]
  Makes an API key for a caller and shows it, with its webhook secret, this once. Its owner answers for what it asks, and decides none of it.
  --owner PERSON           e-mail address or id in the directory
  --name NAME              what people read on cards
  --actors LIST            the actor ids that it may speak for, with commas; an entry may end in *; * is any
  --actions LIST           the actions that it may ask for, likewise
  --environments LIST      default *
  --callback-hosts LIST    host names that it may name in callbacks; default none
  --on-behalf-of LIST      the persons on whose behalf its actors may act; default anybody
  --networks LIST          addresses and CIDR blocks that it may call from; default anywhere
  --expires-at INSTANT     as 2027-01-31T00:00:00.000Z; default never
  --redeem                 may redeem grants
  --no-read                may not read its requests
  --certificate-thumbprint TEXT, --certificate-san TEXT
                           proves itself by a TLS client certificate instead of a key: its SHA-256 in base64url, or DNS:… or URI:…
${ROADS}`,
  async run(args, terminal) {
    const { values } = readArguments(
      args,
      {
        ...options,
        owner: { type: 'string' },
        name: { type: 'string' },
        actors: { type: 'string' },
        actions: { type: 'string' },
        environments: { type: 'string' },
        'callback-hosts': { type: 'string' },
        'on-behalf-of': { type: 'string' },
        networks: { type: 'string' },
        'expires-at': { type: 'string' },
        redeem: { type: 'boolean', default: false },
        'no-read': { type: 'boolean', default: false },
        'certificate-thumbprint': { type: 'string' },
        'certificate-san': { type: 'string' },
      },
      0,
    );
    const { owner, name } = values;
    const [actors, actions] = [listOf(values.actors), listOf(values.actions)];
    if (owner === undefined || name === undefined || actors === undefined || actions === undefined)
      throw new CliError('usage', 'Give --owner, --name, --actors and --actions.');
    const [environments, hosts, behalf, networks] = [values.environments, values['callback-hosts'], values['on-behalf-of'], values.networks].map(listOf);
    const [thumbprint, san] = [values['certificate-thumbprint'], values['certificate-san']];
    const body = bodyOf({
      name,
      owner,
      rights: {
        actors,
        actions,
        redeem: values.redeem,
        ...(environments === undefined ? {} : { environments }),
        ...(hosts === undefined ? {} : { callback_hosts: hosts }),
        ...(behalf === undefined ? {} : { on_behalf_of: behalf }),
        ...(values['no-read'] ? { read: false } : {}),
      },
      ...(networks === undefined ? {} : { networks }),
      ...(values['expires-at'] === undefined ? {} : { expires_at: values['expires-at'] }),
      ...(thumbprint === undefined ? {} : { certificate: { thumbprint } }),
      ...(san === undefined ? {} : { certificate: { san } }),
    });
    const made =
      values.url === undefined
        ? await onDatabase(terminal, values, async (opened) => {
            const created = await createKey(administration(opened), administrator(), body);
            if (created.kind === 'invalid') throw invalid(created.errors);
            return { id: created.record.id, key: created.key, webhook_secret: created.webhook_secret };
          })
        : parsed(newApiKeySchema, await (await server(terminal, values)).post('/v1/api-keys', body));
    if (made.key !== null) terminal.out(`api_key         ${made.key}`);
    terminal.out(
      `webhook_secret  ${made.webhook_secret}\nid              ${made.id}\nKeep ${made.key === null ? 'it' : 'both'} now: they are stored as a hash and sealed, and not shown again.`,
    );
    return EXIT.fine;
  },
};

export const apiKeyList: Command = {
  name: 'api-key list',
  summary: 'list API keys and other callers',
  usage: `Usage: countersign api-key list [--all] [options]
  Lists the callers that are live, or all of them: id, status, kind, name, owner, when it was last used, when it expires.
  --all                    revoked ones too
${ROADS}`,
  async run(args, terminal) {
    const { values } = readArguments(args, { ...options, all: { type: 'boolean', default: false } }, 0);
    const keys = values.url === undefined ? await listHere(terminal, values, values.all) : await listThere(terminal, values, values.all);
    for (const key of keys)
      terminal.out(
        [
          key.id,
          key.status.padEnd(14),
          key.kind.padEnd(11),
          key.name,
          key.owner,
          `used ${key.last_used_at ?? 'never'}`,
          `expires ${key.expires_at ?? 'never'}`,
        ].join('  '),
      );
    if (keys.length === 0) terminal.out('There are none.');
    return EXIT.fine;
  },
};

export const apiKeyRotate: Command = {
  name: 'api-key rotate',
  summary: 'give an API key a new secret',
  usage: `Usage: countersign api-key rotate ID [--overlap SECONDS] [--webhook-secret] [options]
  Makes a new secret and shows it, this once. The old one counts for the overlap (a day unless told; 0 ends it at once).
  --overlap SECONDS        at most 2592000, thirty days
  --webhook-secret         changes the webhook secret, too: callbacks are signed with both for the overlap
${ROADS}`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { ...options, overlap: { type: 'string' }, 'webhook-secret': { type: 'boolean', default: false } }, 1);
    const id = keyId(positionals);
    const overlap_seconds = Number(values.overlap ?? 86_400);
    if (!Number.isInteger(overlap_seconds) || overlap_seconds < 0 || overlap_seconds > 2_592_000)
      throw new CliError('usage', '--overlap takes seconds, 0 to 2592000.');
    const wish = { overlap_seconds, webhook_secret: values['webhook-secret'] };
    const rotated =
      values.url === undefined
        ? await onDatabase(terminal, values, async (opened) => {
            const done = await rotateKey(administration(opened), administrator(), id, wish);
            return done.kind === 'unknown' ? unknown(id) : done;
          })
        : parsed(rotatedApiKeySchema, await (await server(terminal, values)).post(`${pathOf(id)}/rotate`, wish));
    if (rotated.key !== null) terminal.out(`api_key         ${rotated.key}`);
    if (rotated.webhook_secret !== null) terminal.out(`webhook_secret  ${rotated.webhook_secret}`);
    terminal.out(overlap_seconds === 0 ? 'The old secret counts no more.' : `The old secret counts for ${overlap_seconds} s more.`);
    return EXIT.fine;
  },
};

export const apiKeyRevoke: Command = {
  name: 'api-key revoke',
  summary: 'end an API key, and what it asked for',
  usage: `Usage: countersign api-key revoke ID [--reason TEXT] [options]
  Ends it at once and for good: nothing that it asked for is approved or redeemed any more. A running service cancels what waits, and tells its callbacks.
  --reason TEXT            what requesters, cards and the ledger are told
${ROADS}`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { ...options, reason: { type: 'string' } }, 1);
    const id = keyId(positionals);
    if (values.url === undefined) {
      // The service's sweep ends what waits: it has the keys that sign the outcomes.
      await onDatabase(terminal, values, async (opened) => {
        const done = await revokeKey(administration(opened), null, administrator(), id, values.reason ?? '');
        return done.kind === 'unknown' ? unknown(id) : done;
      });
      terminal.out(`${id} is revoked. The running service ends what it asked for within seconds.`);
    } else {
      const reason = values.reason === undefined ? {} : { reason: values.reason };
      const { voided } = parsed(revokedApiKeySchema, await (await server(terminal, values)).post(`${pathOf(id)}/revoke`, reason));
      terminal.out(`${id} is revoked; ${voided} request${voided === 1 ? '' : 's'} ended with it.`);
    }
    return EXIT.fine;
  },
};

async function listHere(terminal: Terminal, values: Places, all: boolean): Promise<ApiKeyView[]> {
  return onDatabase(terminal, values, async ({ store, clock }) => {
    const found: ApiKeyRecord[] = [];
    for (;;) {
      const last = found.at(-1);
      const before = last === undefined ? {} : { before: { created_at: last.created_at, id: last.id } };
      const page = await store.callers.list(TENANT, { limit: 200, ...(all ? {} : { revoked: false }), ...before });
      found.push(...page);
      if (page.length < 200) return found.map((key) => keyView(key, clock.now()));
    }
  });
}

async function listThere(terminal: Terminal, values: Places, all: boolean): Promise<ApiKeyView[]> {
  const { call } = await server(terminal, values);
  const found: ApiKeyView[] = [];
  for (let cursor: string | null = null; ;) {
    const query = new URLSearchParams({ limit: '200', ...(all ? {} : { revoked: 'false' }), ...(cursor === null ? {} : { cursor }) });
    const page: { data: ApiKeyView[]; next_cursor: string | null } = parsed(apiKeyListSchema, await call('GET', `/v1/api-keys?${query.toString()}`));
    found.push(...page.data);
    if (page.next_cursor === null) return found;
    cursor = page.next_cursor;
  }
}

function keyId([id]: readonly string[]): string {
  if (id === undefined) throw new CliError('usage', 'Name the key: key_…, as countersign api-key list prints it.');
  return id;
}

function bodyOf(wanted: unknown): ApiKeyBody {
  const read = apiKeyBodySchema.safeParse(wanted);
  if (read.success) return read.data;
  throw invalid(read.error.issues.map(({ path, message }) => ({ pointer: `/${path.join('/')}`, detail: message })));
}

const invalid = (errors: { pointer: string; detail: string }[]): CliError =>
  new CliError('unusable', errors.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; '));

function unknown(id: string): never {
  throw new CliError('unusable', `There is no live API key ${id}.`);
}

function parsed<T>(schema: { safeParse(value: unknown): { success: true; data: T } | { success: false } }, answer: unknown): T {
  const read = schema.safeParse(answer);
  if (!read.success) throw new CliError('unusable', 'What answered is no API key: is the service of another version?');
  return read.data;
}
