import { describe, expect, test } from '@jest/globals';
import { judgeAddress, parseCallbackAllow, type CallbackPolicy } from './address-guard.js';

const PUBLIC_ONLY: CallbackPolicy = { allow: [], loopback: false };
const QUICKSTART: CallbackPolicy = { allow: [], loopback: true };
const at = (address: string, change: Partial<{ port: number; https: boolean; hostname: string }> = {}) => ({
  address,
  hostname: 'caller.example.com',
  port: 443,
  https: true,
  ...change,
});
function allowing(text: string, loopback = false): CallbackPolicy {
  const parsed = parseCallbackAllow(text);
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  return { allow: parsed.allow, loopback };
}

/** One or more of each special-purpose block: IANA's IPv4 and IPv6 registries, the metadata services, the wrappers of IPv4 in IPv6. */
const NOT_PUBLIC = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.127.255.254',
  '100.100.100.200',
  '127.0.0.1',
  '127.1.2.3',
  '127.255.255.255',
  '169.254.0.1',
  '169.254.169.254',
  '169.254.170.2',
  '168.63.129.16',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.0.8',
  '192.0.0.170',
  '192.0.0.192',
  '192.0.2.1',
  '192.31.196.1',
  '192.52.193.1',
  '192.88.99.1',
  '192.168.0.1',
  '192.168.255.255',
  '192.175.48.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::8.8.8.8',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:10.0.0.1',
  '::ffff:169.254.169.254',
  '::ffff:0:127.0.0.1',
  '0:0:0:0:0:ffff:a9fe:a9fe',
  '64:ff9b::127.0.0.1',
  '64:ff9b::a00:1',
  '64:ff9b::169.254.169.254',
  '64:ff9b:1::1',
  '64:ff9b:1::8.8.8.8',
  '100::1',
  '2001::1',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  '2001:0:808:808::f7f7:f7f7',
  '2001:2::1',
  '2001:3::1',
  '2001:4:112::1',
  '2001:10::1',
  '2001:20::1',
  '2001:30::1',
  '2001:1ff::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2002:a00:1::1',
  '2002:a9fe:a9fe::',
  '2002:808:808::1',
  '2620:4f:8000::1',
  '3fff::1',
  '4000::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  'fd12:3456:789a::1',
  'fe80::1',
  'fe80::a9fe:a9fe',
  'febf::1',
  'fec0::1',
  'ff02::1',
  'ff0e::1',
];

describe('what is public', () => {
  test('the set has at least 57 denied addresses', () => expect(new Set(NOT_PUBLIC).size).toBeGreaterThanOrEqual(57));

  test.each(NOT_PUBLIC)('I14: %s is not', (address) => {
    expect(judgeAddress(at(address), PUBLIC_ONLY)).toMatchObject({ ok: false, reason: 'address_not_public' });
  });

  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.1',
    '169.253.255.255',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '198.17.255.255',
    '223.255.255.255',
    '2606:4700::1111',
    '2001:4860:4860::8888',
    '2a00:1450:4001::1',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '3ffe::1',
  ])('%s is', (address) => expect(judgeAddress(at(address), PUBLIC_ONLY)).toEqual({ ok: true }));

  test.each(['', 'localhost', '2130706433', '0x7f000001', '0177.0.0.1', '127.1', '127.0.0.01', '1.2.3', 'fe80::1%eth0', '::1%lo', '1.2.3.4/32', '[::1]'])(
    '"%s" is no address',
    (address) => expect(judgeAddress(at(address), QUICKSTART)).toMatchObject({ ok: false, reason: 'malformed_address' }),
  );

  test.each([0, 22, 25, 53, 110, 143, 445, 465, 587, 993, 1433, 1521, 2049, 2375, 3306, 3389, 5432, 6000, 6379, 6667, 9200, 11211, 27017])(
    'port %i belongs to another kind of service, also on a public or loopback address',
    (port) => {
      for (const address of ['8.8.8.8', '127.0.0.1'])
        expect(judgeAddress(at(address, { port }), QUICKSTART)).toMatchObject({ ok: false, reason: 'port_not_allowed' });
    },
  );

  test('a public address is reached over https alone', () => {
    expect(judgeAddress(at('8.8.8.8', { https: false, port: 80 }), QUICKSTART)).toMatchObject({ ok: false, reason: 'https_required' });
  });
});

