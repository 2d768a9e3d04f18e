import { isIP } from 'node:net';

import { z } from 'zod';

import type { ConfigProblem } from './config.js';
import { gitPolicyOf } from './git-policy.js';
import { isLoopbackHost } from './loopback.js';

/**
 * Every environment variable of Countersign: how its value is read, and what to do when it is wrong.
 * The order is that of the documentation. Messages describe what is expected and never repeat the value.
 */
const variables = {
  DATABASE_URL: variable(address('postgres:', 'postgresql:'), 'Write it as postgresql://user:password@host:5432/database.'),
  REDIS_URL: variable(address('redis:', 'rediss:'), 'Write it as redis://host:6379 or rediss://…; leave it out to keep the queue on PostgreSQL.'),
  PORT: variable(
    z
      .string()
      .regex(/^\d{1,5}$/u, 'must be a whole number')
      .transform(Number)
      .pipe(z.int().min(1, 'must be 1 or more').max(65_535, 'must be 65535 or less')),
    'Use a TCP port from 1 to 65535; the default is 8080.',
  ),
  HOST: variable(
    z
      .string()
      .refine(isHost, 'must be a literal address or a host name')
      .transform((host) => host.replace(/^\[(.*)\]$/u, '$1')),
    'Use 127.0.0.1 for this machine alone, 0.0.0.0 or :: for every interface.',
  ),
  PUBLIC_URL: variable(z.string().transform(origin), 'Write the origin that people and callers use, as https://countersign.example.com, without a path.'),
  COUNTERSIGN_HOME: variable(text(4_096), 'Name a folder; the default is .countersign.'),
  COUNTERSIGN_MASTER_KEY: variable(
    z.string().refine(isKeyring, 'must be kid:base64 with 32 bytes each, or a key of a KMS, several separated by commas, none twice'),
    'Make one with: echo "k1:$(openssl rand -base64 32)", or name one: aws-kms:ARN, gcp-kms:NAME, vault:MOUNT/KEY. The first key is the active one.',
  ),
  MIGRATE_DATABASE_URL: variable(address('postgres:', 'postgresql:'), 'Write it as postgresql://owner:password@host:5432/database.'),
  COUNTERSIGN_POLICY: variable(
    text(4_096).refine(
      (value) => !/^git\+/iu.test(value) || gitPolicyOf(value) !== null,
      'is no git address: a scheme of https, http, ssh or file, and a ref and path without ".." or a leading "-"',
    ),
    'Name a policy file or folder, or a git repository: git+https://host/repository.git#ref:path.',
  ),
  COUNTERSIGN_POLICY_SIGNERS: variable(text(4_096), 'Name a file of allowed signers, as ssh-keygen(1) describes it.'),
  COUNTERSIGN_POLICY_POLL_SECONDS: variable(
    z
      .string()
      .regex(/^\d{1,5}$/u, 'must be a whole number')
      .transform(Number)
      .pipe(z.int().min(1, 'must be 1 or more').max(86_400, 'must be 86400 or less')),
    'Say how often the policy is looked at, in seconds; the default is 30.',
  ),
  COUNTERSIGN_POLICY_GATED: variable(
    z.enum(['on', 'off'], 'must be on or off'),
    'Leave it out for off: what comes from a file or git was reviewed where it lives.',
  ),
  COUNTERSIGN_FOUR_EYES: variable(
    z.enum(['auto', 'always', 'off'], 'must be auto, always or off'),
    'Leave it out for auto: changes of the configuration need a second administrator from the moment that there is one.',
  ),
  COUNTERSIGN_DIRECTORY: variable(text(4_096), 'Name a file of people and groups.'),
  COUNTERSIGN_TRUST: variable(text(4_096), 'Name a file of trust rules for workload tokens.'),
  TLS_CERT: variable(text(4_096), 'Name the PEM file of the certificate, with its chain; TLS_KEY belongs to it.'),
  TLS_KEY: variable(text(4_096), 'Name the PEM file of the private key.'),
  TLS_CLIENT_CA: variable(text(4_096), 'Name the PEM file of the authority whose client certificates callers show.'),
  CLIENT_CERT_HEADER: variable(
    z.string().regex(/^[A-Za-z0-9-]{1,64}$/u, 'must be the name of a header'),
    'Name the header in which the proxies of TRUSTED_PROXIES write the client certificate, as Client-Cert.',
  ),
  COUNTERSIGN_RATE_LIMIT: variable(
    z
      .string()
      .regex(/^[1-9]\d{0,6}\/[1-9]\d{0,4}$/u, 'must be requests/seconds')
      .transform((value) => {
        const [requests = 0, seconds = 0] = value.split('/').map(Number);
        return { requests, seconds };
      }),
    'Write it as 600/60: so many requests in so many seconds, for each API key; leave it out for no limit.',
  ),
  TRUSTED_PROXIES: variable(
    z
      .string()
      .transform(list)
      .pipe(z.array(z.string().refine((entry) => isBlock(entry), 'must hold addresses or CIDR blocks, separated by commas'))),
    'Name the proxies in front of the service whose X-Forwarded-For is true, as 10.0.0.0/8; leave it out where there is none.',
  ),
  SLACK_BOT_TOKEN: variable(
    header().refine((token) => !token.startsWith('xapp-'), 'is an app-level token'),
    'Use the bot token (xoxb-…); the app-level token (xapp-…) belongs in SLACK_APP_TOKEN.',
  ),
  SLACK_SIGNING_SECRET: variable(header(), "Copy it from the app's Basic Information page."),
  SLACK_APP_TOKEN: variable(
    header().refine((token) => !token.startsWith('xoxb-'), 'is a bot token'),
    'Use the app-level token (xapp-…) with connections:write; the bot token belongs in SLACK_BOT_TOKEN.',
  ),
  SLACK_CLIENT_ID: variable(text(100), "Copy it from the app's Basic Information page."),
  SLACK_CLIENT_SECRET: variable(header(), "Copy it from the app's Basic Information page."),
  SLACK_OIDC_ISSUER: variable(z.string().refine(isSafeUrl, 'must be an https URL, or http to loopback'), 'Leave it out for Slack itself.'),
  SLACK_API_URL: variable(z.string().refine(isSafeUrl, 'must be an https URL, or http to loopback'), 'Leave it out for Slack itself.'),
  SLACK_CHANNEL: variable(text(200), 'Use the name or id of a channel.'),
  PAGERDUTY_TOKEN: variable(text(1_000), 'Use a read-only REST API key of PagerDuty.'),
  PAGERDUTY_API_URL: variable(
    z.string().refine(isSafeUrl, 'must be an https URL, or http to loopback'),
    'Leave it out for https://api.pagerduty.com; the EU has https://api.eu.pagerduty.com.',
  ),
  OPSGENIE_TOKEN: variable(text(1_000), 'Use the API key of an API integration of Opsgenie with read access.'),
  OPSGENIE_API_URL: variable(
    z.string().refine(isSafeUrl, 'must be an https URL, or http to loopback'),
    'Leave it out for https://api.opsgenie.com; the EU has https://api.eu.opsgenie.com.',
  ),
  MicrosoftAppType: variable(
    z.enum(['MultiTenant', 'SingleTenant', 'UserAssignedMSI'], 'must be MultiTenant, SingleTenant or UserAssignedMSI'),
    'Use the type of the bot registration.',
  ),
  MicrosoftAppId: variable(z.guid('must be a GUID'), 'Use the application (client) id of the bot registration.'),
  MicrosoftAppPassword: variable(header(), 'Use a client secret of the bot registration.'),
  MicrosoftAppTenantId: variable(
    z
      .string()
      .transform(list)
      .pipe(z.array(z.guid('must hold GUIDs only, separated by commas')).min(1)),
    'Use directory (tenant) ids, separated by commas.',
  ),
  TEAMS_OPENID_METADATA_URL: variable(z.string().refine(isSafeUrl, 'must be an https URL, or http to loopback'), 'Leave it out for the public cloud.'),
  TEAMS_AUTH: variable(z.enum(['on', 'off'], 'must be on or off'), 'Leave it out; off is for the local playground only.'),
  TEAMS_GRAPH_URL: variable(z.string().refine(isSafeUrl, 'must be an https URL, or http to loopback'), 'Leave it out for the public cloud.'),
  COUNTERSIGN_READ_ABSENCE: variable(
    z.enum(['on', 'off'], 'must be on or off'),
    'Leave it out; on reads who is away from Slack statuses and Microsoft 365 presence, as a hint in reminders.',
  ),
  SMTP_URL: variable(
    address('smtp:', 'smtps:'),
    'Write it as smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465; characters such as @ and / of the password as %40 and %2F.',
  ),
  MAIL_FROM: variable(
    z.string().refine(isSender, 'must be a mail address, with or without a name'),
    'Write it as approvals@example.com, or Countersign <approvals@example.com>.',
  ),
  SMTP_CA: variable(text(4_096), "Name the PEM file of the authority that signed the mail server's certificate; leave it out for a public one."),
  COUNTERSIGN_CHAT_LINK: variable(
    z.enum(['proof', 'email'], 'must be proof or email'),
    'Leave it out for proof; email only where the workspace enforces its addresses by its own sign-on.',
  ),
  COUNTERSIGN_LINK_COOLDOWN_SECONDS: variable(
    z
      .string()
      .regex(/^\d{1,7}$/u, 'must be a whole number of seconds')
      .transform(Number)
      .pipe(z.int().max(2_592_000, 'must be 30 days or less')),
    'Use the seconds that a newly linked chat account waits until it may decide; the default is 0.',
  ),
  OIDC_ISSUER: variable(z.string().refine(isSafeUrl, 'must be an https URL, or http to loopback'), 'Write the issuer exactly as the identity provider does.'),
  OIDC_CLIENT_ID: variable(text(500), 'Copy it from the identity provider.'),
  OIDC_CLIENT_SECRET: variable(header(), 'Copy it from the identity provider.'),
  OIDC_PRESET: variable(
    z.enum(['generic', 'entra', 'google', 'okta'], 'must be generic, entra, google or okta'),
    'Leave it out: the issuer tells which provider it is.',
  ),
  OIDC_PIN: variable(
    z.string().transform(pins),
    'Write it as hd:example.com for Google, tid:<tenant id> for Entra, or claim:value; separate several by commas.',
  ),
  OIDC_SCOPES: variable(
    z
      .string()
      .transform(list)
      .pipe(z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/u, 'must hold scope names'))),
    'Leave it out for email profile; add the scope that makes your provider send groups.',
  ),
  OIDC_GROUPS_CLAIM: variable(text(200), 'Name the claim of the ID token that lists groups, often groups; leave it out where groups come from elsewhere.'),
  OIDC_JIT: variable(z.enum(['on', 'off'], 'must be on or off'), 'Leave it out; on adds whoever signs in to the directory, without role or group.'),
  COUNTERSIGN_PASSKEY_MAKES: variable(
    z
      .string()
      .transform((value) => list(value.toLowerCase()))
      .pipe(z.array(z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u, 'must hold AAGUIDs'))),
    'Leave it out where any authenticator will do; else list the AAGUIDs of the makes that count, separated by commas.',
  ),
  COUNTERSIGN_CALLBACK_ALLOW: variable(
    z
      .string()
      .transform(list)
      .pipe(z.array(z.string().refine(isAllowed, 'must hold addresses, CIDR blocks or host names, each with or without a port'))),
    'Write it as 10.0.0.0/8,hooks.internal,[fd00::1]:8443; empty allows nothing private.',
  ),
  LOG_LEVEL: variable(
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'must be trace, debug, info, warn, error, fatal or silent'),
    'Leave it out for info (warn in the quickstart).',
  ),
  METRICS_TOKEN: variable(header().min(16, 'must have 16 characters or more'), 'Make one with: openssl rand -hex 24.'),
} as const;

