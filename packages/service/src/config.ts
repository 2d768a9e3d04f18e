import { resolve } from 'node:path';

import { type GitPolicy, gitPolicyOf } from './git-policy.js';
import { isLoopbackHost } from './loopback.js';
import { Secret } from './secret.js';
import { readVariables, type Variables, variableNames } from './config-variables.js';

/** The parts of Countersign that a process may run; all of them by default. */
export const ROLES = ['intake', 'slack-bot', 'teams-bot', 'mail', 'decisions'] as const;
export type Role = (typeof ROLES)[number];

/** Everything that the environment decides, read once at the start. Secrets are wrapped so that printing the tree shows none. */
export interface Config {
  readonly roles: readonly Role[];
  /** Whether this process runs every role, so that nothing has to travel between processes. */
  readonly allRoles: boolean;
  /** An example directory, policy and key are made, and the service answers on loopback only. */
  readonly quickstart: boolean;
  /** Absolute. */
  readonly home: string;
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** An origin, without a slash at the end. */
    readonly publicUrl: string;
    /** Lets a bearer read /metrics from elsewhere; without it only loopback may. */
    readonly metricsToken?: Secret;
  };
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly database: { readonly kind: 'embedded' } | { readonly kind: 'external'; readonly url: Secret; readonly migrateUrl?: Secret };
  readonly redisUrl?: Secret;
  /** `kid:base64,…`, the first is active; its form was checked. Absent: made in the home (embedded database only). */
  readonly masterKey?: Secret;
  readonly policyPath?: string;
  /** Instead of a path. */
  readonly policyGit?: GitPolicy;
  /** A file of allowed signers (ssh-keygen): commits of the policy must be signed by one of them. */
  readonly policySigners?: string;
  /** How often file, folder or repository are looked at. */
  readonly policyPollSeconds: number;
  /** Whether what comes from there is held against what is in force, as an upload is. */
  readonly policyGated: boolean;
  /** When a change of the configuration needs a second administrator. */
  readonly fourEyes: 'auto' | 'always' | 'off';
  readonly directoryPath?: string;
  /** Trust rules for workload tokens. */
  readonly trustPath?: string;
  /** Whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** For each API key; absent: no limit. */
  readonly rateLimit?: { readonly requests: number; readonly seconds: number };
  /** PEM files; absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
  /** Where trusted proxies write the client certificate, in lower case. */
  readonly clientCertHeader?: string;
  readonly slack?: {
    /** The one workspace whose token the operator gives; absent: workspaces are installed by OAuth alone. */
    readonly botToken?: Secret;
    /** Lets administrators install further workspaces. */
    readonly oauth?: { readonly clientId: string; readonly clientSecret: Secret };
    readonly signingSecret?: Secret;
    /** Socket mode. */
    readonly appToken?: Secret;
    readonly apiUrl?: string;
    readonly channel?: string;
  };
  /** Services that keep schedules of who is on call, which policy may name. */
  readonly onCall: {
    readonly pagerduty?: { readonly token: Secret; readonly apiUrl?: string };
    readonly opsgenie?: { readonly token: Secret; readonly apiUrl?: string };
  };
  readonly teams?: {
    /** Off: any loopback peer may speak for Teams; for the local playground. */
    readonly auth: 'on' | 'off';
    readonly appType: 'MultiTenant' | 'SingleTenant' | 'UserAssignedMSI';
    readonly appId?: string;
    readonly appPassword?: Secret;
    /** The tenants that count. */
    readonly tenantIds: readonly string[];
    readonly openIdMetadataUrl?: string;
    readonly graphUrl?: string;
  };
  /** Whether chat platforms are asked who is away, as a hint in reminders. */
  readonly readAbsence: boolean;
  /** Where mail goes out; absent: nobody is mailed. */
  readonly mail?: {
    /** smtp:// or smtps://, with user and password. */
    readonly smtpUrl: Secret;
    readonly from: string;
    /** A PEM file. */
    readonly ca?: string;
  };
  readonly oidc?: {
    readonly issuer: string;
    readonly clientId: string;
    readonly clientSecret?: Secret;
    /** Absent: the issuer tells. */
    readonly preset?: 'generic' | 'entra' | 'google' | 'okta';
    /** Claims that the ID token must carry, each with one of these values. */
    readonly pins: Readonly<Record<string, readonly string[]>>;
    readonly scopes: readonly string[];
    readonly groupsClaim?: string;
    /** Whether somebody whom the directory does not know is added to it. */
    readonly jit: boolean;
  };
  /** Sign in with Slack, which proves a Slack account when it is linked. */
  readonly slackSignIn?: { readonly issuer: string; readonly clientId: string; readonly clientSecret: Secret };
  /** How long a newly linked chat account waits until it may decide. */
  readonly linkCooldownSeconds: number;
  readonly chatLink: 'proof' | 'email';
  /** The AAGUIDs of the authenticators that may be enrolled; empty: all, and no attestation is asked for. */
  readonly passkeyMakes: readonly string[];
  /** What may be called back though private. Undefined: not configured (the quickstart then allows loopback); empty: nothing private. */
  readonly callbackAllow?: readonly string[];
}

