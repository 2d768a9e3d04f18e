import type { JsonObject, JsonValue } from '@countersign/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FactResult } from '../kinds.js';
import { firewall } from './firewall.js';
import { http } from './http.js';
import { url } from './url.js';

function valueOf(result: FactResult): JsonObject {
  if ('error' in result) throw new Error(result.error);
  return result.value;
}
const readOf =
  (parameters: Record<string, JsonValue | undefined>) =>
  (path: string): JsonValue | undefined =>
    parameters[path.slice('parameters.'.length)];

describe('a URL', () => {
  const compute = (text: JsonValue | undefined): FactResult => url.compute({ from: 'parameters.url' }, () => text);
  const facts = (text: string): JsonObject => valueOf(compute(text));

  test('comes apart as the WHATWG standard says', () => {
    expect(facts('https://API.Example.com:8443/v1/../v2/x?b=1&a=2&a=3#f')).toEqual({
      scheme: 'https',
      host: 'api.example.com',
      port: 8443,
      path: '/v2/x',
      query_names: ['a', 'b'],
      userinfo: false,
      fragment: true,
      encrypted: true,
      ip: false,
      private: false,
      idn: false,
    });
    expect(facts('http://example.com')).toMatchObject({ port: 80, path: '/', encrypted: false });
    expect(facts('https://example.com./')).toMatchObject({ host: 'example.com' });
    expect(facts('https://bücher.example/')).toMatchObject({ host: 'xn--bcher-kva.example', idn: true });
    expect(facts('https://аpple.com/')).toMatchObject({ host: 'xn--pple-43d.com', idn: true });
    expect(facts('https://good.example@evil.example/')).toMatchObject({ host: 'evil.example', userinfo: true });
    expect(facts('s3://bucket/key')).toMatchObject({ scheme: 's3', host: 'bucket', path: '/key' });
  });

  test('every spelling of an address is the address', () => {
    for (const host of [
      '127.0.0.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '127.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[0:0:0:0:0:ffff:7f00:1]',
      '１２７.0.0.1',
      '169.254.169.254',
      '[fd00::1]',
      '10.0.0.1',
      '0.0.0.0',
    ])
      expect([host, facts(`http://${host}/`)]).toEqual([host, expect.objectContaining({ ip: true, private: true })]);
    for (const host of ['8.8.8.8', '[2606:4700::1111]'])
      expect([host, facts(`http://${host}/`)]).toEqual([host, expect.objectContaining({ ip: true, private: false })]);
    for (const host of ['localhost', 'a.localhost', 'db.internal', 'printer.local', 'intranet'])
      expect([host, facts(`http://${host}/`)['private']]).toEqual([host, true]);
  });

  test('what readers of URLs take for different places is an error', () => {
    for (const text of [
      'http://good.example\\@evil.example/',
      'http:\\\\evil.example/',
      'http:/evil.example',
      'http:evil.example',
      'http:///evil.example',
      '//evil.example',
      ' http://a.example',
      'http://a.example/\n',
      'ht\ttp://a.example',
      'http://a\u00a0.example',
      'http://a%2eexample/',
      'http://a.example%00.evil.example/',
      'http://a@b@c.example/',
      'http://a.example/%2e%2e/x',
      'http://a.example/..%2fx',
      'http://a.example/a%5cb',
      'http://a.example:99999/',
      'http://1.2.3.256/',
      'http://256.256.256.256/',
      'http://[::1',
      'http://a..example./',
      'javascript:alert(1)',
      'mailto:a@b.example',
      'file:///etc/passwd',
      's3://127.0.0.1/x',
      's3://a%2fb/x',
      'http://',
      '',
      null,
      5,
      undefined,
      `http://a.example/${'x'.repeat(9_000)}`,
    ])
      expect([text, 'error' in compute(text)]).toEqual([text, true]);
  });

  test('no text makes it throw', () => {
    const piece = fc.constantFrom(
      'http',
      's',
      ':',
      '/',
      '//',
      '\\',
      '@',
      '[',
      ']',
      '%2e',
      '..',
      '.',
      'a',
      '1',
      '0x7f',
      '#',
      '?',
      '=',
      '&',
      '\t',
      ':80',
      'é',
      '\u3002',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl(),
          fc.array(piece, { maxLength: 20 }).map((parts) => `http://${parts.join('')}`),
          fc.string({ unit: 'binary' }),
        ),
        (text) => void compute(text),
      ),
      { numRuns: 500 },
    );
  });
});

