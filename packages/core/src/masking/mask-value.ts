import { utf8ToBytes } from '@noble/hashes/utils.js';
import { CoreError } from '../errors.js';
import { childPointer, type JsonObject, type JsonPointer, type JsonValue } from '../request/json-value.js';
import { descend, isNamed, type PathState, startPaths } from './mask-path.js';
import { DEFAULT_MASK_LIMITS, lengthBucket, type MaskEntry, type MaskLimits, type MaskPlan, type MaskResult } from './mask-plan.js';
import { type Hit, maskString, strippedMark, type TextScope, tokenMark, unscannedMark } from './mask-text.js';
import { isCardNumber } from './personal-data.js';
import { secretPlaces } from './secret-places.js';
import { isPlainlyNoSecret, isSecretName } from './secret-names.js';

/**
 * The document with everything hidden that policy names, that its own name calls a secret, or that detectors find; and a report of it.
 *
 * Objects and arrays keep their members and order. Names are searched as values are. null, truth values and empty text under a secret's
 * name stay: they say what a command does and give nothing away. A whole object under a secret's name or a policy path is replaced by one
 * mark, except the objects that the shape of a submission demands (`/parameters`, `/context`, …): there each member is.
 *
 * Nothing passes unsearched: what lies over a bound, or on which a detector fails, becomes `[unscanned:bytes=…]`, and `complete` is false.
 * @throws CoreError `invalid_argument` for a key under 16 bytes or a path that is not understood
 */
export function maskValue(value: JsonValue, plan: MaskPlan): MaskResult {
  const walk = new Walk(plan);
  const masked = walk.value(value, { pointer: '', original: '', paths: startPaths(plan.paths), depth: 0, kept: false });
  return { masked, report: walk.report, complete: walk.complete };
}

/** As maskValue, for one text that is no document: a log line, the message of an error. Paths have nothing to name in it. */
export function maskText(text: string, plan: MaskPlan): MaskResult<string> {
  const walk = new Walk(plan);
  const masked = walk.text(text, { pointer: '', original: '', paths: [], depth: 0, kept: false });
  return { masked, report: walk.report, complete: walk.complete };
}

/** Where the walk is. */
interface Place {
  /** In the masked document: for the report. */
  readonly pointer: JsonPointer;
  /** In the original: for `keep` and the fixed objects. */
  readonly original: JsonPointer;
  readonly paths: readonly PathState[];
  readonly depth: number;
  readonly kept: boolean;
}

/** Objects that a submission must have as objects. */
const FIXED_OBJECTS = new Set([
  '',
  '/resource',
  '/resource/labels',
  '/parameters',
  '/actor',
  '/actor/on_behalf_of',
  '/context',
  '/undo',
  '/undo/resource',
  '/undo/resource/labels',
  '/undo/parameters',
]);

/** Beyond this many levels of JSON in strings of JSON, a string is searched as text alone. */
const MAX_JSON_LAYERS = 4;

class Walk {
  readonly report: MaskEntry[] = [];
  complete = true;
  private readonly limits: MaskLimits;
  private readonly keeps: (pointer: JsonPointer) => boolean;
  private nodes = 0;
  private work = 0;
  private jsonLayers = 0;
  /** Containers in which something was left out, so that a million members make one entry. */
  private readonly cut = new Set<JsonPointer>();

  constructor(private readonly plan: MaskPlan) {
    if (plan.key.length < 16) throw new CoreError('invalid_argument', 'the key of a mask plan is shorter than 16 bytes');
    this.limits = { ...DEFAULT_MASK_LIMITS, ...plan.limits };
    const { keep = [] } = plan;
    const pointers = typeof keep === 'function' ? undefined : new Set(keep);
    this.keeps = typeof keep === 'function' ? keep : (pointer) => pointers?.has(pointer) ?? false;
  }

  value(value: JsonValue, from: Place): JsonValue {
    try {
      const place = from.kept || !this.keeps(from.original) ? from : { ...from, kept: true };
      const container = typeof value === 'object' && value !== null;
      if (++this.nodes > this.limits.nodes && (container || !place.kept)) return this.unscanned(value, place, 'nodes');
      if (container && place.depth >= this.limits.depth) return this.unscanned(value, place, 'depth');
      if (!place.kept && isNamed(place.paths)) return this.hidden(value, place, 'field', 'policy-path');
      if (typeof value === 'string') return this.text(value, place);
      if (typeof value === 'number') return this.number(value, place);
      if (value === null || typeof value === 'boolean') return value;
      if (Array.isArray(value)) return this.array(value, place);
      if (typeof value === 'object') return this.object(value, place);
      return this.unscanned(value, place, 'not-json');
    } catch {
      // Whatever failed, failed on this value: it is left out and the rest is searched. The error may quote the value, so it goes no further.
      return this.unscanned(value, from, 'failure');
    }
  }

  text(text: string, place: Place): string {
    try {
      if (text.length > this.limits.stringLength) return this.unscanned(text, place, 'length');
      const { text: shown, hits } = maskString(text, this.scope(place), place.kept);
      this.record(hits, place.pointer);
      return shown;
    } catch {
      return this.unscanned(text, place, 'failure'); // as in value()
    }
  }

  private number(value: number, place: Place): JsonValue {
    const digits = String(value);
    if (place.kept || !isCardNumber(digits)) return value;
    this.report.push({ pointer: place.pointer, class: 'card', action: 'token', detector: 'card', length: digits.length });
    return tokenMark('card', digits, this.plan.key);
  }

