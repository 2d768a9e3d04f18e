import type { IncomingHttpHeaders } from 'node:http';
import ipaddr from 'ipaddr.js';

/** The form of an allow-list's entry: an address, or a block in CIDR notation (RFC 4632, RFC 4291). */
export function isNetwork(text: string): boolean {
  return parse(text) !== null;
}

/**
 * Whether an address lies in one of the blocks. An empty list lets any address pass; an address or block that cannot be read lets none.
 * IPv4 in IPv6's clothes (`::ffff:10.0.0.1`) is IPv4.
 */
export function inNetworks(networks: readonly string[], address: string | null): boolean {
  if (networks.length === 0) return true;
  if (address === null || !ipaddr.isValid(address)) return false;
  const candidate = ipaddr.process(address);
  return networks.some((network) => {
    const block = parse(network);
    return block !== null && block[0].kind() === candidate.kind() && candidate.match(block[0], block[1]);
  });
}

/**
 * Where a request comes from: the peer; and behind trusted proxies the nearest address of X-Forwarded-For that is none of them. What stands
 * left of that was written by whoever sent it. Null where a trusted proxy says nothing that can be read.
 */
export function addressOf(peer: string | undefined, headers: IncomingHttpHeaders, trustedProxies: readonly string[]): string | null {
  if (peer === undefined || !ipaddr.isValid(withoutZone(peer))) return null;
  let address = withoutZone(peer);
  if (trustedProxies.length === 0 || !inNetworks(trustedProxies, address)) return address;
  const header = headers['x-forwarded-for'];
  const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').map((hop) => hop.trim());
  for (const hop of hops.toReversed()) {
    if (!ipaddr.isValid(hop)) return null;
    address = hop;
    if (!inNetworks(trustedProxies, address)) return address;
  }
  return address;
}

/** `fe80::1%eth0` */
const withoutZone = (address: string): string => address.replace(/%.*$/, '');

function parse(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] | null {
  try {
    if (text.includes('/')) {
      const [address, bits] = ipaddr.parseCIDR(text);
      return mapped(address, bits);
    }
    if (!isPlain(text)) return null;
    const address = ipaddr.process(text);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  } catch {
    return null;
  }
}

/** ipaddr.js also reads octal, hexadecimal and short spellings of IPv4; here there is one spelling. */
const isPlain = (text: string): boolean => text.includes(':') || ipaddr.IPv4.isValidFourPartDecimal(text);

function mapped(address: ipaddr.IPv4 | ipaddr.IPv6, bits: number): [ipaddr.IPv4 | ipaddr.IPv6, number] | null {
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) return bits >= 96 ? [address.toIPv4Address(), bits - 96] : null;
  return [address, bits];
}