/** One wrong variable, in words that hold no value of it. */
export interface ConfigProblem {
  readonly variable: string;
  readonly problem: string;
  readonly fix: string;
}

export type ConfigResult = { readonly ok: true; readonly config: Config } | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/**
 * Reads the whole configuration, and names everything that is wrong with it at once.
 *
 * A variable that is set but empty counts as absent (compose files write `VAR=`), except COUNTERSIGN_CALLBACK_ALLOW, where empty means "nothing private".
 *
 * @param roleNames what `--role` named, none for all roles.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, roleNames: readonly string[] = []): ConfigResult {
  const { values, problems } = readVariables(env);
  const roles = readRoles(roleNames, problems);
  // A rule looks at what was set, also where the value is wrong, so that one mistake does not cause a second message.
  const has = (name: keyof Variables): boolean => (env[name] ?? '').trim() !== '';
  const quickstart =
    !has('COUNTERSIGN_DIRECTORY') &&
    !has('COUNTERSIGN_POLICY') &&
    !has('DATABASE_URL') &&
    !has('OIDC_ISSUER') &&
    (!has('HOST') || isLoopbackHost((env['HOST'] ?? '').trim()));
  const host = values.HOST ?? (quickstart ? '127.0.0.1' : '0.0.0.0');
  const allRoles = roles.length === ROLES.length;

  problems.push(
    ...missingPeople(has, quickstart),
    ...databaseProblems(has, allRoles),
    ...slackProblems(has),
    ...teamsProblems(has, values, host),
    ...mailProblems(has),
    ...oidcProblems(has, values),
    ...tlsProblems(has),
  );
  if (problems.length > 0) return { ok: false, problems: inOrder(problems) };

  const port = values.PORT ?? 8080;
  const policyGit = values.COUNTERSIGN_POLICY === undefined ? null : gitPolicyOf(values.COUNTERSIGN_POLICY);
  return {
    ok: true,
    config: {
      roles,
      allRoles,
      quickstart,
      home: resolve(values.COUNTERSIGN_HOME ?? '.countersign'),
      http: {
        host,
        port,
        publicUrl: values.PUBLIC_URL ?? `${values.TLS_CERT === undefined ? 'http' : 'https'}://localhost:${port}`,
        ...given('metricsToken', secret(values.METRICS_TOKEN)),
      },
      logLevel: values.LOG_LEVEL ?? (quickstart ? 'warn' : 'info'),
      database:
        values.DATABASE_URL === undefined
          ? { kind: 'embedded' }
          : { kind: 'external', url: new Secret(values.DATABASE_URL), ...given('migrateUrl', secret(values.MIGRATE_DATABASE_URL)) },
      ...given('redisUrl', secret(values.REDIS_URL)),
      ...given('masterKey', secret(values.COUNTERSIGN_MASTER_KEY)),
      ...given('policyPath', policyGit === null ? path(values.COUNTERSIGN_POLICY) : undefined),
      ...given('policyGit', policyGit ?? undefined),
      ...given('policySigners', path(values.COUNTERSIGN_POLICY_SIGNERS)),
      policyPollSeconds: values.COUNTERSIGN_POLICY_POLL_SECONDS ?? 30,
      policyGated: values.COUNTERSIGN_POLICY_GATED === 'on',
      fourEyes: values.COUNTERSIGN_FOUR_EYES ?? 'auto',
      ...given('directoryPath', path(values.COUNTERSIGN_DIRECTORY)),
      ...given('trustPath', path(values.COUNTERSIGN_TRUST)),
      trustedProxies: values.TRUSTED_PROXIES ?? [],
      ...given('rateLimit', values.COUNTERSIGN_RATE_LIMIT),
      ...given('tls', tlsOf(values)),
      ...given('clientCertHeader', values.CLIENT_CERT_HEADER?.toLowerCase()),
      ...given('slack', slackOf(values)),
      onCall: {
        ...given('pagerduty', onCallService(values.PAGERDUTY_TOKEN, values.PAGERDUTY_API_URL)),
        ...given('opsgenie', onCallService(values.OPSGENIE_TOKEN, values.OPSGENIE_API_URL)),
      },
      ...given('teams', teamsOf(values)),
      ...given('mail', mailOf(values)),
      ...given('oidc', oidcOf(values)),
      ...given('slackSignIn', slackSignInOf(values)),
      readAbsence: values.COUNTERSIGN_READ_ABSENCE === 'on',
      linkCooldownSeconds: values.COUNTERSIGN_LINK_COOLDOWN_SECONDS ?? 0,
      chatLink: values.COUNTERSIGN_CHAT_LINK ?? (quickstart ? 'email' : 'proof'),
      passkeyMakes: values.COUNTERSIGN_PASSKEY_MAKES ?? [],
      ...given('callbackAllow', values.COUNTERSIGN_CALLBACK_ALLOW),
    },
  };
}

function tlsOf({ TLS_CERT: cert, TLS_KEY: key, TLS_CLIENT_CA: clientCa }: Partial<Variables>): Config['tls'] {
  if (cert === undefined || key === undefined) return undefined;
  return { cert: resolve(cert), key: resolve(key), ...given('clientCa', path(clientCa)) };
}

function tlsProblems(has: (name: keyof Variables) => boolean): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (has('TLS_CERT') !== has('TLS_KEY'))
    problems.push({ variable: has('TLS_CERT') ? 'TLS_KEY' : 'TLS_CERT', problem: 'is missing', fix: 'TLS_CERT and TLS_KEY belong together.' });
  if (has('TLS_CLIENT_CA') && !has('TLS_CERT'))
    problems.push({ variable: 'TLS_CERT', problem: 'is missing', fix: 'Client certificates are shown to who speaks TLS: give TLS_CERT and TLS_KEY.' });
  if (has('CLIENT_CERT_HEADER') && !has('TRUSTED_PROXIES'))
    problems.push({
      variable: 'TRUSTED_PROXIES',
      problem: 'is missing',
      fix: 'Name the proxies whose CLIENT_CERT_HEADER is true: from anybody else it would be a forgery.',
    });
  return problems;
}

function readRoles(names: readonly string[], problems: ConfigProblem[]): readonly Role[] {
  if (names.length === 0) return ROLES;
  const unknown = names.filter((name) => !ROLES.some((role) => role === name));
  if (unknown.length > 0) {
    problems.push({
      variable: '--role',
      problem: `there is no role ${unknown.map((name) => JSON.stringify(name)).join(', ')}`,
      fix: `Use one or more of ${ROLES.join(', ')}, or leave --role out for all of them.`,
    });
    // What follows from the roles cannot be judged.
    return ROLES;
  }
  return ROLES.filter((role) => names.includes(role));
}

type Has = (name: keyof Variables) => boolean;

function missingPeople(has: Has, quickstart: boolean): ConfigProblem[] {
  if (quickstart || has('COUNTERSIGN_DIRECTORY') || has('OIDC_ISSUER')) return [];
  return [
    {
      variable: 'COUNTERSIGN_DIRECTORY',
      problem: 'there is no source of people, so nobody could approve anything',
      fix:
        'Set COUNTERSIGN_DIRECTORY to a file of people and groups, or OIDC_ISSUER and OIDC_CLIENT_ID for your identity provider. ' +
        'For a quickstart with example people, leave COUNTERSIGN_DIRECTORY, COUNTERSIGN_POLICY, DATABASE_URL and OIDC_ISSUER unset, and HOST unset or loopback.',
    },
  ];
}

function databaseProblems(has: Has, allRoles: boolean): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (has('DATABASE_URL') && !has('COUNTERSIGN_MASTER_KEY')) {
    problems.push({
      variable: 'COUNTERSIGN_MASTER_KEY',
      problem: 'is missing, and with DATABASE_URL it is never made up: a second machine could not read what the first sealed',
      fix: 'Make one with: echo "k1:$(openssl rand -base64 32)" and keep it outside the database.',
    });
  }
  if (has('MIGRATE_DATABASE_URL') && !has('DATABASE_URL')) {
    problems.push({
      variable: 'MIGRATE_DATABASE_URL',
      problem: 'is set without DATABASE_URL',
      fix: 'Set DATABASE_URL too, or neither for the embedded PostgreSQL.',
    });
  }
  // The embedded server belongs to the process that starts it; a second one would find its data folder locked.
  if (!allRoles && !has('DATABASE_URL')) {
    problems.push({
      variable: 'DATABASE_URL',
      problem: 'is missing, and the embedded PostgreSQL serves one process that runs every role',
      fix: 'Set DATABASE_URL to a PostgreSQL that all processes reach, or leave --role out.',
    });
  }
  return problems;
}

function slackProblems(has: Has): ConfigProblem[] {
  if (!has('SLACK_BOT_TOKEN')) {
    const lonely = (['SLACK_SIGNING_SECRET', 'SLACK_APP_TOKEN'] as const).filter(has);
    // Half a client is its own problem.
    if (lonely.length === 0 || has('SLACK_CLIENT_ID') || has('SLACK_CLIENT_SECRET')) return [];
    return [
      {
        variable: 'SLACK_BOT_TOKEN',
        problem: `is missing, though ${lonely.join(' and ')} is set`,
        fix: 'Set it to the bot token of the Slack app (xoxb-…), or SLACK_CLIENT_ID and SLACK_CLIENT_SECRET to install workspaces by OAuth; or unset the others to leave Slack off.',
      },
    ];
  }
  if (has('SLACK_SIGNING_SECRET') || has('SLACK_APP_TOKEN')) return [];
  return [
    {
      variable: 'SLACK_SIGNING_SECRET',
      problem: 'is missing, so nothing that Slack sends could be verified',
      fix: "Set SLACK_SIGNING_SECRET from the app's Basic Information page, or SLACK_APP_TOKEN for socket mode.",
    },
  ];
}

function teamsProblems(has: Has, values: Partial<Variables>, host: string): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (values.TEAMS_AUTH === 'off' && !isLoopbackHost(host)) {
    problems.push({
      variable: 'TEAMS_AUTH',
      problem: 'is off, which lets anyone who reaches the port speak for Teams',
      fix: 'Unset TEAMS_AUTH, or set HOST=127.0.0.1 for the local playground.',
    });
  }
  if (!has('MicrosoftAppId')) {
    if (has('MicrosoftAppPassword'))
      problems.push({
        variable: 'MicrosoftAppId',
        problem: 'is missing, though MicrosoftAppPassword is set',
        fix: 'Set it to the application (client) id of the bot registration.',
      });
    return problems;
  }
  if (!has('MicrosoftAppPassword') && values.MicrosoftAppType !== 'UserAssignedMSI' && values.TEAMS_AUTH !== 'off') {
    problems.push({
      variable: 'MicrosoftAppPassword',
      problem: 'is missing',
      fix: 'Set it to a client secret of the bot registration, or MicrosoftAppType=UserAssignedMSI.',
    });
  }
  if (!has('MicrosoftAppTenantId') && values.TEAMS_AUTH !== 'off') {
    problems.push({
      variable: 'MicrosoftAppTenantId',
      problem: 'is missing, so no press from Teams would count',
      fix: 'Set it to the directory (tenant) id whose people may decide; separate several by commas.',
    });
  }
  return problems;
}

function mailProblems(has: Has): ConfigProblem[] {
  if (has('SMTP_URL') === has('MAIL_FROM') && (has('SMTP_URL') || !has('SMTP_CA'))) return [];
  return has('SMTP_URL')
    ? [
        {
          variable: 'MAIL_FROM',
          problem: 'is missing, though SMTP_URL is set',
          fix: 'Set it to the address that mails come from, as Countersign <approvals@example.com>.',
        },
      ]
    : [
        {
          variable: 'SMTP_URL',
          problem: `is missing, though ${has('MAIL_FROM') ? 'MAIL_FROM' : 'SMTP_CA'} is set`,
          fix: 'Set it to the mail server, as smtp://user:password@host:587, or unset the others.',
        },
      ];
}

function oidcProblems(has: Has, values: Partial<Variables>): ConfigProblem[] {
  if (has('SLACK_CLIENT_ID') !== has('SLACK_CLIENT_SECRET')) {
    const missing = has('SLACK_CLIENT_ID') ? 'SLACK_CLIENT_SECRET' : 'SLACK_CLIENT_ID';
    return [
      { variable: missing, problem: 'is missing, though the other half is set', fix: "Copy both from the Slack app's Basic Information page, or unset both." },
    ];
  }
  if (has('OIDC_ISSUER') && !has('OIDC_CLIENT_ID'))
    return [{ variable: 'OIDC_CLIENT_ID', problem: 'is missing', fix: 'Set it to the client id that the identity provider gave to Countersign.' }];
  if (has('OIDC_ISSUER')) return tenantProblems(values);
  const lonely = (['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_PRESET', 'OIDC_PIN', 'OIDC_SCOPES', 'OIDC_GROUPS_CLAIM', 'OIDC_JIT'] as const).filter(has);
  if (lonely.length === 0) return [];
  return [
    {
      variable: 'OIDC_ISSUER',
      problem: `is missing, though ${lonely.join(' and ')} is set`,
      fix: 'Set it to the issuer URL of the identity provider, or unset the others.',
    },
  ];
}

/** An issuer that serves everybody must be pinned to one organisation: else anybody's account has a token for us. */
function tenantProblems({ OIDC_ISSUER: issuer, OIDC_PRESET: preset, OIDC_PIN: pinned = {} }: Partial<Variables>): ConfigProblem[] {
  if (issuer === undefined) return [];
  const { hostname, pathname } = new URL(issuer);
  if ((preset === 'google' || hostname === 'accounts.google.com') && pinned['hd'] === undefined)
    return [
      { variable: 'OIDC_PIN', problem: 'does not name the hosted domain, so any Google account could sign in', fix: 'Set OIDC_PIN=hd:your-domain.example.' },
    ];
  const entra = preset === 'entra' || hostname.startsWith('login.microsoftonline.') || hostname.startsWith('login.partner.microsoftonline.');
  const oneTenant = /^\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\/v2\.0\/?$/iu.test(pathname);
  if (entra && /^\/(common|organizations|consumers)(\/|$)/iu.test(pathname))
    return [{ variable: 'OIDC_ISSUER', problem: 'names every Entra tenant', fix: 'Use https://login.microsoftonline.com/<tenant id>/v2.0.' }];
  if (entra && !oneTenant && pinned['tid'] === undefined)
    return [{ variable: 'OIDC_PIN', problem: 'does not name the tenant', fix: 'Set OIDC_PIN=tid:<tenant id>, or the issuer with the tenant id in it.' }];
  return [];
}