describe('an HTTP request', () => {
  const compute = (parameters: Record<string, JsonValue | undefined>): FactResult =>
    http.compute({ method: 'parameters.method', url: 'parameters.url', headers: 'parameters.headers' }, readOf(parameters));

  test('has a method, a place and perhaps credentials', () => {
    expect(valueOf(compute({ url: 'https://a.example/x' }))).toMatchObject({ method: 'GET', safe: true, host: 'a.example', path: '/x', credentials: false });
    expect(valueOf(compute({ url: 'https://a.example/', method: 'delete', headers: { Authorization: 'Bearer x' } }))).toMatchObject({
      method: 'DELETE',
      safe: false,
      credentials: true,
    });
    expect(valueOf(compute({ url: 'https://u:p@a.example/' }))).toMatchObject({ credentials: true });
    expect(valueOf(compute({ url: 'https://a.example/', headers: { Host: 'a.example:443', Accept: ['x'] } }))).toMatchObject({ host: 'a.example' });
  });

  test('a header that asks for something else is an error', () => {
    for (const parameters of [
      { headers: { 'X-HTTP-Method-Override': 'DELETE' } },
      { headers: { host: 'evil.example' } },
      { headers: { HOST: 'a.example:81' } },
      { headers: { 'X-Original-URL': '/admin' } },
      { headers: { a: '1', A: '2' } },
      { headers: { 'a\r\nb': '1' } },
      { headers: { a: '1\r\nhost: evil.example' } },
      { headers: { a: 1 } },
      { headers: 'a: b' },
      { headers: [] },
      { method: 'GET DELETE' },
      { method: null },
      { method: ['DELETE'] },
      { url: 'ftp://a.example/' },
    ])
      expect([parameters, 'error' in compute({ url: 'https://a.example/', ...parameters })]).toEqual([parameters, true]);
  });
});

