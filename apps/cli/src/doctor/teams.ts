import type { Config } from '@countersign/service';
import { z } from 'zod';
import { messageOf } from '../cli-error.js';
import { type Check, fail, ok, warn } from './check.js';

type Teams = NonNullable<Config['teams']>;

const PATIENCE_MS = 10_000;
/** Tokens of Teams are good for an hour, and taken five minutes before and after: clocks further apart than this, in seconds, come near to that. */
const MOST_SKEW_SECONDS = 60;
const RESOURCE = 'https://api.botframework.com';
const PUBLIC_METADATA = 'https://login.botframework.com/v1/.well-known/openidconfiguration';
/** Source: botframework-connector, GovernmentConstants. */
const US_GOVERNMENT = { host: 'login.botframework.azure.us', issuer: 'https://api.botframework.us', entra: 'https://login.microsoftonline.us' };

/** The bot's registration as the service would use it: whether Entra knows it, whether Teams' keys can be read, whether Teams can reach us. */
export async function teamsChecks(
  { teams, http }: Pick<Config, 'http'> & { teams: Teams },
  options: { tokenUrl?: string | undefined; env: Env },
): Promise<Check[]> {
  if (teams.auth === 'off')
    return [
      warn(
        'Teams',
        'TEAMS_AUTH is off: any process of this machine speaks for everybody in Teams',
        'It is for the local playground; unset it and set MicrosoftAppId, MicrosoftAppPassword and MicrosoftAppTenantId for a real tenant.',
      ),
    ];
  const keys = await keysChecks(teams);
  return [registrationCheck(teams), await tokenCheck(teams, options), ...keys, await endpointCheck(http.publicUrl)];
}

type Env = Readonly<Record<string, string | undefined>>;

function registrationCheck({ appType, appId, tenantIds }: Teams): Check {
  const name = 'Teams bot';
  const says = `${appType} ${appId ?? '(no id)'}, people of ${tenantIds.join(', ')}`;
  return appType === 'MultiTenant'
    ? warn(name, says, 'Microsoft makes no new bots of this type since 31 July 2025; make a single-tenant one when you can.')
    : ok(name, says);
}

const tokenSchema = z.looseObject({ access_token: z.string().optional(), error: z.string().optional(), error_description: z.string().optional() });

/** Asks for the token that the bot's own calls carry. */
async function tokenCheck(teams: Teams, { tokenUrl, env }: { tokenUrl?: string | undefined; env: Env }): Promise<Check> {
  return teams.appType === 'UserAssignedMSI' ? identityTokenCheck(teams, env) : secretTokenCheck(teams, tokenUrl);
}

async function secretTokenCheck({ appType, appId = '', appPassword, tenantIds, openIdMetadataUrl }: Teams, tokenUrl: string | undefined): Promise<Check> {
  const name = 'Teams token';
  const government = openIdMetadataUrl !== undefined && new URL(openIdMetadataUrl).host === US_GOVERNMENT.host;
  // A bot of many tenants has its own in Microsoft's.
  const tenant = appType === 'MultiTenant' ? 'botframework.com' : (tenantIds[0] ?? '');
  const address = tokenUrl ?? `${government ? US_GOVERNMENT.entra : 'https://login.microsoftonline.com'}/${tenant}/oauth2/v2.0/token`;
  try {
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: appId,
      client_secret: appPassword?.reveal() ?? '',
      scope: `${government ? US_GOVERNMENT.issuer : RESOURCE}/.default`,
    });
    const answer = await fetch(address, { method: 'POST', body, redirect: 'error', signal: AbortSignal.timeout(PATIENCE_MS) });
    const { access_token, error = '', error_description = '' } = tokenSchema.parse(await answer.json());
    if (answer.ok && access_token !== undefined) return ok(name, `Entra gives the bot a token (${new URL(address).host})`);
    // AADSTS numbers are Entra's; its words name the tenant and the time, and no secret.
    const [number] = /AADSTS\d+/.exec(error_description) ?? [];
    return fail(
      name,
      `Entra gives none: ${[number, error].filter(Boolean).join(' ') || String(answer.status)}`,
      ADVICE[number ?? ''] ?? ADVICE[error] ?? SECRET,
    );
  } catch (error) {
    return fail(name, `${new URL(address).host} does not answer: ${messageOf(error)}`, 'Let this machine reach it: without a token nothing can be posted.');
  }
}

const SECRET = 'Make a new client secret under Certificates & secrets of the app registration, and set MicrosoftAppPassword to its value (not its id).';
/** Source: Microsoft Entra documentation, "Error codes". */
const ADVICE: Readonly<Record<string, string>> = {
  AADSTS7000215: SECRET,
  AADSTS7000222: `The secret is over. ${SECRET}`,
  AADSTS700016: 'The tenant knows no such application: compare MicrosoftAppId and MicrosoftAppTenantId with the Overview of the app registration.',
  AADSTS90002: 'There is no such tenant: set MicrosoftAppTenantId to the directory (tenant) id of the Overview of the app registration.',
  AADSTS7000229: 'The application has no service principal in the tenant: az ad sp create --id MicrosoftAppId, or register it in the portal.',
  AADSTS53003: 'A conditional access policy of the tenant refuses it: exclude the application, or allow the address of this machine.',
  invalid_client: SECRET,
};