function slackOf(values: Partial<Variables>): Config['slack'] | undefined {
  const { SLACK_CLIENT_ID: clientId, SLACK_CLIENT_SECRET: clientSecret } = values;
  const oauth = clientId === undefined || clientSecret === undefined ? undefined : { clientId, clientSecret: new Secret(clientSecret) };
  // The client's id and secret alone are for Sign in with Slack.
  const reachable = values.SLACK_SIGNING_SECRET !== undefined || values.SLACK_APP_TOKEN !== undefined;
  if (values.SLACK_BOT_TOKEN === undefined && (oauth === undefined || !reachable)) return undefined;
  return {
    ...given('botToken', secret(values.SLACK_BOT_TOKEN)),
    ...given('oauth', oauth),
    ...given('signingSecret', secret(values.SLACK_SIGNING_SECRET)),
    ...given('appToken', secret(values.SLACK_APP_TOKEN)),
    ...given('apiUrl', values.SLACK_API_URL),
    ...given('channel', values.SLACK_CHANNEL),
  };
}

function onCallService(token: string | undefined, apiUrl: string | undefined): Config['onCall']['pagerduty'] {
  return token === undefined ? undefined : { token: new Secret(token), ...given('apiUrl', apiUrl?.replace(/\/+$/u, '')) };
}

