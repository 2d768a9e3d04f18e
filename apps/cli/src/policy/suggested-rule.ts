import type { Suggestion } from '@countersign/core/policy';
import { isMap, isSeq, LineCounter, parseDocument, stringify } from 'yaml';
import { CliError } from '../cli-error.js';

/** How long a suggested rule holds before somebody looks again, in days. */
const HOLDS_DAYS = 90;

/** The rule that would spare people a cluster of requests: bounded in count and time, and taken back to people beyond. */
export function suggestedRule(suggestion: Suggestion, now: Date): object {
  const { rule, action, resource_type, environment, actor, decided, days, approvers, median_seconds, denial_bound, most_a_day } = suggestion;
  return {
    id: `suggested-${rule}-${slug(actor)}`.slice(0, 64),
    effect: 'allow',
    actions: [action],
    resource_types: [resource_type],
    environments: [environment],
    when: `actor.id == ${JSON.stringify(actor)}`,
    // Whether the actor is proved depends on the caller's credential: whoever takes this rule over says that it does.
    trust: 'asserted',
    exempts: [rule],
    explain: `Like ${decided} requests before it, which nobody denied`,
    limit: { count: Math.max(1, 2 * most_a_day), per: '1d', by: 'actor.id', on_exceed: 'require', exceed_rule: rule },
    expires: new Date(now.getTime() + HOLDS_DAYS * 86_400_000).toISOString().slice(0, 10),
    suggested_by: `${decided} of ${decided} approved in ${days} d by ${approvers} approvers, median ${Math.round(median_seconds)} s, denials below ${(100 * denial_bound).toFixed(1)} % (95 %)`,
  };
}

/** What shows that the rule does what it says. */
export function suggestedTest(suggestion: Suggestion, now: Date): object {
  const { action, resource_type, environment, actor, rule } = suggestion;
  return {
    name: `suggested: ${actor} may ${action} without people`.slice(0, 256),
    request: { action, resource: { type: resource_type, id: 'example' }, environment, actor: { type: 'agent', id: actor } },
    now: now.toISOString(),
    verified: ['actor', 'environment'],
    expect: { outcome: 'allow', rules: [`suggested-${rule}-${slug(actor)}`.slice(0, 64)] },
  };
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 32) || 'actor';

/** A file with more items at the end of one of its lists, and the change as a unified diff. */
export interface Added {
  text: string;
  diff: string;
}

/** @throws CliError `unusable` where the file has no such list in block style */
export function addItems(file: string, text: string, list: 'rules' | 'tests', items: readonly object[]): Added {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: '1.2' });
  const node = isMap(document.contents) ? document.contents.get(list, true) : undefined;
  const source = text.replace(/\n$/, '').split('\n');
  const found = isSeq(node) && node.flow !== true && node.range != null ? { first: lines.linePos(node.range[0]), end: lines.linePos(node.range[1]) } : null;
  if (found === null && (list === 'rules' || node !== undefined))
    throw new CliError('unusable', `${file} has no list "${list}" with an item to a line: add the items by hand.`);
  const indent = found === null ? '  ' : ' '.repeat(found.first.col - 1);
  const own = stringify(items, { indent: 2, lineWidth: 140, flowCollectionPadding: true, singleQuote: true })
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : `${indent}${line}`));
  // The line after the list's last one; a list ends where the next member begins, or with the file.
  let at = found === null ? source.length : found.end.col === 1 ? found.end.line - 1 : found.end.line;
  while (at > 0 && (source[at - 1] ?? '').trim() === '') at -= 1;
  const added = found === null ? [`${list}:`, ...own] : own;
  const result = [...source.slice(0, at), ...added, ...source.slice(at)];
  const [before, after] = [source.slice(Math.max(0, at - 3), at), source.slice(at, at + 3)];
  const start = Math.max(0, at - 3) + 1;
  const diff = [
    `--- a/${file}`,
    `+++ b/${file}`,
    `@@ -${start},${before.length + after.length} +${start},${before.length + after.length + added.length} @@`,
    ...before.map((line) => ` ${line}`),
    ...added.map((line) => `+${line}`),
    ...after.map((line) => ` ${line}`),
  ].join('\n');
  return { text: `${result.join('\n')}\n`, diff };
}