describe('what the operator lists', () => {
  test('the quickstart opens loopback over http, whatever its spelling, and nothing else', () => {
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])
      expect(judgeAddress(at(address, { https: false, port: 9999 }), QUICKSTART).ok).toBe(true);
    for (const address of ['0.0.0.0', '::', '10.0.0.1', '169.254.169.254', '64:ff9b::127.0.0.1', '2002:7f00:1::'])
      expect(judgeAddress(at(address), QUICKSTART).ok).toBe(false);
  });

  test('a block opens its addresses, mapped ones too, and its neighbours stay closed', () => {
    const policy = allowing('10.1.0.0/16, fd00:1::/32');
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00:1::5']) expect(judgeAddress(at(address, { https: false, port: 8080 }), policy).ok).toBe(true);
    for (const address of ['10.2.0.1', '::ffff:10.2.0.1', 'fd00:2::5', '127.0.0.1']) expect(judgeAddress(at(address), policy).ok).toBe(false);
    expect(judgeAddress(at('10.9.9.9'), allowing('::ffff:10.9.0.0/112')).ok).toBe(true);
  });

  test('an entry without a port leaves other services closed; one with a port opens that port alone', () => {
    expect(judgeAddress(at('10.0.0.1', { port: 6379 }), allowing('10.0.0.0/8')).ok).toBe(false);
    expect(judgeAddress(at('10.0.0.1', { port: 6379 }), allowing('10.0.0.0/8:6379')).ok).toBe(true);
    expect(judgeAddress(at('10.0.0.1', { port: 443 }), allowing('10.0.0.0/8:6379')).ok).toBe(false);
    expect(judgeAddress(at('fd00::1', { port: 8443 }), allowing('[fd00::/8]:8443')).ok).toBe(true);
    expect(judgeAddress(at('fd00::1', { port: 8444 }), allowing('[fd00::/8]:8443')).ok).toBe(false);
  });

  test('a name opens what it leads to, for that name alone', () => {
    const policy = allowing('Receiver.internal:8080');
    expect(judgeAddress(at('10.0.0.1', { hostname: 'receiver.internal', port: 8080, https: false }), policy).ok).toBe(true);
    expect(judgeAddress(at('10.0.0.1', { hostname: 'other.internal', port: 8080, https: false }), policy).ok).toBe(false);
    expect(judgeAddress(at('10.0.0.1', { hostname: 'sub.receiver.internal', port: 8080, https: false }), policy).ok).toBe(false);
  });

  test('a metadata service, "this host", multicast and broadcast open by their very address alone', () => {
    for (const address of ['169.254.169.254', '0.0.0.0', '224.0.0.1', '255.255.255.255']) {
      expect(judgeAddress(at(address), allowing('0.0.0.0/0')).ok).toBe(false);
      expect(judgeAddress(at(address), allowing('caller.example.com')).ok).toBe(false);
      expect(judgeAddress(at(address), allowing(address)).ok).toBe(true);
    }
    expect(judgeAddress(at('fd00:ec2::254'), allowing('fd00::/8')).ok).toBe(false);
  });

  test('all wrong entries are named at once, and the empty text lists nothing', () => {
    expect(parseCallbackAllow('')).toEqual({ ok: true, allow: [] });
    const parsed = parseCallbackAllow('10.0.0.0/33 ok.example 0x7f.1 010.0.0.1 http://x a..b host:0 host:70000 fe80::1%eth0 ::1/129');
    expect(parsed.ok ? [] : parsed.errors.map((each) => each.split('"')[1])).toEqual([
      '10.0.0.0/33',
      '0x7f.1',
      '010.0.0.1',
      'http://x',
      'a..b',
      'host:0',
      'host:70000',
      'fe80::1%eth0',
      '::1/129',
    ]);
  });
});
