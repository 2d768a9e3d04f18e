import type { JsonValue } from '@countersign/contracts';
import { z } from 'zod';
import { computed, inputPath, textsAt, Unreadable } from '../inputs.js';
import { factKind, type ReadPath } from '../kinds.js';
import { isEverything, parseRange, reachesInternet, union, type AddressRange } from './addresses.js';

const MAX_RANGES = 1_000;
const ANYWHERE = /^(?:\*|any|all|internet|any-ipv4|0\.0\.0\.0\/0|::\/0)$/i;

/** How wide a firewall rule opens: `facts.firewall`. */
export const firewall = factKind({
  options: z
    .strictObject({
      /** One address range, or a list of them. */
      sources: inputPath,
      /** A port, `8000-9000`, `*`, or a list of them. */
      ports: inputPath.optional(),
      /** The first port, where first and last are apart; -1 is all, as clouds write it. */
      from_port: inputPath.optional(),
      to_port: inputPath.optional(),
      protocol: inputPath.optional(),
    })
    .refine(({ from_port, to_port }) => (from_port === undefined) === (to_port === undefined), 'from_port and to_port go together')
    .refine(({ ports, from_port }) => ports === undefined || from_port === undefined, 'name ports, or from_port and to_port'),
  result: {
    members: {
      public_any: 'bool',
      public: 'bool',
      ipv4_addresses: 'int',
      widest_ipv4_prefix: { optional: 'int' },
      widest_ipv6_prefix: { optional: 'int' },
      ports: 'int',
      all_ports: 'bool',
      port_ranges: { list: { members: { first: 'int', last: 'int' } } },
      all_protocols: 'bool',
      protocol: { optional: 'string' },
    },
  },
  paths: ({ sources, ports, from_port, to_port, protocol }) => [sources, ports, from_port, to_port, protocol].filter((path) => path !== undefined),
  compute: (options, read) =>
    computed(() => {
      const ranges = textsAt(read, options.sources, { count: MAX_RANGES, length: 64 }, 'an address range').flatMap(rangesOf);
      if (ranges.length === 0) throw new Unreadable('there is no address range in it');
      const [v4, v6] = [union(ranges, 4), union(ranges, 6)];
      const ports = portsOf(options, read);
      const protocol = options.protocol === undefined ? undefined : protocolOf(read(options.protocol));
      return {
        value: {
          public_any: isEverything(v4, 4) || isEverything(v6, 6),
          public: ranges.some(reachesInternet),
          ipv4_addresses: v4.reduce((sum, { first, last }) => sum + Number(last - first + 1n), 0),
          ...widest('widest_ipv4_prefix', v4, 32),
          ...widest('widest_ipv6_prefix', v6, 128),
          ports: ports.reduce((sum, { first, last }) => sum + last - first + 1, 0),
          all_ports: ports.some(({ first, last }) => first <= 1 && last === 65_535),
          port_ranges: ports,
          all_protocols: protocol === undefined || protocol === 'all',
          ...(protocol === undefined ? {} : { protocol }),
        },
      };
    }),
});

function rangesOf(text: string): AddressRange[] {
  if (ANYWHERE.test(text))
    return text.startsWith('0.') ? [parseRange('0.0.0.0/0')] : text === '::/0' ? [parseRange(text)] : [parseRange('0.0.0.0/0'), parseRange('::/0')];
  return [parseRange(text)];
}

/** The prefix of the smallest network that is as large as the largest range. */
function widest(name: string, ranges: readonly { first: bigint; last: bigint }[], bits: number): Record<string, number> {
  if (ranges.length === 0) return {};
  const size = ranges.reduce((most, { first, last }) => (last - first > most ? last - first : most), 0n);
  return { [name]: bits - size.toString(2).length + (size === 0n ? 1 : 0) };
}

// A type and not an interface, so that it is a JSON object.
type Ports = { first: number; last: number };

const ALL_PORTS: Ports = { first: 0, last: 65_535 };

/** The ports, joined and sorted. Where none are named, all are meant. */
function portsOf(
  { ports, from_port, to_port }: { ports?: string | undefined; from_port?: string | undefined; to_port?: string | undefined },
  read: ReadPath,
): Ports[] {
  if (from_port !== undefined && to_port !== undefined) {
    const [first, last] = [read(from_port), read(to_port)];
    if ((first === undefined && last === undefined) || (isAll(first) && isAll(last))) return [ALL_PORTS];
    return joined([range(portOf(first), portOf(last))]);
  }
  const value = ports === undefined ? undefined : read(ports);
  if (value === undefined) return [ALL_PORTS];
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0) return [ALL_PORTS];
  if (list.length > MAX_RANGES) throw new Unreadable('there are too many ports in it');
  return joined(
    list.map((each) => {
      if (isAll(each)) return ALL_PORTS;
      const [, first, last] = typeof each === 'string' ? (/^(\d{1,5})[-:](\d{1,5})$/.exec(each) ?? []) : [];
      return first === undefined || last === undefined ? range(portOf(each), portOf(each)) : range(portOf(first), portOf(last));
    }),
  );
}

const isAll = (value: JsonValue | undefined): boolean => value === -1 || (typeof value === 'string' && /^(?:-1|\*|any|all)$/i.test(value));

function portOf(value: JsonValue | undefined): number {
  const port = typeof value === 'number' ? value : typeof value === 'string' && /^(?:0|[1-9]\d{0,4})$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Unreadable('a port in it is no port');
  return port;
}

function range(first: number, last: number): Ports {
  if (first > last) throw new Unreadable('a range of ports in it runs backwards');
  return { first, last };
}

function joined(ranges: readonly Ports[]): Ports[] {
  const all: { first: number; last: number }[] = [];
  for (const { first, last } of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = all.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else all.push({ first, last });
  }
  return all;
}

function protocolOf(value: JsonValue | undefined): string | undefined {
  if (value === undefined || isAll(value)) return 'all';
  if (typeof value === 'number' && Number.isInteger(value)) return NUMBERED[value] ?? String(value);
  if (typeof value !== 'string' || !/^[a-z0-9-]{1,16}$/i.test(value)) throw new Unreadable('the protocol in it is none');
  return NUMBERED[Number(value)] ?? value.toLowerCase();
}

/** Protocol numbers that clouds write in place of names. */
const NUMBERED: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };
