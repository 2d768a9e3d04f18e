import { isLoopbackAddress } from '@countersign/service';
import type { TeamsBotConfig } from './config.js';

/**
 * Where Teams' connectors live. The serviceUrl of an activity names the host that our calls, and our token, go to, so that
 * only these are believed, whoever signed it. Sources: Microsoft Teams documentation, "Send proactive messages"
 * (public, GCC, GCC High, DoD).
 */
const TEAMS_HOSTS = /^(?:smba\.trafficmanager\.net|(?:[a-z0-9-]+\.)+teams\.microsoft\.(?:com|us))$/;

/** Whether a serviceUrl is one that we call. Beside Teams' own: the host of a configured metadata URL; loopback, where that one is or where authentication is off. */
export function isKnownService(serviceUrl: string, config: Pick<TeamsBotConfig, 'auth' | 'openIdMetadataUrl'>): boolean {
  if (!URL.canParse(serviceUrl)) return false;
  const url = new URL(serviceUrl);
  if (url.username !== '' || url.password !== '') return false;
  if (config.auth === 'off') return isLoopbackUrl(url);
  if (isLoopbackMetadata(config)) return isLoopbackUrl(url) || isTeams(url);
  return isTeams(url) || (url.protocol === 'https:' && config.openIdMetadataUrl !== undefined && url.host === new URL(config.openIdMetadataUrl).host);
}

/** Whether keys come from this machine: a rig for tests, which takes no token of Microsoft's. */
export function isLoopbackMetadata({ openIdMetadataUrl }: Pick<TeamsBotConfig, 'openIdMetadataUrl'>): boolean {
  return openIdMetadataUrl !== undefined && isLoopbackUrl(new URL(openIdMetadataUrl));
}

function isTeams(url: URL): boolean {
  return url.protocol === 'https:' && url.port === '' && TEAMS_HOSTS.test(url.hostname);
}

/** `localhost` itself and literal addresses: what a resolver makes of other names under .localhost is not known. */
function isLoopbackUrl(url: URL): boolean {
  return (url.protocol === 'http:' || url.protocol === 'https:') && (url.hostname === 'localhost' || isLoopbackAddress(url.hostname.replace(/^\[|\]$/g, '')));
}

/**
 * Where a tenant is reached of which nothing was heard yet; null where only the tenant itself can say: in other clouds and at rigs. Source:
 * Microsoft Teams documentation, "Send proactive messages".
 */
export function worldwideServiceUrl({ auth, openIdMetadataUrl }: Pick<TeamsBotConfig, 'auth' | 'openIdMetadataUrl'>): string | null {
  const worldwide = openIdMetadataUrl === undefined || new URL(openIdMetadataUrl).host === 'login.botframework.com';
  return auth === 'on' && worldwide ? 'https://smba.trafficmanager.net/teams/' : null;
}
