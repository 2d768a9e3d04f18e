import { ConfigurationBotFrameworkAuthentication, ConfigurationServiceClientCredentialFactory } from 'botbuilder';
import type { TeamsBotConfig } from './config.js';
import { isKnownService, isLoopbackMetadata } from './service-url.js';

/** What botbuilder needs to make a call of ours believable to Teams: a ServiceClientCredentialsFactory. */
export type CredentialsFactory = NonNullable<ConstructorParameters<typeof ConfigurationBotFrameworkAuthentication>[1]>;
export type Authenticated = Awaited<ReturnType<ConfigurationBotFrameworkAuthentication['authenticateRequest']>>;
type IncomingActivity = Parameters<ConfigurationBotFrameworkAuthentication['authenticateRequest']>[0];

export interface Authentication {
  /** For the adapter's own calls. */
  readonly framework: ConfigurationBotFrameworkAuthentication;
  /**
   * Who sent the activity; null where it is not Teams' for this bot.
   * @throws where the keys could not be read, so that nothing is known.
   */
  check(activity: IncomingActivity, authorization: string | undefined): Promise<Authenticated | null>;
}

const PUBLIC = { issuer: 'https://api.botframework.com', metadata: 'https://login.botframework.com/v1/.well-known/openidconfiguration' };
/** Source: botframework-connector, GovernmentConstants. */
const US_GOVERNMENT = { issuer: 'https://api.botframework.us', metadataHost: 'login.botframework.azure.us', channelService: 'https://botframework.azure.us' };

/**
 * botbuilder verifies the token's signature, audience and time (five minutes of tolerance). It leaves to us: tokens of the emulator and of
 * skills, tokens without an end, a body without serviceUrl, hosts that are not Teams', other channels of the same bot; and it tells a forged signature as a fault.
 */
export function createAuthentication(config: TeamsBotConfig, credentials?: CredentialsFactory): Authentication {
  // Without an id botbuilder switches its checks off.
  if (config.auth === 'on' && !config.appId) throw new TypeError('MicrosoftAppId is missing');
  const government = config.openIdMetadataUrl !== undefined && new URL(config.openIdMetadataUrl).host === US_GOVERNMENT.metadataHost;
  const issuer = government ? US_GOVERNMENT.issuer : PUBLIC.issuer;
  const framework = new ConfigurationBotFrameworkAuthentication(
    settingsOf(config, government),
    config.auth === 'off' ? new ConfigurationServiceClientCredentialFactory({}) : (credentials ?? credentialsOf(config)),
  );
  return {
    framework,
    async check(activity, authorization) {
      if (!isKnownService(activity.serviceUrl, config)) return null;
      if (config.auth === 'off') return framework.authenticateRequest(activity, '');
      if (authorization === undefined || activity.channelId !== 'msteams') return null;
      // Before botbuilder looks at it: for other issuers it takes roads that check less, and it remembers issuers that nobody has verified.
      if (unverifiedIssuer(authorization) !== issuer) return null;
      const sender = await framework.authenticateRequest(activity, authorization).catch((error: unknown) => {
        if (isForged(error)) return null;
        throw error;
      });
      const claim = (name: string): string | null => sender?.claimsIdentity.getClaimValue(name) ?? null;
      // A token without an end would be good for ever: botbuilder judges the end where there is one.
      const ends = Number.isFinite(Number(claim('exp') ?? undefined));
      return ends && claim('iss') === issuer && claim('aud') === config.appId && claim('serviceurl') === activity.serviceUrl ? sender : null;
    },
  };
}

/** botbuilder takes its own settings as a whole: where one of them is set, those that are not are undefined, not their defaults. */
function settingsOf(config: TeamsBotConfig, government: boolean): Record<string, string | boolean> {
  if (config.auth === 'off') return {};
  const own = { MicrosoftAppId: config.appId ?? '', MicrosoftAppTenantId: config.tenantIds[0] ?? '' };
  if (config.openIdMetadataUrl === undefined || config.openIdMetadataUrl === PUBLIC.metadata) return own;
  if (government) return { ...own, ChannelService: US_GOVERNMENT.channelService };
  return {
    ...own,
    ChannelService: '',
    ValidateAuthority: true,
    ToChannelFromBotLoginUrl: `https://login.microsoftonline.com/${config.tenantIds[0] ?? 'botframework.com'}`,
    ToChannelFromBotOAuthScope: PUBLIC.issuer,
    ToBotFromChannelTokenIssuer: PUBLIC.issuer,
    OAuthUrl: PUBLIC.issuer,
    ToBotFromChannelOpenIdMetadataUrl: config.openIdMetadataUrl,
    ToBotFromEmulatorOpenIdMetadataUrl: config.openIdMetadataUrl,
  };
}

/** Where the keys come from this machine the service is a rig: no secret of ours is shown to it, and Microsoft is not asked for a token. */
function credentialsOf(config: TeamsBotConfig): CredentialsFactory {
  return isLoopbackMetadata(config) ? localCredentials(config.appId ?? '') : registeredCredentials(config);
}

/** By the bot's own registration: a client secret, or the managed identity of where it runs, by @azure/identity. */
export function registeredCredentials(config: TeamsBotConfig): CredentialsFactory {
  return new ConfigurationServiceClientCredentialFactory({
    MicrosoftAppId: config.appId ?? '',
    MicrosoftAppType: config.appType,
    ...(config.appType === 'UserAssignedMSI' ? {} : { MicrosoftAppPassword: config.appPassword ?? '' }),
    ...(config.tenantIds[0] === undefined ? {} : { MicrosoftAppTenantId: config.tenantIds[0] }),
  });
}

function localCredentials(appId: string): CredentialsFactory {
  const token = 'local';
  const credentials = {
    getToken: () => Promise.resolve(token),
    signRequest: <R extends { headers: { set(name: string, value: string): void } }>(request: R): Promise<R> => {
      request.headers.set('authorization', `Bearer ${token}`);
      return Promise.resolve(request);
    },
  };
  return {
    isValidAppId: (id) => Promise.resolve(id === appId),
    isAuthenticationDisabled: () => Promise.resolve(false),
    createCredentials: () => Promise.resolve(credentials),
  };
}

/** The issuer that a token claims; undefined where it is none. */
function unverifiedIssuer(authorization: string): unknown {
  const [, payload] = /^Bearer [\w-]+\.([\w-]+)\.[\w-]*$/.exec(authorization) ?? [];
  if (payload === undefined) return undefined;
  try {
    return Object(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))['iss'];
  } catch {
    return undefined;
  }
}

/** botbuilder's own error with 401, and those of jsonwebtoken, which come through as they are. */
function isForged(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ['JsonWebTokenError', 'NotBeforeError', 'TokenExpiredError'].includes(error.name) || ('statusCode' in error && error.statusCode === 401);
}