/** The values as they were read. */
export type Variables = { [N in keyof typeof variables]: z.output<(typeof variables)[N]['schema']> };

export const variableNames: readonly string[] = Object.keys(variables);

/** Set but empty says something for this one alone. */
const EMPTY_COUNTS = 'COUNTERSIGN_CALLBACK_ALLOW';

/** Reads each variable on its own, so that all wrong ones are found. */
export function readVariables(env: Readonly<Record<string, string | undefined>>): { values: Partial<Variables>; problems: ConfigProblem[] } {
  const values: Record<string, unknown> = {};
  const problems: ConfigProblem[] = [];
  for (const [name, { schema, fix }] of Object.entries(variables)) {
    const raw = env[name];
    if (raw === undefined || (raw.trim() === '' && name !== EMPTY_COUNTS)) continue;
    const read = schema.safeParse(raw.trim());
    if (read.success) values[name] = read.data;
    else problems.push({ variable: name, problem: read.error.issues[0]?.message ?? 'cannot be read', fix });
  }
  // Each value came out of the schema under its own name.
  return { values, problems };
}

function variable<S extends z.ZodType>(schema: S, fix: string): { readonly schema: S; readonly fix: string } {
  return { schema, fix };
}

function text(max: number) {
  return z
    .string()
    .max(max, 'is too long')
    .refine((value) => !value.includes('\0'), 'must not contain NUL');
}

