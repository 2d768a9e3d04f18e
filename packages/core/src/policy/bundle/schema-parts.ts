import { z } from 'zod';
import { parseDuration } from './durations.js';

/** The pieces of which the language's shapes are made. */
export const MAX_TIMEOUT_SECONDS = 30 * 86_400;

export const text = (max: number) => z.string().min(1).max(max);

export const name = (what: string) =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$/, `${what}: a letter or digit, then letters, digits and . _ : / @ - only, at most 128`);
export const group = name('a group');

export const ruleId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'a rule id: a letter or digit, then letters, digits and . _ - only, at most 128');

export const identifier = (what: string) => z.string().regex(/^[a-z][A-Za-z0-9_]{0,63}$/, `${what} is named by a small letter, then letters, digits and _`);

export const pattern = (max: number) =>
  text(max)
    .refine((value) => value.split('*').length <= 9, 'a pattern has at most 8 stars')
    .refine((value) => !value.includes('**'), 'one * already stands for any run of characters, dots and slashes too');
export const patterns = z.array(pattern(128)).min(1).max(200);

export const duration = (maxSeconds: number, minSeconds = 1) =>
  z.string().refine(
    (value) => {
      const seconds = parseDuration(value);
      return seconds !== undefined && seconds >= minSeconds && seconds <= maxSeconds;
    },
    `a duration is a whole number and s, m, h or d, such as "30m", and here ${minSeconds > 1 ? `from ${minSeconds} to` : 'at most'} ${maxSeconds} seconds`,
  );

export const condition = z.string().min(1).max(4096);

/** `parameters.rows[*].iban`: a root, then members, indexes, `[*]` for all elements, and quoted keys. */
export const PATH = /^(?:action|environment|reason|resource|actor|parameters|context)(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[(?:\d{1,6}|\*|"[^"\\\]]{1,128}")\])*$/;
/** The same, and `*` for any member, `**` for any number of levels, as the masker reads them. */
export const MASK_PATH =
  /^(?:action|environment|reason|resource|actor|parameters|context)(?:\.(?:\*\*?|[A-Za-z_][A-Za-z0-9_-]*)|\[(?:\d{1,6}|\*|"[^"\\\]]{1,128}")\])*$/;
/** The place of one value. */
export const VALUE_PATH = /^(?:action|environment|reason|resource|actor|parameters|context)(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[(?:\d{1,6}|"[^"\\\]]{1,128}")\])*$/;
/** The place of a parameter. */
export const PARAMETER_PATH = /^parameters(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[(?:\d{1,6}|"[^"\\\]]{1,128}")\])+$/;

export const path = (form: RegExp, example = 'parameters.rows[*].iban') => z.string().max(256).regex(form, `a path is written like ${example}`);
export const paths = (form: RegExp) => z.array(path(form)).max(200);

/** An instant, or a date, which stands for its first moment in UTC. */
export const instant = z
  .string()
  .regex(
    /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/,
    'an instant is written like 2026-12-18T00:00Z, or 2026-12-18 for its first moment in UTC',
  )
  .refine((value) => !Number.isNaN(instantMillis(value)), 'there is no such day or time');

/** Milliseconds since 1970 of an instant of the language; NaN where there is no such day or time. */
export function instantMillis(written: string): number {
  const day = written.slice(0, 10);
  const midnight = Date.parse(`${day}T00:00:00.000Z`);
  // Date.parse rolls February 30 over into March.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return Number.NaN;
  return written.length === 10 ? midnight : Date.parse(written);
}
