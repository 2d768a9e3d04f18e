import type { JsonObject } from '@countersign/contracts';
import type { RecordType } from '../../condition/value-type.js';
import { sorted, Unreadable } from '../inputs.js';
import { parseRange, reachesInternet } from './addresses.js';

export const MAX_URL = 8_192;
const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443, ftp: 21 };

export const URL_MEMBERS = {
  scheme: 'string',
  host: 'string',
  port: { optional: 'int' },
  path: 'string',
  query_names: { list: 'string' },
  userinfo: 'bool',
  fragment: 'bool',
  encrypted: 'bool',
  ip: 'bool',
  private: 'bool',
  idn: 'bool',
} as const satisfies RecordType['members'];

/**
 * Reads an absolute URL as the WHATWG standard does (url.spec.whatwg.org), and refuses what other readers of URLs take for another place:
 * backslashes, blanks and control characters, encoded slashes and dots in the path, characters behind which a host ends for some.
 */
export function readUrl(text: string): JsonObject {
  if (/[\u0000-\u0020\u007f-\u00a0\\\s]/.test(text))
    throw new Unreadable('the URL has blanks, backslashes or control characters, which readers of URLs treat differently');
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(text)) throw new Unreadable('it is no absolute URL with a host');
  if (!URL.canParse(text)) throw new Unreadable('it is no URL');
  const url = new URL(text);
  const authority = /^[^:]+:\/\/([^/?#]*)/.exec(text)?.[1] ?? '';
  if (/%/.test(authority.slice(authority.lastIndexOf('@') + 1)) || authority.split('@').length > 2)
    throw new Unreadable('the host in the URL is encoded, or not where it seems');
  if (/%(?:2f|5c|2e|00)/i.test(text.split(/[?#]/)[0] ?? '')) throw new Unreadable('the path has encoded slashes or dots, which servers treat differently');
  const scheme = url.protocol.slice(0, -1);
  if (!(scheme in PORTS)) checkOpaqueHost(url.hostname);
  const host = url.hostname.replace(/\.$/, '').toLowerCase();
  if (host === '' || host.endsWith('.') || host.includes('..')) throw new Unreadable('the URL has no host');
  const port = url.port === '' ? PORTS[scheme] : Number(url.port);
  const literal = host.startsWith('[') ? host.slice(1, -1) : /^[\d.]+$/.test(host) ? host : undefined;
  return {
    scheme,
    host,
    ...(port === undefined ? {} : { port }),
    path: url.pathname === '' ? '/' : url.pathname,
    query_names: sorted(url.searchParams.keys()),
    userinfo: authority.includes('@'),
    fragment: url.hash !== '' || text.includes('#'),
    encrypted: scheme === 'https' || scheme === 'wss',
    ip: literal !== undefined,
    private:
      literal === undefined
        ? /(?:^|\.)(?:localhost|local|internal|home\.arpa|localdomain)$/.test(host) || !host.includes('.')
        : !reachesInternet(parseRange(literal)),
    idn: host.split('.').some((label) => label.startsWith('xn--')),
  };
}

/** Only the schemes of the web have their hosts read and normalised by the standard. */
function checkOpaqueHost(host: string): void {
  if (!/^(?:[a-z0-9-]+\.)*[a-z0-9-]*[a-z][a-z0-9-]*\.?$/i.test(host)) throw new Unreadable('the host in the URL is not written plainly');
}
