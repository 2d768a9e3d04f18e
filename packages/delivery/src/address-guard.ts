/**
 * Decides which addresses a callback may reach (invariant I14). Everything is compared after parsing, so that a spelling changes
 * nothing; what is not plainly public is denied, except what the operator listed.
 */
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** One entry of COUNTERSIGN_CALLBACK_ALLOW. Without a port it covers every port that is not another service's; with one, that port alone. */
export type AllowEntry = { kind: 'network'; network: Address; bits: number; port: number | null } | { kind: 'host'; host: string; port: number | null };

/** What may be reached besides HTTPS on public addresses. */
export interface CallbackPolicy {
  allow: readonly AllowEntry[];
  /** The quickstart's default: this machine's loopback addresses, over http too. */
  loopback: boolean;
}

/** Where a connection would go: the address that was looked up or written, and the URL's own host, port and scheme. */
export interface Destination {
  address: string;
  /** The host of the URL, lower case, IPv6 without brackets; a host entry is compared with it. */
  hostname: string;
  port: number;
  https: boolean;
}

export type AddressJudgement = { ok: true } | { ok: false; reason: AddressRefusal; detail: string };
export type AddressRefusal =
  /** Not an IP address, or one with a zone. */
  | 'malformed_address'
  /** Loopback, private, link-local, metadata, reserved, multicast, tunnels: anything that is not public. */
  | 'address_not_public'
  /** The port belongs to another kind of service. */
  | 'port_not_allowed'
  /** Plain http to what is not listed. */
  | 'https_required';

/** Judges one destination. Asked for literals, for every answer of a look-up, and for the peer of the connected socket. */
export function judgeAddress(to: Destination, policy: CallbackPolicy): AddressJudgement {
  const address = parseAddress(to.address);
  if (!address) return { ok: false, reason: 'malformed_address', detail: 'not an IP address' };
  const portDenied = isDeniedPort(to.port);
  for (const entry of policy.allow) {
    if (!portMatches(entry, to.port)) continue;
    if (entry.kind === 'host' ? entry.host === to.hostname && !needsExactEntry(address) : networkCovers(entry, address)) return { ok: true };
  }
  if (portDenied) return { ok: false, reason: 'port_not_allowed', detail: `port ${to.port} belongs to another kind of service` };
  if (policy.loopback && isLoopback(address)) return { ok: true };
  const special = specialRangeOf(address);
  if (special !== null) return { ok: false, reason: 'address_not_public', detail: `${address.toString()} is not a public address (${special})` };
  if (!to.https) return { ok: false, reason: 'https_required', detail: 'only https reaches public addresses' };
  return { ok: true };
}

export type ParsedAllowList = { ok: true; allow: AllowEntry[] } | { ok: false; errors: string[] };

/**
 * Reads COUNTERSIGN_CALLBACK_ALLOW: addresses, CIDR blocks and host names, separated by commas or white space, each optionally with
 * `:port` (`[fd00::/8]:8443` for IPv6). The empty text is the empty list. All wrong entries are named at once.
 */
export function parseCallbackAllow(text: string): ParsedAllowList {
  const allow: AllowEntry[] = [];
  const errors: string[] = [];
  for (const word of text.split(/[\s,]+/).filter((each) => each !== '')) {
    const entry = parseAllowEntry(word);
    if (entry) allow.push(entry);
    else errors.push(`"${word}" is not an address, a CIDR block or a host name, with or without a port`);
  }
  return errors.length > 0 ? { ok: false, errors } : { ok: true, allow };
}

/** Whether a port is another kind of service's: denied unless an entry names the very port. */
export function isDeniedPort(port: number): boolean {
  return DENIED_PORTS.has(port);
}

/** Whether an entry speaks of a port: the port it names, or, without one, every port that is not denied. */
export function portMatches(entry: AllowEntry, port: number): boolean {
  return entry.port === null ? !isDeniedPort(port) : entry.port === port;
}

/** Whether an entry is a block of loopback addresses. */
export function isLoopbackEntry(entry: AllowEntry): boolean {
  return entry.kind === 'network' && isLoopback(entry.network);
}

/** An IP address, IPv4-mapped IPv6 unwrapped (RFC 4291, section 2.5.5.2); undefined for what is none, or has a zone. */
function parseAddress(text: string): Address | undefined {
  if (text.includes('%')) return undefined;
  // IPv4 in four decimal parts alone: ipaddr.js reads octal, hex and short forms too, which no resolver and no socket writes.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  // The URL parser first (WHATWG URL, section 3.5): ipaddr.js reads `::8.8.8.8` as IPv4-mapped, which it is not.
  const bracketed = `http://[${text}]`;
  const canonical = ipaddr.IPv6.isValid(text) && URL.canParse(bracketed) ? new URL(bracketed).hostname.slice(1, -1) : undefined;
  return canonical === undefined ? undefined : unmapped(ipaddr.IPv6.parse(canonical));
}

