import { isIP } from 'node:net';

/** Whether a host name or literal address (with or without the brackets of a URL) stays on this machine: RFC 6761 §6.3, RFC 1122 §3.2.1.3, RFC 4291 §2.5.3. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[|\]$/gu, '').toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || isLoopbackAddress(name);
}

/** Whether the address of a peer is loopback, also where IPv4 arrives mapped into IPv6. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/u, '');
  return (isIP(plain) === 4 && plain.startsWith('127.')) || plain === '::1';
}
