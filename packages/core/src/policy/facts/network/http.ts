import type { JsonValue } from '@countersign/contracts';
import { z } from 'zod';
import { computed, inputPath, readableText, textAt, Unreadable } from '../inputs.js';
import { factKind } from '../kinds.js';
import { MAX_URL, readUrl, URL_MEMBERS } from './read-url.js';

/** Methods that change nothing by their definition (RFC 9110, section 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const MAX_HEADERS = 200;

/** What an HTTP request asks, and of whom: `facts.http`. */
export const http = factKind({
  options: z.strictObject({
    /** Absent, or without a value in the request: GET. */
    method: inputPath.optional(),
    url: inputPath,
    /** An object of header fields; a Host or a method in it counts. */
    headers: inputPath.optional(),
  }),
  result: { members: { method: 'string', safe: 'bool', credentials: 'bool', ...URL_MEMBERS } },
  paths: ({ method, url, headers }) => [method, url, headers].filter((path) => path !== undefined),
  compute: (options, read) =>
    computed(() => {
      const url = readUrl(textAt(read, options.url, MAX_URL, 'the URL'));
      if (url['scheme'] !== 'http' && url['scheme'] !== 'https') throw new Unreadable('the URL is not one of HTTP');
      const fields = options.headers === undefined ? new Map<string, string>() : fieldsOf(read(options.headers));
      const given = options.method === undefined ? undefined : read(options.method);
      const method = methodOf(given === undefined ? 'GET' : readableText(given, 32, 'the method'));
      for (const [name, value] of fields) {
        if (/^x-http-method(?:-override)?$|^x-method-override$/.test(name) && methodOf(value) !== method)
          throw new Unreadable('a header field asks for another method');
        if (/^(?:host|:authority|x-forwarded-host|forwarded|x-original-url|x-rewrite-url)$/.test(name) && !namesHost(value, url))
          throw new Unreadable('a header field names another host');
      }
      const credentials = url['userinfo'] === true || ['authorization', 'proxy-authorization', 'cookie', 'x-api-key'].some((name) => fields.has(name));
      return { value: { method, safe: SAFE.has(method), credentials, ...url } };
    }),
});

function methodOf(text: string): string {
  if (!/^[A-Za-z]{1,32}$/.test(text)) throw new Unreadable('the method is none');
  return text.toUpperCase();
}

function fieldsOf(value: JsonValue | undefined): Map<string, string> {
  const fields = new Map<string, string>();
  if (value === undefined) return fields;
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length > MAX_HEADERS)
    throw new Unreadable('the header fields are no object of texts');
  for (const [written, field] of Object.entries(value)) {
    const name = written.toLowerCase();
    const text = readableText(Array.isArray(field) && field.length === 1 ? field[0] : field, 16_384, 'a header field');
    if (!/^:?[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || /[\r\n]/.test(text) || fields.has(name)) throw new Unreadable('a header field is not written plainly');
    fields.set(name, text);
  }
  return fields;
}

function namesHost(value: string, url: Record<string, JsonValue>): boolean {
  const [, host, port] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(value.trim().toLowerCase()) ?? [];
  return host === url['host'] && (port === undefined || Number(port) === url['port']);
}
