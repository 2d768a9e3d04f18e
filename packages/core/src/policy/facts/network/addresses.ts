import { Unreadable } from '../inputs.js';

/** A range of addresses; `first` and `last` count from 0, inclusive. */
export interface AddressRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

const SIZE = { 4: 1n << 32n, 6: 1n << 128n } as const;

/** `::ffff:0:0/96`: IPv4 in the clothes of IPv6 (RFC 4291, section 2.5.5.2). */
const MAPPED = 0xffffn << 32n;

/**
 * Reads `10.0.0.0/8`, `10.0.0.1`, `2001:db8::/32`. Spellings that programs read differently are refused: octets with leading zeros, in octal or
 * hexadecimal, fewer than four of them, zones, and prefixes that are no plain number. Bits behind the prefix are ignored, as firewalls do.
 */
export function parseRange(text: string): AddressRange {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = address.includes(':') ? 6 : 4;
  const value = family === 6 ? parseIpv6(address) : parseIpv4(address);
  const bits = family === 6 ? 128 : 32;
  const length = prefix === undefined ? bits : /^(?:0|[1-9]\d{0,2})$/.test(prefix) ? Number(prefix) : undefined;
  if (value === undefined || length === undefined || length > bits || rest.length > 0) throw new Unreadable('an address range in it is not written plainly');
  const size = 1n << BigInt(bits - length);
  const first = value - (value % size);
  return withoutMapping({ family, first, last: first + size - 1n });
}

function withoutMapping(range: AddressRange): AddressRange {
  return range.family === 6 && range.first >= MAPPED && range.last < MAPPED + SIZE[4]
    ? { family: 4, first: range.first - MAPPED, last: range.last - MAPPED }
    : range;
}

function parseIpv4(text: string): bigint | undefined {
  const octets = text.split('.');
  if (octets.length !== 4 || !octets.every((octet) => /^(?:0|[1-9]\d{0,2})$/.test(octet) && Number(octet) < 256)) return undefined;
  return octets.reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = (half: string): bigint[] | undefined => {
    if (half === '') return [];
    const parts = half.split(':');
    const read: bigint[] = [];
    for (const [index, part] of parts.entries()) {
      if (index === parts.length - 1 && part.includes('.')) {
        const v4 = parseIpv4(part);
        if (v4 === undefined) return undefined;
        read.push(v4 >> 16n, v4 & 0xffffn);
      } else if (/^[0-9a-f]{1,4}$/i.test(part)) read.push(BigInt(`0x${part}`));
      else return undefined;
    }
    return read;
  };
  const before = groups(halves[0] ?? '');
  const after = halves.length === 2 ? groups(halves[1] ?? '') : [];
  if (before === undefined || after === undefined) return undefined;
  const missing = 8 - before.length - after.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  return [...before, ...Array.from({ length: missing }, () => 0n), ...after].reduce((sum, group) => sum * 65_536n + group, 0n);
}

/** Ranges put together, so that none overlaps or touches another: `0.0.0.0/1` and `128.0.0.0/1` are everything. */
export function union(ranges: readonly AddressRange[], family: 4 | 6): { first: bigint; last: bigint }[] {
  const joined: { first: bigint; last: bigint }[] = [];
  const own = ranges.flatMap((range) => (range.family === family ? [{ first: range.first, last: range.last }] : family === 4 ? mappedPart(range) : []));
  for (const range of own.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const before = joined.at(-1);
    if (before !== undefined && range.first <= before.last + 1n) before.last = range.last > before.last ? range.last : before.last;
    else joined.push(range);
  }
  return joined;
}

/** An IPv6 range wider than the mapped addresses contains all of IPv4 to a socket that listens on both. */
function mappedPart({ first, last }: AddressRange): { first: bigint; last: bigint }[] {
  const end = MAPPED + SIZE[4] - 1n;
  // But ::/0 means all of IPv6, and no IPv4, in every firewall there is.
  const everything = first === 0n && last === SIZE[6] - 1n;
  return first <= MAPPED && last >= end && !everything ? [{ first: 0n, last: SIZE[4] - 1n }] : [];
}

export const isEverything = (ranges: readonly { first: bigint; last: bigint }[], family: 4 | 6): boolean =>
  ranges.some(({ first, last }) => first === 0n && last === SIZE[family] - 1n);

/** What the IANA special-purpose registries do not hold to be globally reachable (RFC 6890). */
const SPECIAL = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/127',
  '100::/64',
  '2001:db8::/32',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
  '64:ff9b:1::/48',
].map(parseRange);

/** Whether any address of the range can be reached from the internet. */
export function reachesInternet(range: AddressRange): boolean {
  return !SPECIAL.some(({ family, first, last }) => family === range.family && first <= range.first && last >= range.last);
}
