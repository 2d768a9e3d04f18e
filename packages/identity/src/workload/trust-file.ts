import { readFile } from 'node:fs/promises';
import { isMap, isNode, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { z } from 'zod';
import { IdentityError } from '../errors.js';
import { bindingOf, fits, type TrustRule, trustRuleSchema } from './trust-rule.js';

/** What is wrong with a trust file, and where: lines and columns count from 1, `path` names the member, `trust[2].match.ref`. */
export interface TrustProblem {
  file: string;
  line: number;
  column: number;
  path: string;
  message: string;
}

export type TrustRead = { ok: true; rules: TrustRule[] } | { ok: false; problems: TrustProblem[] };

const trustSchema = z.strictObject({ trust: z.array(trustRuleSchema).max(1000) });

/**
 * Reads the file (COUNTERSIGN_TRUST).
 * @throws IdentityError `trust_invalid` with every problem in its message
 */
export async function readTrustFile(path: string): Promise<TrustRule[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new IdentityError('trust_invalid', `The trust file ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const read = readTrust(path, text);
  if (read.ok) return read.rules;
  const lines = read.problems.map(({ file, line, column, path: where, message }) => `${file}:${line}:${column}: ${where === '' ? '' : `${where}: `}${message}`);
  throw new IdentityError('trust_invalid', `The trust file cannot be used:\n${lines.join('\n')}`);
}

/** Reads a trust file's text, YAML 1.2 or JSON. */
export function readTrust(file: string, text: string): TrustRead {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: false,
    uniqueKeys: true,
    stringKeys: true,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: 'error',
  });
  const problems: TrustProblem[] = [];
  const refuseAt = (offset: number, path: string, message: string): void => {
    const { line, col } = lines.linePos(offset);
    problems.push({ file, line: Math.max(1, line), column: Math.max(1, col), path, message });
  };
  const refuse = (path: readonly PropertyKey[], message: string): void => refuseAt(offsetOf(document, path), written(path), message);
  for (const fault of [...document.errors, ...document.warnings]) refuseAt(fault.pos[0], '', fault.message);
  visit(document, { Alias: (_key, node) => refuseAt(node.range?.[0] ?? 0, '', 'aliases (*name) are not read here: write the value out') });
  if (problems.length > 0) return { ok: false, problems };
  const parsed = trustSchema.safeParse(document.toJS());
  if (!parsed.success) {
    for (const issue of flat(parsed.error.issues)) {
      if (issue.code === 'unrecognized_keys') for (const key of issue.keys) refuse([...issue.path, key], 'is no member of a trust rule');
      else refuse(issue.path, issue.message);
    }
    return { ok: false, problems };
  }
  checkTogether(parsed.data.trust, refuse);
  return problems.length === 0 ? { ok: true, rules: parsed.data.trust } : { ok: false, problems };
}

/** Of a union the branch that came furthest says what is wrong. */
function flat(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union') return [issue];
    const [nearest] = issue.errors.map((branch) => flat(branch)).toSorted((a, b) => depth(b) - depth(a) || a.length - b.length);
    return nearest === undefined || nearest.length === 0 ? [issue] : nearest.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
  });
}

const depth = (issues: readonly z.core.$ZodIssue[]): number => Math.max(0, ...issues.map(({ path }) => path.length));

/** Callers have one rule each; rules of one issuer agree about its keys; no two rules can be seen to fit every token of the other. */
function checkTogether(rules: readonly TrustRule[], refuse: (path: readonly PropertyKey[], message: string) => void): void {
  rules.forEach((rule, index) => {
    const binding = bindingOf(rule, '');
    for (const [before, earlier] of rules.slice(0, index).entries()) {
      const other = bindingOf(earlier, '');
      if (earlier.caller === rule.caller) refuse(['trust', index, 'caller'], `this caller stands already at trust[${before}]: one rule leads to one caller`);
      if (other.issuer !== binding.issuer) continue;
      if (JSON.stringify(other.jwks) !== JSON.stringify(binding.jwks)) refuse(['trust', index], `trust[${before}] finds the keys of the same issuer elsewhere`);
      if (other.audience === binding.audience && (within(other.match, binding.match) || within(binding.match, other.match)))
        refuse(['trust', index, 'match'], `every token that fits this rule, or trust[${before}], fits both: none of them would be taken`);
    }
  });
}

/** Whether what fits `inner` fits `outer` too, as far as their texts tell. */
function within(inner: TrustRule['match'], outer: TrustRule['match']): boolean {
  return Object.entries(outer).every(
    ([claim, wanted]) => inner[claim]?.every((value) => wanted.includes(value) || (!value.includes('*') && fits(wanted, value))) === true,
  );
}

function written(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, token) => (typeof token === 'number' ? `${text}[${token}]` : text === '' ? String(token) : `${text}.${String(token)}`), '');
}

/** Where the member stands, or the innermost one around it that exists. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const around = document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    if (isMap(around)) {
      const key = around.items.find((pair) => isNode(pair.key) && String(pair.key) === String(last))?.key;
      if (isNode(key)) return key.range?.[0] ?? 0;
    }
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node)) return node.range?.[0] ?? 0;
  }
  return 0;
}
