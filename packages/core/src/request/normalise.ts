import { findUnseen } from './visible-text.js';

/** A resource id in the one spelling under which it is matched, or why it has none. Such a request needs people. */
export type NormalisedId = { readonly ok: true; readonly id: string } | { readonly ok: false; readonly reason: string };

/**
 * The spelling of a resource id under which catalogue and policy match it. Catalogue ids go through the same function. The caller's own
 * spelling stays in the request and in its digests.
 *
 * Every id is put in NFC and trimmed; one that is empty or has characters that cannot be seen (controls, bidirectional, zero-width, odd
 * spaces, unassigned) is refused. Then, by type:
 * - `postgres_table`, `mysql_table`, `bigquery_table`, `snowflake_table`: parts between dots, white space around them dropped. Parts
 *   without quotes fold to lower case. Quotes go where the quoted name is the same name as one without; else they stay
 *   with the case inside. What a database would read in another way (comments, `U&""`, wildcards, names that PostgreSQL
 *   would cut at 63 bytes) is refused.
 * - `s3_bucket`, `s3_object`, `gcs_bucket`, `gcs_object`: `bucket` or `bucket/key`, from that, `s3://`, `gs://` or an S3 ARN; the bucket
 *   in lower case, the key as it is. Other URLs and keys with `.` or `..` segments are refused.
 * - all others: nothing more; case counts.
 */
export function normaliseResourceId(type: string, id: string): NormalisedId {
  const text = id.normalize('NFC').trim();
  if (text === '') return refused('the id is empty');
  const unseen = findUnseen(text)[0];
  if (unseen !== undefined) return refused(`the id contains ${unseen.codePoint} (${unseen.name}), which cannot be seen`);
  if (/[\n\r\t]/.test(text)) return refused('the id contains a line break or tab');
  const dialect = DIALECTS.get(type);
  if (dialect !== undefined) return normaliseTable(text, dialect);
  const scheme = BUCKET_SCHEMES.get(type);
  if (scheme !== undefined) return normaliseBucket(text, scheme);
  return { ok: true, id: text };
}

interface Dialect {
  /** The quote in the catalogue's spelling. */
  readonly quote: string;
  /** All quotes around names. */
  readonly quotes: ReadonlySet<string>;
  /** A name that may stand without quotes. */
  readonly plain: RegExp;
  /** The catalogue's spelling of a name without quotes. */
  readonly fold: (name: string) => string;
  /** The name without quotes that means the same as this quoted one, if there is one. */
  readonly unquoted: (name: string) => string | undefined;
  /** Whether case tells two quoted names apart. */
  readonly caseInQuotes: boolean;
  /** Whether one pair of quotes may hold a dotted path. */
  readonly dotsInQuotes: boolean;
  readonly maxParts: number;
  readonly maxPartBytes: number;
}

const WORD = /^[\p{L}_][\p{L}\p{M}\p{N}_$]*$/u;
const MYSQL_WORD = /^[\p{L}\p{N}_$][\p{L}\p{M}\p{N}_$]*$/u;
const BIGQUERY_WORD = /^[\p{L}\p{N}_$-][\p{L}\p{M}\p{N}_$:-]*$/u;
const lower = (name: string): string => name.toLowerCase();

const DIALECTS: ReadonlyMap<string, Dialect> = new Map([
  [
    'postgres_table',
    {
      quote: '"',
      quotes: new Set('"'),
      plain: WORD,
      // PostgreSQL folds ASCII alone in multi-byte encodings (downcase_identifier in scansup.c).
      fold: (name: string) => name.replace(/[A-Z]/g, lower),
      unquoted: (name: string) => (WORD.test(name) && !/[A-Z]/.test(name) ? name : undefined),
      caseInQuotes: true,
      dotsInQuotes: false,
      maxParts: 3,
      maxPartBytes: 63, // NAMEDATALEN - 1: longer names are cut, and would meet another table
    },
  ],
  [
    'mysql_table',
    {
      quote: '`',
      quotes: new Set('`"'), // double quotes under ANSI_QUOTES
      plain: MYSQL_WORD,
      // Whether case counts depends on the server's file system: matching too much is safe here, matching too little is not.
      fold: lower,
      unquoted: (name: string) => (MYSQL_WORD.test(name) ? lower(name) : undefined),
      caseInQuotes: false,
      dotsInQuotes: false,
      maxParts: 2,
      maxPartBytes: 256,
    },
  ],
  [
    'bigquery_table',
    {
      quote: '`',
      quotes: new Set('`'),
      plain: BIGQUERY_WORD,
      // Names are case-sensitive unless the data set says otherwise: again, rather match too much.
      fold: lower,
      unquoted: (name: string) => (BIGQUERY_WORD.test(name) ? lower(name) : undefined),
      caseInQuotes: false,
      dotsInQuotes: true,
      maxParts: 4,
      maxPartBytes: 1024,
    },
  ],
  [
    'snowflake_table',
    {
      quote: '"',
      quotes: new Set('"'),
      plain: WORD,
      fold: lower,
      // Snowflake folds to upper case: "CUSTOMERS" is the table customers, and "customers" is another one.
      unquoted: (name: string) => (WORD.test(name) && name === name.toUpperCase() ? lower(name) : undefined),
      caseInQuotes: true,
      dotsInQuotes: false,
      maxParts: 3,
      maxPartBytes: 255,
    },
  ],
]);