function unmapped(address: ipaddr.IPv6): Address {
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** Why an address is not public; null when it is. */
function specialRangeOf(address: Address): string | null {
  if (isMetadata(address)) return 'metadata';
  if (address instanceof ipaddr.IPv4) {
    const range = address.range();
    return range === 'unicast' ? null : range;
  }
  // RFC 6052: an address of the well-known prefix reaches the IPv4 address in its last 32 bits.
  if (matches(address, NAT64)) return specialRangeOf(new ipaddr.IPv4(address.toByteArray().slice(12)));
  const range = address.range();
  // 6to4 and Teredo come out as themselves: tunnels to an IPv4 address, deprecated (RFC 7526), and denied whatever is inside.
  if (range !== 'unicast') return range;
  // RFC 4291, section 2.4: global unicast is assigned from 2000::/3 alone; the rest includes unassigned and IPv4-compatible space.
  return matches(address, GLOBAL_UNICAST) ? null : 'unassigned';
}

function networkCovers(entry: { network: Address; bits: number }, address: Address): boolean {
  if (entry.network.kind() !== address.kind() || !address.match(entry.network, entry.bits)) return false;
  return !needsExactEntry(address) || entry.bits === address.toByteArray().length * 8;
}

/** Addresses that no block and no name may open by accident: the clouds' metadata services, "this host", multicast, broadcast. */
function needsExactEntry(address: Address): boolean {
  return isMetadata(address) || ['unspecified', 'multicast', 'broadcast'].includes(address.range());
}

function isMetadata(address: Address): boolean {
  return METADATA.some((each) => each.kind() === address.kind() && each.toNormalizedString() === address.toNormalizedString());
}

function isLoopback(address: Address): boolean {
  return address.range() === 'loopback';
}

function matches(address: ipaddr.IPv6, block: [Address, number]): boolean {
  return address.match(block);
}

function parseAllowEntry(word: string): AllowEntry | undefined {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(word);
  const plain = bracketed ?? /^([^:]+)(?::(\d{1,5}))?$/.exec(word);
  // More than one colon and no brackets: IPv6 without a port.
  const target = plain?.[1] ?? word;
  const port = plain?.[2] === undefined ? null : Number(plain[2]);
  if (port !== null && (port < 1 || port > 65_535)) return undefined;

  const slash = target.lastIndexOf('/');
  const literal = slash < 0 ? target : target.slice(0, slash);
  const parsed = ipaddr.IPv4.isValidFourPartDecimal(literal) || ipaddr.IPv6.isValid(literal) ? ipaddr.parse(literal) : undefined;
  if (parsed && !literal.includes('%')) {
    const width = parsed.toByteArray().length * 8;
    const written = slash < 0 ? String(width) : target.slice(slash + 1);
    if (!/^\d{1,3}$/.test(written) || Number(written) > width) return undefined;
    const bits = Number(written);
    if (parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && bits >= 96) {
      return { kind: 'network', network: parsed.toIPv4Address(), bits: bits - 96, port };
    }
    return { kind: 'network', network: parsed, bits, port };
  }
  const host = target.toLowerCase();
  // A name whose last label is a number would be read as an IPv4 address by the URL parser.
  return HOST_NAME.test(host) && !/(^|\.)(\d+|0x[0-9a-f]*)$/.test(host) ? { kind: 'host', host, port } : undefined;
}

/** A DNS name as it stands in a parsed URL: labels of letters, digits, hyphens and underscores, no trailing dot. */
export const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');

/** Metadata services of AWS, GCP, Azure, OpenStack and others; AWS over IPv6; GCP over IPv6; Azure's wire server (public space); Alibaba; Oracle. */
const METADATA = ['169.254.169.254', '169.254.170.2', 'fd00:ec2::254', 'fd20:ce::254', '168.63.129.16', '100.100.100.200', '192.0.0.192'].map((each) =>
  ipaddr.parse(each),
);

const DENIED_PORTS: ReadonlySet<number> = new Set([
  // WHATWG Fetch, "port blocking".
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137,
  139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
  3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
  // Mail beyond those, SMB, LDAP global catalogue, remote desktops, SSH's usual second port.
  445, 2222, 2525, 3268, 3269, 3389, 5900, 5985, 5986,
  // Databases: SQL Server, Oracle, MySQL, PostgreSQL (and poolers), CouchDB, Cassandra, Neo4j, Elasticsearch, MongoDB, RethinkDB.
  1433, 1434, 1521, 3306, 5432, 5433, 6432, 5984, 7199, 9042, 7474, 7687, 9200, 9300, 27017, 27018, 27019, 28015,
  // Caches, queues and coordination: Redis (and Sentinel), Memcached, AMQP, Kafka, NATS, ZooKeeper, etcd, Consul.
  6379, 6380, 26379, 11211, 5671, 5672, 9092, 4222, 2181, 2379, 2380, 8500,
  // Control planes: Docker, Kubernetes, kubelet.
  2375, 2376, 6443, 10250, 10255,
]);
