import { type AbsenceReader, PlatformError } from '@countersign/chat';
import type { CredentialsFactory } from './authentication.js';
import type { TeamsBotConfig } from './config.js';
import { isObject } from './incoming-activity.js';
import { isLoopbackMetadata } from './service-url.js';

/** Microsoft Graph of the public cloud. */
const GRAPH_URL = 'https://graph.microsoft.com';
const PATIENCE_MS = 10_000;

/** Whether presence is read: where it is asked for, and the app has an identity of its own that may be shown there. */
export function readsAbsence(config: Pick<TeamsBotConfig, 'auth' | 'graphUrl' | 'openIdMetadataUrl' | 'readAbsence'>): boolean {
  // A rig takes no token of Microsoft's, and gets none.
  return config.readAbsence === true && config.auth === 'on' && (config.graphUrl !== undefined || !isLoopbackMetadata(config));
}

/**
 * Whether Microsoft 365 says that a person is out of office, by their presence. Needs the application permission Presence.Read.All; it does not
 * say until when. Source: learn.microsoft.com/graph/api/presence-get, and the resource type presence.
 */
export function teamsAbsence(config: Pick<TeamsBotConfig, 'appId' | 'graphUrl' | 'tenantIds'>, credentials: CredentialsFactory): AbsenceReader {
  const graph = (config.graphUrl ?? GRAPH_URL).replace(/\/$/, '');
  const own = config.tenantIds[0] ?? '';

  async function token(): Promise<string> {
    const made = await credentials.createCredentials(config.appId ?? '', graph, `https://login.microsoftonline.com/${own}`, true);
    // What botbuilder makes for itself has it, though the type that it is given out by does not say so.
    const holder: unknown = made;
    if (!isObject(holder) || typeof holder['getToken'] !== 'function') throw new PlatformError('refused', 'The credentials of the app give no token');
    const found: unknown = await Reflect.apply(holder['getToken'], holder, []);
    if (typeof found !== 'string') throw new PlatformError('refused', 'The credentials of the app give no token');
    return found;
  }

  return {
    async away({ workspace, user }) {
      // The app's own tenant alone: a token is for one.
      if (workspace.toLowerCase() !== own.toLowerCase()) return null;
      try {
        const response = await fetch(`${graph}/v1.0/users/${encodeURIComponent(user)}/presence`, {
          headers: { authorization: `Bearer ${await token()}`, accept: 'application/json' },
          signal: AbortSignal.timeout(PATIENCE_MS),
          redirect: 'error',
        });
        if (!response.ok) throw new PlatformError(response.status === 429 ? 'rate_limited' : 'refused', `Graph answers ${String(response.status)}`);
        const presence: unknown = await response.json();
        if (!isObject(presence)) return null;
        const settings = presence['outOfOfficeSettings'];
        const out = presence['activity'] === 'OutOfOffice' || (isObject(settings) && settings['isOutOfOffice'] === true);
        return out ? { until: null } : null;
      } catch (error) {
        if (error instanceof PlatformError) throw error;
        throw new PlatformError('unreachable', 'Graph does not say whether a person is away', { cause: error });
      }
    },
  };
}