describe('a firewall rule', () => {
  const compute = (parameters: Record<string, JsonValue | undefined>): FactResult =>
    firewall.compute({ sources: 'parameters.sources', ports: 'parameters.ports', protocol: 'parameters.protocol' }, readOf(parameters));
  const facts = (sources: JsonValue, ports?: JsonValue, protocol?: JsonValue): JsonObject => valueOf(compute({ sources, ports, protocol }));

  test('has so many addresses and ports', () => {
    expect(facts(['10.0.0.0/24', '10.0.1.0/24', '10.0.0.7'], ['443', '8000-8010', 8005], 'TCP')).toEqual({
      public_any: false,
      public: false,
      ipv4_addresses: 512,
      widest_ipv4_prefix: 23,
      ports: 12,
      all_ports: false,
      port_ranges: [
        { first: 443, last: 443 },
        { first: 8000, last: 8010 },
      ],
      all_protocols: false,
      protocol: 'tcp',
    });
    expect(facts('203.0.114.7/32', 22)).toMatchObject({ public: true, public_any: false, ipv4_addresses: 1, widest_ipv4_prefix: 32, all_protocols: true });
    expect(facts('2001:4860::/32', 22)).toMatchObject({ public: true, widest_ipv6_prefix: 32, ipv4_addresses: 0 });
    expect(facts('fd00::/8', 22)).toMatchObject({ public: false });
  });

  test('everywhere is everywhere, however it is put together', () => {
    for (const sources of [
      '0.0.0.0/0',
      '1.2.3.4/0',
      '::/0',
      'any',
      '*',
      'Internet',
      ['0.0.0.0/1', '128.0.0.0/1'],
      ['128.0.0.0/1', '64.0.0.0/2', '0.0.0.0/2'],
      ['::/1', '8000::/1'],
      '::ffff:0:0/96',
      '::ffff:0.0.0.0/96',
      '::/80',
      '0:0:0:0:0:ffff::/96',
      ['10.0.0.1', '0.0.0.0/0'],
    ])
      expect([sources, facts(sources)['public_any']]).toEqual([sources, true]);
    for (const sources of ['0.0.0.0/1', '10.0.0.0/8', '::1', '::ffff:10.0.0.1', ['0.0.0.0/1', '128.0.0.1/2']])
      expect([sources, facts(sources)['public_any']]).toEqual([sources, false]);
    expect(facts('::ffff:10.1.2.0/120')).toMatchObject({ ipv4_addresses: 256, widest_ipv4_prefix: 24, public: false });
  });

  test('no ports, and all ports, are all ports', () => {
    for (const ports of [undefined, '*', 'any', -1, '-1', [], '0-65535', '1-65535', ['1-30000', '30001-65535']])
      expect([ports, facts('10.0.0.1', ports)['all_ports']]).toEqual([ports, true]);
    const ranged = (from: JsonValue | undefined, to: JsonValue | undefined): FactResult =>
      firewall.compute({ sources: 'parameters.sources', from_port: 'parameters.from', to_port: 'parameters.to' }, readOf({ sources: '10.0.0.1', from, to }));
    expect(valueOf(ranged(-1, -1))).toMatchObject({ all_ports: true });
    expect(valueOf(ranged(undefined, undefined))).toMatchObject({ all_ports: true });
    expect(valueOf(ranged(22, 25))).toMatchObject({ ports: 4 });
    for (const [from, to] of [
      [25, 22],
      [22, undefined],
      [undefined, 22],
      [-1, 22],
      ['22.0', 22],
    ] as const)
      expect([from, to, 'error' in ranged(from, to)]).toEqual([from, to, true]);
    for (const protocol of [undefined, -1, '-1', 'ALL']) expect(facts('10.0.0.1', 22, protocol)['all_protocols']).toBe(true);
    expect(facts('10.0.0.1', 22, '6')).toMatchObject({ protocol: 'tcp', all_protocols: false });
  });

  test('spellings that programs read differently are errors', () => {
    for (const sources of [
      '010.0.0.0/8',
      '0x0a.0.0.0/8',
      '10.0/8',
      '10/8',
      '167772160/8',
      '10.0.0.0/08',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/+8',
      '10.0.0.0/8/8',
      '10.0.0.0/255.0.0.0',
      '10.0.0.0/',
      '10.0.0.0-10.0.0.9',
      '10.0.0.256',
      '10.0.0.0.0',
      '1.2.3',
      '::/129',
      'fe80::1%eth0',
      ':::',
      '1::2::3',
      '12345::',
      '::ffff:010.0.0.1',
      '[::1]',
      '10.0.0.1 ',
      ' 10.0.0.1',
      '１0.0.0.1',
      '',
      'example.com',
      [],
      [''],
      [5],
      {},
      null,
      5,
      undefined,
      Array.from({ length: 1_001 }, () => '10.0.0.1'),
    ])
      expect([sources, 'error' in compute({ sources, ports: 22 })]).toEqual([sources, true]);
    for (const ports of ['022', '22-', '-22', '70000', 65_536, -2, 1.5, '30-20', {}, [null], '0x16', '22 ', true])
      expect([ports, 'error' in compute({ sources: '10.0.0.1', ports })]).toEqual([ports, true]);
  });

  test('the union counts every address once, whatever the order', () => {
    const range = fc
      .tuple(fc.nat({ max: 255 }), fc.integer({ min: 20, max: 32 }))
      .map(([octet, prefix]) => ({ octet, prefix, text: `10.0.${octet >> 4}.${octet}/${prefix}` }));
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 12 }), (ranges) => {
        const counted = new Set<number>();
        for (const { octet, prefix } of ranges) {
          const size = 2 ** (32 - prefix);
          const address = (octet >> 4) * 256 + octet;
          const first = address - (address % size);
          for (let at = first; at < first + size; at++) counted.add(at);
        }
        const texts = ranges.map(({ text }) => text);
        expect(facts(texts, 22)['ipv4_addresses']).toBe(counted.size);
        expect(facts([...texts].reverse(), 22)).toEqual(facts(texts, 22));
      }),
    );
  });
});
