import type { CompiledBundle, RuleDocument } from '@countersign/core/policy';
import { isDeepStrictEqual } from 'node:util';

export interface RuleChange {
  rule: string;
  change: 'added' | 'removed' | 'changed';
  /** Of a changed rule: the members that differ. */
  members: string[];
}

/** What became of each rule, sorted by id. */
export function ruleChanges(before: CompiledBundle, after: CompiledBundle): RuleChange[] {
  const [old, now] = [documentsOf(before), documentsOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((rule): RuleChange[] => {
    const [a, b] = [old.get(rule), now.get(rule)];
    if (a === undefined || b === undefined) return [{ rule, change: a === undefined ? 'added' : 'removed', members: [] }];
    const members = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => !isDeepStrictEqual(Reflect.get(a, name), Reflect.get(b, name)));
    return members.length === 0 ? [] : [{ rule, change: 'changed', members }];
  });
}

const documentsOf = ({ rules }: CompiledBundle): Map<string, RuleDocument> => new Map(rules.map(({ id, document }) => [id, document]));
