import type { JsonValue } from '@countersign/contracts';
import { childPointer, type JsonPointer } from '../request/index.js';
import { PATH } from './bundle/schema-parts.js';
import type { ExplanationPart, PolicyInput } from './types.js';

/** A rule's `explain`, taken apart once: fixed text, and the places of values. */
export type Template = readonly ({ text: string } | { path: readonly string[] })[];

/** Reads `Export of {{resource.id}}`; a string says what is wrong with it. */
export function parseTemplate(source: string): Template | string {
  const parts: ({ text: string } | { path: string[] })[] = [];
  let from = 0;
  for (const match of source.matchAll(/\{\{\s*([^{}]*?)\s*\}\}/g)) {
    if (match.index > from) parts.push({ text: source.slice(from, match.index) });
    const written = match[1] ?? '';
    if (!PATH.test(written) || written.includes('*')) return `"{{${written}}}" names no value`;
    parts.push({ path: pathTokens(written) });
    from = match.index + match[0].length;
  }
  if (from < source.length) parts.push({ text: source.slice(from) });
  const loose = parts.find((part) => 'text' in part && /\{\{|\}\}/.test(part.text));
  return loose === undefined ? parts : 'a placeholder is written {{resource.id}}';
}

/** The tokens of `parameters.rows[0]["a b"]`. */
export function pathTokens(path: string): string[] {
  return [...path.matchAll(/\["([^"]*)"\]|\[(\d+)\]|\.?([A-Za-z_][A-Za-z0-9_-]*)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

/**
 * Fills a template in: values of the request as pointers, for the masker; what the catalogue says as text, since it is
 * the bundle's own.
 */
export function fillTemplate(
  template: Template,
  input: PolicyInput,
  resolved: { labels: ReadonlyMap<string, string>; environment: string | undefined },
): ExplanationPart[] {
  return template.map((part): ExplanationPart => {
    if ('text' in part) return part;
    const { path } = part;
    const pointer = path.reduce<JsonPointer>((parent, token) => childPointer(parent, token), '');
    const given = valueAt(input, path);
    const catalogued =
      path.length === 3 && path[0] === 'resource' && path[1] === 'labels'
        ? resolved.labels.get(path[2] ?? '')
        : path.length === 1 && path[0] === 'environment'
          ? resolved.environment
          : undefined;
    if (catalogued !== undefined && catalogued !== given) return { text: catalogued };
    return given === undefined ? { text: '(not given)' } : { value: pointer };
  });
}

function valueAt(input: PolicyInput, path: readonly string[]): JsonValue | undefined {
  // Requests are JSON; `now` is no member of the request, and no path names it.
  let value = input as unknown as JsonValue | undefined;
  for (const token of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return undefined;
    value = (value as { [member: string]: JsonValue })[token];
  }
  return value;
}

/** Puts sentences one after the other. */
export function joinSentences(sentences: readonly (readonly ExplanationPart[])[]): ExplanationPart[] {
  return sentences.flatMap((sentence, index) => {
    if (index === 0) return sentence;
    const before = sentences[index - 1]?.at(-1);
    const ended = before !== undefined && 'text' in before && /[.!?:;]\s*$/.test(before.text);
    return [{ text: ended ? ' ' : '; ' }, ...sentence];
  });
}
