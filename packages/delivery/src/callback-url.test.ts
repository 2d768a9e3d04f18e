import { describe, expect, test } from '@jest/globals';
import { parseCallbackAllow, type CallbackPolicy } from './address-guard.js';
import { checkCallbackUrl } from './callback-url.js';

const PUBLIC_ONLY: CallbackPolicy = { allow: [], loopback: false };
const QUICKSTART: CallbackPolicy = { allow: [], loopback: true };
function allowing(text: string): CallbackPolicy {
  const parsed = parseCallbackAllow(text);
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  return { allow: parsed.allow, loopback: false };
}

describe('what may be submitted', () => {
  test.each([
    ['https://caller.example.com/hooks/countersign', 'https://caller.example.com/hooks/countersign'],
    ['https://Caller.Example.COM:443/Hooks?a=1', 'https://caller.example.com/Hooks?a=1'],
    ['https://caller.example.com:8443', 'https://caller.example.com:8443/'],
    ['https://xn--bcher-kva.example/', 'https://xn--bcher-kva.example/'],
    ['https://8.8.8.8/x', 'https://8.8.8.8/x'],
    ['https://[2606:4700::1111]/x', 'https://[2606:4700::1111]/x'],
    ['https://a_b.example/', 'https://a_b.example/'],
  ])('%s', (text, url) => expect(checkCallbackUrl(text, PUBLIC_ONLY)).toEqual({ ok: true, url }));

  test.each(['http://127.0.0.1:3999/hook', 'http://localhost:3999/hook', 'http://[::1]:3999/', 'https://localhost/', 'http://app.localhost:8080/'])(
    'in the quickstart %s',
    (text) => expect(checkCallbackUrl(text, QUICKSTART)).toMatchObject({ ok: true }),
  );
});

/** URL shapes that have fooled guards. */
const SHAPES: [string, string][] = [
  ['https://user:secret@caller.example.com/', 'credentials_in_url'],
  ['https://caller.example.com@127.0.0.1/', 'credentials_in_url'],
  ['https://@caller.example.com/', 'credentials_in_url'],
  ['https://caller.example.com/#fragment', 'fragment_in_url'],
  ['https://caller.example.com/#', 'fragment_in_url'],
  ['https://caller.example.com./', 'host_spelling'],
  ['https://127.0.0.1./', 'host_spelling'],
  ['https://2130706433/', 'host_spelling'],
  ['https://134744072/', 'host_spelling'],
  ['https://0x7f000001/', 'host_spelling'],
  ['https://0177.0.0.1/', 'host_spelling'],
  ['https://127.1/', 'host_spelling'],
  ['https://１２７.0.0.1/', 'host_spelling'],
  ['https://127。0。0。1/', 'host_spelling'],
  ['https://ⓔxample.com/', 'host_spelling'],
  ['https://bücher.example/', 'host_spelling'],
  ['https://ex%61mple.com/', 'host_spelling'],
  ['https://a..b/', 'host_spelling'],
  ['https://*.example.com/', 'host_spelling'],
  [`https://${'a'.repeat(64)}.example/`, 'host_spelling'],
  ['https:\\\\caller.example.com\\', 'malformed_url'],
  ['https:/caller.example.com/', 'malformed_url'],
  ['https:caller.example.com/', 'malformed_url'],
  ['https:///caller.example.com/', 'malformed_url'],
  ['//caller.example.com/', 'malformed_url'],
  ['/hooks', 'malformed_url'],
  ['', 'malformed_url'],
  [' https://caller.example.com/', 'malformed_url'],
  ['https://caller.exam\tple.com/', 'malformed_url'],
  ['https://caller.example.com/a\r\nX: y', 'malformed_url'],
  ['https://caller.example.com:/', 'malformed_url'],
  ['https://caller.example.com:65536/', 'malformed_url'],
  ['https://[fe80::1%25eth0]/', 'malformed_url'],
  ['ftp://caller.example.com/', 'scheme_not_allowed'],
  ['file:///etc/passwd', 'scheme_not_allowed'],
  ['gopher://127.0.0.1:6379/', 'scheme_not_allowed'],
  ['javascript:alert(1)', 'scheme_not_allowed'],
  ['http://caller.example.com/', 'https_required'],
  ['http://8.8.8.8/', 'https_required'],
  ['https://caller.example.com:22/', 'port_not_allowed'],
  ['https://caller.example.com:6379/', 'port_not_allowed'],
  ['https://8.8.8.8:5432/', 'port_not_allowed'],
  [`https://caller.example.com/${'a'.repeat(2048)}`, 'url_too_long'],
  ['https://127.0.0.1/', 'address_not_public'],
  ['https://localhost:8443/', 'address_not_public'],
  ['https://LOCALHOST/', 'address_not_public'],
  ['https://a.localhost/', 'address_not_public'],
  ['https://169.254.169.254/latest/meta-data/', 'address_not_public'],
  ['https://[::ffff:127.0.0.1]/', 'address_not_public'],
  ['https://[0:0:0:0:0:ffff:7f00:1]/', 'address_not_public'],
  ['https://[64:ff9b::10.0.0.1]/', 'address_not_public'],
];

describe('what is refused at submit', () => {
  test('the set has at least 11 shapes', () => expect(SHAPES.length).toBeGreaterThanOrEqual(11));

  test.each(SHAPES)('I14: %j', (text, reason) => expect(checkCallbackUrl(text, PUBLIC_ONLY)).toMatchObject({ ok: false, reason }));

  test.each([
    ['http://example.com/', 'https_required'],
    ['http://2130706433:3999/', 'host_spelling'],
    ['http://localhost:6379/', 'port_not_allowed'],
    ['http://0.0.0.0:3999/', 'address_not_public'],
    ['http://10.0.0.1/', 'address_not_public'],
  ])('also in the quickstart: %s', (text, reason) => expect(checkCallbackUrl(text, QUICKSTART)).toMatchObject({ ok: false, reason }));
});

describe('with an allow list', () => {
  test('http to a name waits for its address where the list holds private blocks', () => {
    expect(checkCallbackUrl('http://receiver.internal:8080/', allowing('10.0.0.0/8')).ok).toBe(true);
    expect(checkCallbackUrl('http://receiver.internal:8080/', allowing('10.0.0.0/8:9090')).ok).toBe(false);
    expect(checkCallbackUrl('http://receiver.internal:8080/', allowing('127.0.0.0/8')).ok).toBe(false);
    expect(checkCallbackUrl('http://receiver.internal:8080/', allowing('receiver.internal')).ok).toBe(true);
  });

  test('a listed port of another service is opened for what lists it', () => {
    expect(checkCallbackUrl('https://queue.internal:5672/', allowing('queue.internal:5672')).ok).toBe(true);
    expect(checkCallbackUrl('https://queue.internal:5672/', allowing('queue.internal')).ok).toBe(false);
  });

  test('localhost needs a loopback entry', () => {
    expect(checkCallbackUrl('http://localhost:3999/', allowing('127.0.0.1')).ok).toBe(true);
    expect(checkCallbackUrl('http://localhost:3999/', allowing('10.0.0.0/8')).ok).toBe(false);
  });
});
