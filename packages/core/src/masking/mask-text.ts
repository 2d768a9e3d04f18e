import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { JsonValue } from '../request/json-value.js';
import { decodedLayers } from './encoded-text.js';
import type { Finding } from './finding.js';
import { lengthBucket, type MaskClass, type MaskEntry } from './mask-plan.js';
import { findNamedSecrets } from './named-secrets.js';
import { findCards, findEmails } from './personal-data.js';
import { originalSpan, type SearchedText, undisguised, unescaped } from './searched-text.js';
import { findTokens } from './token-shapes.js';

/** One hidden stretch of a string: an entry of the report that does not know its place yet. */
export type Hit = Omit<MaskEntry, 'pointer'>;

/** What masking of strings needs from the document around them. */
export interface TextScope {
  readonly key: Uint8Array;
  /** Counts searched units; throws once the document's bound is passed. */
  spend(units: number): void;
  /** Masks JSON that was found in a string; undefined where nothing in it is hidden. */
  maskJson(value: JsonValue): { masked: JsonValue; hits: Hit[] } | undefined;
}

/**
 * Hides what detectors find in a string, in the clear or under up to two layers of encoding.
 * In kept text personal data stays, and credentials are cut out.
 */
export function maskString(text: string, scope: TextScope, kept: boolean): { text: string; hits: Hit[] } {
  const json = kept ? undefined : maskJsonText(text, scope);
  const source = json?.text ?? text;
  const found = merge(search(source, scope, 2)).filter((finding) => !kept || finding.class === 'secret');
  const hits: Hit[] = [...(json?.hits ?? [])];
  let shown = '';
  let from = 0;
  for (const finding of found) {
    const { mark, hit } = hide(source.slice(finding.start, finding.end), finding, scope.key);
    shown += source.slice(from, finding.start) + mark;
    from = finding.end;
    hits.push(hit);
  }
  return { text: shown + source.slice(from), hits };
}

/** What stands in place of a secret or a field: its class and about how long it was. */
export function strippedMark(maskClass: MaskClass, length: number): string {
  return `[${maskClass}:len≈${lengthBucket(length)}]`;
}

/** What stands in place of personal data: equal values show as equal under one key. HMAC-SHA-256 over class, NUL and value; 40 bits are shown. */
export function tokenMark(maskClass: MaskClass, normal: string, key: Uint8Array): string {
  const digest = hmac(sha256, key, utf8ToBytes(`${maskClass}\0${normal}`));
  return `[${maskClass}:${bytesToHex(digest.subarray(0, 5))}]`;
}

/** What stands in place of what was not searched. */
export function unscannedMark(bytes: number): string {
  return `[unscanned:bytes=${bytes}]`;
}

function hide(original: string, finding: Finding, key: Uint8Array): { mark: string; hit: Hit } {
  const { class: maskClass, detector, normal } = finding;
  if (normal !== undefined) return { mark: tokenMark(maskClass, normal, key), hit: { class: maskClass, action: 'token', detector, length: original.length } };
  return { mark: strippedMark(maskClass, original.length), hit: { class: maskClass, action: 'strip', detector, length: lengthBucket(original.length) } };
}

/** A string that is JSON is masked as JSON, so that names in it count. */
function maskJsonText(text: string, scope: TextScope): { text: string; hits: Hit[] } | undefined {
  if (!/^\s{0,64}[{[]/.test(text)) return undefined;
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue; // JSON.parse gives JSON values only
  } catch {
    return undefined; // no JSON: the text is searched as text
  }
  const result = scope.maskJson(value);
  return result === undefined
    ? undefined
    : { text: JSON.stringify(result.masked), hits: result.hits.map((hit) => ({ ...hit, detector: `json/${hit.detector}` })) };
}

/** All findings in a text and in what it decodes to, at their places in the text. */
function search(text: string, scope: TextScope, layers: number): Finding[] {
  const found: Finding[] = [];
  let copy: SearchedText | undefined = undisguised({ text });
  for (let escapes = 0; copy !== undefined && escapes <= 2; escapes++) {
    scope.spend(copy.text.length);
    const prefix = escapes === 0 ? '' : 'escaped/';
    for (const finding of [...detect(copy.text), ...searchEncoded(copy.text, scope, layers)]) {
      found.push({ ...finding, ...originalSpan(copy, finding.start, finding.end), detector: prefix + finding.detector });
    }
    const next: SearchedText | undefined = unescaped(copy);
    copy = next === undefined ? undefined : undisguised(next);
  }
  return found;
}

function* detect(text: string): Generator<Finding> {
  yield* findTokens(text);
  yield* findNamedSecrets(text);
  yield* findCards(text);
  yield* findEmails(text);
}

/** An encoded run that holds anything is hidden whole: its rest would decode to what stands beside the secret. */
function* searchEncoded(text: string, scope: TextScope, layers: number): Generator<Finding> {
  if (layers === 0) return;
  for (const run of decodedLayers(text)) {
    const inside = run.texts.flatMap((decoded) => [...search(decoded, scope, layers - 1), ...searchJson(decoded, scope)]);
    const worst = inside.sort((a, b) => SEVERITY[b.class] - SEVERITY[a.class])[0];
    if (worst !== undefined) yield { start: run.start, end: run.end, class: worst.class, detector: `${run.encoding}/${worst.detector}` };
  }
}

/** Decoded JSON is walked too: a name may hide an object. */
function searchJson(text: string, scope: TextScope): Finding[] {
  const hits = maskJsonText(text, scope)?.hits ?? [];
  return hits.map(({ class: maskClass, detector }) => ({
    start: 0,
    end: text.length,
    class: maskClass === 'email' || maskClass === 'card' ? maskClass : 'secret',
    detector,
  }));
}

const SEVERITY: Readonly<Record<Finding['class'], number>> = { secret: 3, card: 2, email: 1 };

/** Findings in order without overlap: what overlaps is one stretch of the graver class. */
function merge(found: readonly Finding[]): Finding[] {
  const merged: Finding[] = [];
  for (const next of [...found].sort((a, b) => a.start - b.start || b.end - a.end)) {
    const last = merged.at(-1);
    if (last === undefined || next.start >= last.end) {
      merged.push(next);
      continue;
    }
    const graver = SEVERITY[next.class] > SEVERITY[last.class] ? next : last;
    const end = Math.max(last.end, next.end);
    // A token is made of a whole value; a stretch that is longer than its value has no token.
    const whole = graver.start === last.start && graver.end === end;
    const { normal: _normal, ...bare } = graver;
    merged[merged.length - 1] = whole ? graver : { ...bare, start: last.start, end };
  }
  return merged;
}
