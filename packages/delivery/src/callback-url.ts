/** Judges the form of a callback URL when a request is submitted; what a name leads to is judged at each connect. */
import { isDeniedPort, HOST_NAME, isLoopbackEntry, judgeAddress, portMatches, type AddressRefusal, type CallbackPolicy } from './address-guard.js';
import { isIP } from 'node:net';

export type CallbackUrlRefusal =
  | AddressRefusal
  | 'malformed_url'
  | 'url_too_long'
  | 'scheme_not_allowed'
  | 'credentials_in_url'
  | 'fragment_in_url'
  /** The host is not written the one way in which it will be used: another spelling of an address, a trailing dot, escapes, other scripts. */
  | 'host_spelling';

export type CallbackUrlCheck = { ok: true; /** As it will be requested. */ url: string } | { ok: false; reason: CallbackUrlRefusal; detail: string };

export const MAX_CALLBACK_URL_LENGTH = 2048;

/** Checks everything about a callback URL that can be known without a look-up. `detail` is for the caller. */
export function checkCallbackUrl(text: string, policy: CallbackPolicy): CallbackUrlCheck {
  if (text.length > MAX_CALLBACK_URL_LENGTH) return refuse('url_too_long', `a callback URL has at most ${MAX_CALLBACK_URL_LENGTH} characters`);
  // The URL parser drops tabs and line ends, trims spaces and reads a backslash as a slash; another parser may not.
  if (/[\u0000-\u0020\u007f-\u009f\\]/.test(text)) return refuse('malformed_url', 'the URL holds spaces, control characters or backslashes');
  if (!URL.canParse(text)) return refuse('malformed_url', 'not an absolute URL');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return refuse('scheme_not_allowed', 'a callback URL is https');
  const authority = /^https?:\/\/([^/?#]*)/i.exec(text)?.[1];
  if (!authority) return refuse('malformed_url', 'not an absolute URL');
  if (authority.includes('@')) return refuse('credentials_in_url', 'the URL holds a user name or password');
  if (text.includes('#')) return refuse('fragment_in_url', 'a fragment is never sent');

  const bracketed = url.hostname.startsWith('[');
  const host = bracketed ? url.hostname.slice(1, -1) : url.hostname;
  const written = /^(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/.exec(authority);
  if (!written) return refuse('malformed_url', 'the port is not a number');
  if (!bracketed && (written[1] ?? '').toLowerCase() !== host) return refuse('host_spelling', `write the host as ${host}`);
  if (!bracketed && isIP(host) === 0 && !HOST_NAME.test(host)) return refuse('host_spelling', 'the host is not a DNS name without a trailing dot');

  const https = url.protocol === 'https:';
  const port = url.port === '' ? (https ? 443 : 80) : Number(url.port);
  const refusal = isIP(host) === 0 ? judgeName(host, port, https, policy) : judgeLiteral(host, port, https, policy);
  return refusal ?? { ok: true, url: url.href };
}

function judgeLiteral(address: string, port: number, https: boolean, policy: CallbackPolicy): CallbackUrlCheck | undefined {
  const judged = judgeAddress({ address, hostname: address, port, https }, policy);
  return judged.ok ? undefined : judged;
}

/** What can be said about a name before it is looked up: it is refused where no answer could make it right. */
function judgeName(name: string, port: number, https: boolean, policy: CallbackPolicy): CallbackUrlCheck | undefined {
  const entries = policy.allow.filter((entry) => portMatches(entry, port));
  if (entries.some((entry) => entry.kind === 'host' && entry.host === name)) return undefined;
  const networks = entries.filter((entry) => entry.kind === 'network');
  if (isDeniedPort(port) && networks.length === 0) return refuse('port_not_allowed', `port ${port} belongs to another kind of service`);
  if (name === 'localhost' || name.endsWith('.localhost')) {
    // RFC 6761, section 6.3: always loopback.
    if ((policy.loopback && !isDeniedPort(port)) || networks.some(isLoopbackEntry)) return undefined;
    return refuse('address_not_public', `${name} is this machine`);
  }
  if (!https && networks.every(isLoopbackEntry)) return refuse('https_required', 'a callback URL is https');
  return undefined;
}

function refuse(reason: CallbackUrlRefusal, detail: string): CallbackUrlCheck {
  return { ok: false, reason, detail };
}