function teamsOf(values: Partial<Variables>): Config['teams'] | undefined {
  if (values.MicrosoftAppId === undefined && values.TEAMS_AUTH !== 'off') return undefined;
  return {
    auth: values.TEAMS_AUTH ?? 'on',
    appType: values.MicrosoftAppType ?? 'MultiTenant',
    ...given('appId', values.MicrosoftAppId),
    ...given('appPassword', secret(values.MicrosoftAppPassword)),
    tenantIds: values.MicrosoftAppTenantId ?? [],
    ...given('openIdMetadataUrl', values.TEAMS_OPENID_METADATA_URL),
    ...given('graphUrl', values.TEAMS_GRAPH_URL),
  };
}

function mailOf({ SMTP_URL: smtpUrl, MAIL_FROM: from, SMTP_CA: ca }: Partial<Variables>): Config['mail'] | undefined {
  return smtpUrl === undefined || from === undefined ? undefined : { smtpUrl: new Secret(smtpUrl), from, ...given('ca', path(ca)) };
}

function oidcOf(values: Partial<Variables>): Config['oidc'] | undefined {
  if (values.OIDC_ISSUER === undefined || values.OIDC_CLIENT_ID === undefined) return undefined;
  return {
    issuer: values.OIDC_ISSUER,
    clientId: values.OIDC_CLIENT_ID,
    ...given('clientSecret', secret(values.OIDC_CLIENT_SECRET)),
    ...given('preset', values.OIDC_PRESET),
    pins: values.OIDC_PIN ?? {},
    scopes: values.OIDC_SCOPES ?? ['email', 'profile'],
    ...given('groupsClaim', values.OIDC_GROUPS_CLAIM),
    jit: values.OIDC_JIT === 'on',
  };
}

function slackSignInOf(values: Partial<Variables>): Config['slackSignIn'] | undefined {
  const { SLACK_CLIENT_ID: clientId, SLACK_CLIENT_SECRET: clientSecret } = values;
  if (clientId === undefined || clientSecret === undefined) return undefined;
  return { issuer: values.SLACK_OIDC_ISSUER ?? 'https://slack.com', clientId, clientSecret: new Secret(clientSecret) };
}

function secret(value: string | undefined): Secret | undefined {
  return value === undefined ? undefined : new Secret(value);
}

function path(value: string | undefined): string | undefined {
  return value === undefined ? undefined : resolve(value);
}

/** An optional member: there, or absent (exactOptionalPropertyTypes tells that from undefined). */
function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  // The computed key widens to string, though it is K.
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}

/** In the order of the documentation, the command line first. */
function inOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const place = ({ variable }: ConfigProblem): number => variableNames.findIndex((name) => name === variable);
  return problems.toSorted((a, b) => place(a) - place(b));
}

/** The problems as text for a terminal, a line each. */
export function describeProblems(problems: readonly ConfigProblem[]): string {
  return problems.map(({ variable, problem, fix }) => `${variable} ${problem}. ${fix}`).join('\n');
}