  private array(items: readonly JsonValue[], place: Place): JsonValue {
    const secrets = place.kept ? undefined : secretPlaces(items);
    return items.map((item, index) => {
      const below = this.below(place, String(index), String(index));
      return secrets?.has(String(index)) === true ? this.secret('', item, below) : this.value(item, below);
    });
  }

  private object(members: JsonObject, place: Place): JsonValue {
    const secrets = place.kept ? undefined : secretPlaces(members);
    const taken = new Set<string>();
    // fromEntries defines members, so that a key `__proto__` stays a key.
    return Object.fromEntries(
      Object.entries(members).map(([key, member]) => {
        const shown = this.key(key, place, taken);
        const below = this.below(place, key, shown);
        const secret = !place.kept && (isSecretName(key) || secrets?.has(key) === true);
        return [shown, secret ? this.secret(key, member, below) : this.value(member, below)];
      }),
    );
  }

  /** A member's name as it is shown; two names that are masked alike stay two members. */
  private key(key: string, place: Place, taken: Set<string>): string {
    const masked = this.text(key, place);
    let shown = masked;
    for (let copy = 2; taken.has(shown); copy++) shown = `${masked}#${copy}`;
    taken.add(shown);
    return shown;
  }

  private secret(name: string, value: JsonValue, from: Place): JsonValue {
    if (this.keeps(from.original) || isPlainlyNoSecret(name, value) || isEmpty(value)) return this.value(value, from);
    if (isMark(value)) return value;
    return this.hidden(value, from, 'secret', 'secret-name');
  }

  /** One mark in place of a value, whatever is in it. */
  private hidden(value: JsonValue, place: Place, maskClass: 'secret' | 'field', detector: string): JsonValue {
    if (FIXED_OBJECTS.has(place.original) && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const taken = new Set<string>();
      return Object.fromEntries(
        Object.entries(value).map(([key, member]) => {
          const shown = this.key(key, place, taken);
          const below = this.below(place, key, shown);
          return [shown, this.keeps(below.original) ? this.value(member, below) : this.hidden(member, below, maskClass, detector)];
        }),
      );
    }
    const length = typeof value === 'string' ? value.length : jsonLength(value);
    this.report.push({ pointer: place.pointer, class: maskClass, action: 'strip', detector, length: lengthBucket(length ?? 0) });
    return strippedMark(maskClass, length ?? 0);
  }

  private unscanned(value: JsonValue, place: Place, why: string): string {
    this.complete = false;
    const bytes = (typeof value === 'string' ? utf8ToBytes(value).length : jsonLength(value)) ?? 0;
    const parent = place.pointer.slice(0, place.pointer.lastIndexOf('/') + 1) + why;
    if (!this.cut.has(parent)) this.report.push({ pointer: place.pointer, class: 'unscanned', action: 'strip', detector: why, length: bytes });
    this.cut.add(parent);
    return unscannedMark(bytes);
  }

  private below(place: Place, token: string, shown: string): Place {
    return {
      pointer: childPointer(place.pointer, shown),
      original: childPointer(place.original, token),
      paths: place.paths.length === 0 ? place.paths : descend(place.paths, token),
      depth: place.depth + 1,
      kept: place.kept,
    };
  }

  private scope(place: Place): TextScope {
    return {
      key: this.plan.key,
      spend: (units) => {
        this.work += units;
        if (this.work > this.limits.work) throw new Error('the document takes more work than its bound');
      },
      maskJson: (value) => this.jsonInText(value, place),
    };
  }

  /** JSON in a string is walked with the same bounds; paths do not reach into it. */
  private jsonInText(value: JsonValue, place: Place): { masked: JsonValue; hits: Hit[] } | undefined {
    if (this.jsonLayers >= MAX_JSON_LAYERS || typeof value !== 'object' || value === null) return undefined;
    this.jsonLayers++;
    const before = this.report.length;
    try {
      // No pointer of a submission reads like this, so nothing in here is kept or has a fixed shape.
      const masked = this.value(value, { ...place, original: `${place.original}/(json)`, paths: [], depth: place.depth + 1 });
      const hits = this.report.splice(before);
      return hits.length === 0 ? undefined : { masked, hits };
    } finally {
      this.jsonLayers--;
    }
  }

  /** One entry for each rule that hid something at a place, with the length of all of it. */
  private record(hits: readonly Hit[], pointer: JsonPointer): void {
    const entries = new Map<string, MaskEntry>();
    for (const { class: maskClass, action, detector, length } of hits) {
      const id = `${maskClass} ${action} ${detector}`;
      entries.set(id, { pointer, class: maskClass, action, detector, length: length + (entries.get(id)?.length ?? 0) });
    }
    this.report.push(...entries.values());
  }
}

/** What this masker wrote in a value's place: masking twice changes nothing. */
const isMark = (value: JsonValue): boolean => typeof value === 'string' && /^\[(?:secret|field):len≈\d{1,9}\]$/.test(value);

function isEmpty(value: JsonValue): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** UTF-8 bytes of a value's JSON; undefined where it has none that can be written. */
function jsonLength(value: JsonValue): number | undefined {
  try {
    return utf8ToBytes(JSON.stringify(value)).length;
  } catch {
    return undefined; // too deep for JSON.stringify, or no JSON at all
  }
}