function normaliseTable(text: string, dialect: Dialect): NormalisedId {
  const parts: string[] = [];
  let pos = 0;
  for (;;) {
    while (text[pos] === ' ') pos++;
    const quote = text[pos] ?? '';
    if (!dialect.quotes.has(quote)) {
      const end = text.indexOf('.', pos);
      const name = text.slice(pos, end < 0 ? text.length : end).trimEnd();
      if (!dialect.plain.test(name)) return refused(`${JSON.stringify(name)} is not a plain identifier and not quoted`);
      parts.push(dialect.fold(name));
      pos = end < 0 ? text.length : end;
    } else {
      const quoted = readQuoted(text, pos + 1, quote);
      if (quoted === undefined) return refused('a quoted name does not end');
      for (const name of dialect.dotsInQuotes ? quoted.name.split('.') : [quoted.name]) {
        if (name === '' || name.trim() !== name) return refused('a quoted name is empty or begins or ends with a space');
        parts.push(
          dialect.unquoted(name) ??
            dialect.quote + (dialect.caseInQuotes ? name : lower(name)).replaceAll(dialect.quote, dialect.quote + dialect.quote) + dialect.quote,
        );
      }
      pos = quoted.end;
      while (text[pos] === ' ') pos++;
    }
    if (pos >= text.length) break;
    if (text[pos] !== '.') return refused('text follows a quoted name');
    pos++;
  }
  if (parts.length > dialect.maxParts) return refused(`the name has more than ${dialect.maxParts} parts`);
  if (parts.some((part) => new TextEncoder().encode(part).length > dialect.maxPartBytes))
    return refused('a part of the name is longer than the database keeps');
  return { ok: true, id: parts.join('.') };
}

/** The name from `start` to its closing quote; a doubled closing quote is one in the name. */
function readQuoted(text: string, start: number, closing: string): { name: string; end: number } | undefined {
  let name = '';
  for (let pos = start; pos < text.length; pos++) {
    if (text[pos] === closing) {
      if (text[pos + 1] !== closing) return { name, end: pos + 1 };
      pos++;
    }
    name += text[pos] ?? '';
  }
  return undefined;
}

const BUCKET_SCHEMES: ReadonlyMap<string, string> = new Map([
  ['s3_bucket', 's3'],
  ['s3_object', 's3'],
  ['gcs_bucket', 'gs'],
  ['gcs_object', 'gs'],
]);

function normaliseBucket(text: string, scheme: string): NormalisedId {
  const url = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  const arn = scheme === 's3' ? /^arn:aws[a-z-]{0,20}:s3:::/i.exec(text) : null;
  if (url !== null && url[1]?.toLowerCase() !== scheme) return refused(`the id is a ${url[1] ?? ''} URL, not ${scheme}`);
  const path = text.slice(url?.[0].length ?? arn?.[0].length ?? 0);
  const slash = path.indexOf('/');
  const bucket = (slash < 0 ? path : path.slice(0, slash)).toLowerCase();
  const key = slash < 0 ? '' : path.slice(slash + 1);
  if (!/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(bucket)) return refused(`${JSON.stringify(bucket)} is not a bucket's name`);
  if (key.split('/').some((segment) => segment === '.' || segment === '..')) return refused('the key has . or .. segments, which some clients resolve');
  return { ok: true, id: key === '' ? bucket : `${bucket}/${key}` };
}

function refused(reason: string): NormalisedId {
  return { ok: false, reason };
}