/** A value that travels in an HTTP header: visible ASCII without spaces (RFC 9110 §5.5). */
function header() {
  return z.string().regex(/^[\x21-\x7e]{1,4096}$/u, 'must be visible ASCII without spaces or quotes around it');
}

function address(...protocols: readonly string[]) {
  return z.string().refine(
    (value) => {
      const url = parseUrl(value);
      return url !== undefined && protocols.includes(url.protocol) && url.hostname !== '';
    },
    `must be a ${protocols.map((protocol) => `${protocol}//`).join(' or ')} address`,
  );
}

/** `claim:value,…`: of one claim any value will do, of several claims each must hold. */
function pins(value: string, context: z.RefinementCtx): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const entry of list(value)) {
    const at = entry.indexOf(':');
    // A claim's name may be an address, as Slack's are: the value stands behind the last colon that is no scheme's.
    const split = entry.startsWith('http') ? entry.lastIndexOf(':') : at;
    const [claim, wanted] = [entry.slice(0, split), entry.slice(split + 1)];
    if (split < 1 || wanted === '') {
      context.addIssue({ code: 'custom', message: 'must be claim:value, several separated by commas' });
      return z.NEVER;
    }
    found[claim] = [...(found[claim] ?? []), wanted];
  }
  return found;
}

function isHost(value: string): boolean {
  return isIP(value.replace(/^\[(.*)\]$/u, '$1')) !== 0 || /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9][a-z0-9-]{0,62})*$/iu.test(value);
}