/** As @azure/identity asks for it: App Service and Container Apps by their own variables, a virtual machine by IMDS. */
async function identityTokenCheck({ appId = '' }: Teams, env: Env): Promise<Check> {
  const name = 'Teams token';
  const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: secret, AZURE_POD_IDENTITY_AUTHORITY_HOST: host } = env;
  const service = endpoint !== undefined && secret !== undefined;
  const url = new URL(service ? endpoint : '/metadata/identity/oauth2/token', host ?? 'http://169.254.169.254');
  for (const [member, value] of Object.entries({ 'api-version': service ? '2019-08-01' : '2018-02-01', resource: RESOURCE, client_id: appId }))
    url.searchParams.set(member, value);
  const fix = 'Assign the user-assigned managed identity whose client id MicrosoftAppId is to this machine or app, and run the bot there.';
  try {
    const headers: Record<string, string> = service ? { 'x-identity-header': secret } : { metadata: 'true' };
    const answer = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(PATIENCE_MS) });
    const { access_token, error = '' } = tokenSchema.parse(await answer.json());
    return answer.ok && access_token !== undefined
      ? ok(name, `the managed identity gives the bot a token (${url.host})`)
      : fail(name, `the managed identity gives none: ${error || String(answer.status)}`, fix);
  } catch (error) {
    return fail(name, `${url.host} does not answer: ${messageOf(error)}`, fix);
  }
}

const metadataSchema = z.looseObject({ issuer: z.string(), jwks_uri: z.string() });
const keysSchema = z.looseObject({ keys: z.array(z.looseObject({ endorsements: z.array(z.string()).optional() })) });

/** The keys that Teams' calls are verified by, and its clock. */
async function keysChecks({ openIdMetadataUrl }: Teams): Promise<Check[]> {
  const name = 'Teams keys';
  const address = openIdMetadataUrl ?? PUBLIC_METADATA;
  const issuer = new URL(address).host === US_GOVERNMENT.host ? US_GOVERNMENT.issuer : RESOURCE;
  try {
    const answer = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok)
      return [
        fail(name, `${address} answered ${String(answer.status)}`, 'Unset TEAMS_OPENID_METADATA_URL for the public cloud; docs/teams.md has the others.'),
      ];
    const metadata = metadataSchema.parse(await answer.json());
    const published = await fetch(metadata.jwks_uri, { redirect: 'error', signal: AbortSignal.timeout(PATIENCE_MS) });
    const { keys } = keysSchema.parse(await published.json());
    const forTeams = keys.filter(({ endorsements }) => endorsements?.includes('msteams') ?? true);
    return [
      metadata.issuer !== issuer
        ? fail(
            name,
            `they are ${metadata.issuer}'s, not ${issuer}'s`,
            'Set TEAMS_OPENID_METADATA_URL to the address of the cloud that the bot is registered in.',
          )
        : forTeams.length === 0
          ? fail(name, `${metadata.jwks_uri} has none that may sign for Teams`, 'Nothing from Teams could be verified; try again later, then ask Microsoft.')
          : ok(name, `${String(forTeams.length)} published at ${new URL(address).host}`),
      clockCheck(answer.headers.get('date')),
    ];
  } catch (error) {
    return [
      fail(
        name,
        `${new URL(address).host} cannot be read: ${messageOf(error)}`,
        'Let this machine reach it: without the keys every press is answered with 503.',
      ),
    ];
  }
}

function clockCheck(date: string | null): Check {
  const name = 'Teams clock';
  const skew = Math.abs(Date.now() - Date.parse(date ?? '')) / 1000;
  if (Number.isNaN(skew)) return ok(name, 'Microsoft does not tell its time');
  return skew <= MOST_SKEW_SECONDS
    ? ok(name, "close to Microsoft's")
    : fail(name, `${String(Math.round(skew))} s from Microsoft's`, 'Synchronise this machine (NTP): from five minutes on every press is refused.');
}

/** Says something to our own endpoint that Teams would not: an answer of 401 is the bot's. */
async function endpointCheck(publicUrl: string): Promise<Check> {
  const name = 'Teams endpoint';
  const url = `${publicUrl}/api/messages`;
  const set = `Set the messaging endpoint of the Azure bot to ${url}.`;
  if (!publicUrl.startsWith('https:'))
    return fail(name, `${url} is not https, so Teams does not call it`, 'Put TLS before the service and set PUBLIC_URL; for a first try a tunnel will do.');
  return answerCheck(name, url, set);
}

/** What an unsigned post is answered with. Exported for tests, whose servers speak http. */
export async function answerCheck(name: string, url: string, set: string): Promise<Check> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"type":"message"}',
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    switch (answer.status) {
      case 401:
        return ok(name, `${url} answers, and takes nothing that Teams did not sign. ${set}`);
      case 403:
        return fail(name, `${url} runs with TEAMS_AUTH=off`, 'Restart the service without TEAMS_AUTH, and with MicrosoftAppId.');
      case 404:
        return fail(name, `${url} is not there`, 'Run the role teams-bot with MicrosoftAppId set, and let the proxy pass /api/messages to it.');
      case 421:
        return fail(name, `${url} is for another host than PUBLIC_URL says`, 'Set PUBLIC_URL of the running service to the address that people use.');
      default:
        return fail(
          name,
          `${url} answers ${String(answer.status)}, not 401`,
          answer.status >= 300 && answer.status < 400
            ? 'Something before the service redirects or asks for a sign-in; let /api/messages pass, for Teams cannot sign in.'
            : 'Look at what stands before the service; it has to pass the method, the body and the Authorization header.',
        );
    }
  } catch (error) {
    return fail(
      name,
      `${url} does not answer from here: ${messageOf(error)}`,
      'Start the service, or mend name, port and certificate; Teams calls from the internet.',
    );
  }
}