/** `address` or `Name <address>`, without what would mean something else in a header (RFC 5322, section 3.4). */
function isSender(value: string): boolean {
  const address = /^[^"<>\r\n]*<([^<>]+)>$/u.exec(value)?.[1] ?? value;
  return /^[^\s<>"(),:;@[\\\]]{1,64}@[\p{L}\p{N}](?:[\p{L}\p{N}.-]*[\p{L}\p{N}])?$/u.test(address);
}

function isSafeUrl(value: string): boolean {
  const url = parseUrl(value);
  return (
    url !== undefined && url.username === '' && url.password === '' && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname)))
  );
}

function origin(value: string, context: z.RefinementCtx): string {
  const url = parseUrl(value);
  const plain =
    url !== undefined &&
    /^https?:$/u.test(url.protocol) &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.password === '';
  if (plain) return url.origin;
  context.addIssue({ code: 'custom', message: 'must be an http or https origin without path, query or credentials' });
  return z.NEVER;
}

/** `kid:base64,…` with 32 bytes each. Base64 must be canonical, so that one key has one spelling. */
function isKeyring(value: string): boolean {
  const remote = list(value).filter((entry) => /^(aws-kms:arn:|gcp-kms:projects\/|vault:)[^=\s]+$/u.test(entry));
  const local = list(value).filter((entry) => !remote.includes(entry));
  if (remote.length > 0 && new Set(remote).size === remote.length && local.length === 0) return true;
  const entries = local.map((entry) => /^([A-Za-z0-9_-]{1,64}):([A-Za-z0-9+/]{43}=)$/u.exec(entry));
  const kids = entries.map((entry) => entry?.[1]);
  return (
    entries.length > 0 &&
    new Set(remote).size === remote.length &&
    new Set(kids).size === kids.length &&
    entries.every(
      (entry) => entry?.[2] !== undefined && Buffer.from(entry[2], 'base64').toString('base64') === entry[2] && Buffer.from(entry[2], 'base64').length === 32,
    )
  );
}

/** An address, or a block in CIDR notation. */
function isBlock(entry: string): boolean {
  const [base = '', bits, ...rest] = entry.split('/');
  const family = isIP(base);
  return rest.length === 0 && family !== 0 && (bits === undefined || (/^\d{1,3}$/u.test(bits) && Number(bits) <= (family === 6 ? 128 : 32)));
}

/** Shape only; the guard of deliveries parses and compares addresses. */
function isAllowed(entry: string): boolean {
  const [, bracketed, bare, port] = /^(?:\[([^\]]+)\]|([^[\]]+?))(?::(\d{1,5}))?$/u.exec(entry) ?? [];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return false;
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  if (isIP(entry) !== 0) return true;
  const [base, bits, ...rest] = entry.split('/');
  const family = isIP(base ?? '');
  if (bits !== undefined) return rest.length === 0 && family !== 0 && /^\d{1,3}$/u.test(bits) && Number(bits) <= (family === 6 ? 128 : 32);
  return bare !== undefined && isHost(bare);
}

function list(value: string): string[] {
  return value.split(/[\s,]+/u).filter((entry) => entry !== '');
}

function parseUrl(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined;
}
