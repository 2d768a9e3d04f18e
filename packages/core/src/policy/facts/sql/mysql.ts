import { Unreadable } from '../inputs.js';
import { HARMLESS, OUTSIDE } from './known-functions.js';
import { mysqlTokens, type MysqlToken } from './mysql-tokens.js';
import type { SqlParsers } from './parsers.js';
import { addTable, noFindings, type Findings } from './statement.js';

type Node = { readonly [member: string]: unknown };
type Scope = ReadonlySet<string>;

const READ_ONLY = new Set(['select', 'show', 'explain', 'describe', 'desc', 'transaction']);
const SCHEMA = new Set(['create', 'drop', 'alter', 'rename']);
/** Reserved words (so never bare names) that stand at the head of what writes, and what may follow where they do not. */
const WRITING =
  /^(?:insert|update|delete|replace|drop|alter|create|truncate|grant|revoke|rename|load|call|lock|unlock|handler|execute|prepare|deallocate|do|set|install|uninstall|import|kill|flush|reset|purge|change|start|stop|shutdown|restart|clone|binlog|into|outfile|dumpfile|xa|signal|resignal|optimize|repair|analyze|cache)$/;
const RESERVED_WRITING =
  /^(?:insert|update|delete|replace|drop|alter|create|grant|revoke|load|call|lock|into|outfile|kill|purge|change|signal|resignal|optimize|set)$/;

/** Words that a bracket may follow without their being functions. */
const BEFORE_BRACKETS = new Set(
  (
    'select from where having on using join as in any some all exists and or not xor when then else case between like regexp rlike is limit offset union except intersect distinct ' +
    'values row over partition by order group window with recursive force use ignore index key char varchar binary varbinary decimal dec numeric float double time datetime timestamp signed unsigned div mod against match separator'
  ).split(' '),
);

/**
 * Reads MySQL with a parser of its grammar, and its words apart from it. What one of the two finds and the other does not is an error: a parser that
 * was not written by the server's makers may read a text otherwise than the server.
 */
export function readMysql(text: string, parsers: SqlParsers, database: string | undefined): Findings {
  const tokens = mysqlTokens(text);
  const parts = split(tokens);
  if (parts.length === 0) throw new Unreadable('there is no statement in it');
  let tree: unknown;
  try {
    tree = parsers.mysql(text);
  } catch {
    throw new Unreadable('the statement is not SQL of MySQL that can be read for certain');
  }
  const statements = (Array.isArray(tree) ? (tree as unknown[]) : [tree]).filter(isNode);
  if (statements.length !== parts.length) throw new Unreadable('it cannot be said for certain where its statements end');
  const found = noFindings();
  found.statements = statements.length;
  statements.forEach((statement, index) => {
    const own = noFindings();
    new Reader(own, database).statement(statement);
    holdAgainst(parts[index] ?? [], own);
    join(found, own);
  });
  return found;
}

function split(tokens: readonly MysqlToken[]): MysqlToken[][] {
  const parts: MysqlToken[][] = [[]];
  for (const token of tokens) {
    if (token.kind === 'mark' && token.text === ';') parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts.filter((part) => part.length > 0);
}

/** The words must bear the tree out: the verb in front, no word of a write in what is said to read, and every table that a clause names. */
function holdAgainst(tokens: readonly MysqlToken[], found: Findings): void {
  const doubt = (): never => {
    throw new Unreadable('its words and its grammar do not agree');
  };
  const head = tokens.find(({ text }) => text !== '(');
  if (head?.kind !== 'word') doubt();
  const first = head?.text ?? '';
  if (WRITING.test(first) && !found.writes) doubt();
  const known = new Set([...found.tables, ...found.ctes].map((name) => name.toLowerCase()));
  const called = new Set([...found.functions, ...found.ctes].map((name) => name.slice(name.lastIndexOf('.') + 1)));
  tokens.forEach(({ kind, text }, index) => {
    // Whatever is called like a function must have been found as one, unless it is known to be harmless.
    const opens = tokens[index + 1]?.kind === 'mark' && tokens[index + 1]?.text === '(';
    if (
      !found.writes &&
      opens &&
      (kind === 'quoted' || kind === 'word') &&
      !called.has(text.toLowerCase()) &&
      (kind === 'quoted' || (!BEFORE_BRACKETS.has(text) && !HARMLESS.mysql.has(text)))
    )
      doubt();
    if (kind !== 'word') return;
    const [before, next, after] = [tokens[index - 1], tokens[index + 1], tokens[index + 2]];
    if (!found.writes && RESERVED_WRITING.test(text) && !(next?.text === '(' && /^(?:insert|replace)$/.test(text)) && before?.text !== '.' && text !== 'set')
      doubt();
    if (/^(?:from|join|update|into)$/.test(text) && next !== undefined && (next.kind === 'quoted' || next.kind === 'word')) {
      if (
        next.kind === 'word' &&
        /^(?:dual|outfile|dumpfile|select|lateral|ignore|low_priority|quick|table|current_date|tables|columns|json_table|key)$/.test(next.text)
      )
        return;
      // ON DUPLICATE KEY UPDATE a column, FOR UPDATE OF, and ON UPDATE in a definition.
      if (text === 'update' && /^(?:key|for|on)$/.test(before?.text ?? '')) return;
      if (insideCall(tokens, index)) return;
      const name = after?.text === '.' ? `${next.text}.${tokens[index + 3]?.text ?? ''}` : next.text;
      if (!known.has(name.toLowerCase())) doubt();
    }
  });
}

/** The `from` of EXTRACT(… FROM …), TRIM and SUBSTRING names no table. */
function insideCall(tokens: readonly MysqlToken[], index: number): boolean {
  let depth = 0;
  for (let at = index - 1; at >= 0; at--) {
    const text = tokens[at]?.kind === 'mark' ? tokens[at]?.text : undefined;
    if (text === ')') depth++;
    else if (text === '(' && depth-- === 0) return /^(?:extract|trim|substring|substr)$/.test(tokens[at - 1]?.text ?? '');
  }
  return false;
}

function join(all: Findings, own: Findings): void {
  for (const set of ['verbs', 'tables', 'writtenTables', 'columns', 'functions', 'unknownFunctions'] as const) for (const each of own[set]) all[set].add(each);
  for (const flag of ['writes', 'changesSchema', 'changesRights', 'unfiltered', 'outside', 'star'] as const) all[flag] ||= own[flag];
}

class Reader {
  readonly #found: Findings;
  readonly #database: string | undefined;

  constructor(found: Findings, database: string | undefined) {
    this.#found = found;
    this.#database = database;
  }

  statement(root: Node): void {
    this.#verbs(root);
    this.#walk(root, new Set());
  }

  #verbs(node: Node): void {
    const found = this.#found;
    const type = textOf(node['type']).toLowerCase();
    const verb = type === 'load_data' ? 'load' : type;
    found.verbs.add(verb);
    if (!READ_ONLY.has(verb)) found.writes = true;
    if (SCHEMA.has(verb)) found.changesSchema = true;
    if (verb === 'grant' || verb === 'revoke' || (['create', 'alter', 'drop'].includes(verb) && /user|role/i.test(String(node['keyword']))))
      found.changesRights = true;
    if (verb === 'load') found.outside = true;
    if (verb === 'execute' || verb === 'prepare') throw new Unreadable('it runs code that does not stand in it as SQL');
    if (verb === 'set' && /role|password/i.test(JSON.stringify(node['expr'] ?? ''))) found.changesRights = true;
    if (verb === 'insert' && node['on_duplicate_update'] != null) found.verbs.add('update');
    if (verb === 'replace') found.verbs.add('delete').add('insert');
    for (const inner of [node['expr']]) if (verb === 'explain' && isNode(inner)) this.#verbs(inner);
  }

  #walk(root: unknown, outer: Scope): void {
    const todo: { node: unknown; scope: Scope; target: boolean }[] = [{ node: root, scope: outer, target: false }];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const { node, target } = next;
      if (Array.isArray(node)) {
        for (const each of node as unknown[]) todo.push({ node: each, scope: next.scope, target });
        continue;
      }
      if (!isNode(node)) continue;
      const scope = this.#withScope(node, next.scope, (cte, visible) => void todo.push({ node: cte, scope: visible, target: false }));
      this.#visit(node, scope, target);
      const writes = ['insert', 'replace', 'update', 'delete', 'drop', 'truncate', 'alter', 'create', 'rename', 'load_data', 'lock'].includes(
        String(node['type']),
      );
      for (const [key, value] of Object.entries(node)) {
        if (key === 'with' || value === null || typeof value !== 'object') continue;
        // A statement's own tables stand in `table` and `name`; what hangs on it otherwise is read.
        todo.push({
          node: value,
          scope,
          target: (writes && (key === 'table' || key === 'name' || key === 'tables' || key === 'view')) || (target && (Array.isArray(node) || key === 'table')),
        });
      }
    }
  }

  #withScope(node: Node, scope: Scope, visit: (cte: unknown, visible: Scope) => void): Scope {
    const list = node['with'];
    if (!Array.isArray(list)) return scope;
    const ctes = list.filter(isNode);
    const names = ctes.map(({ name }) => (isNode(name) ? String(name['value']) : String(name)).toLowerCase());
    for (const name of names) this.#found.ctes.add(name);
    const recursive = ctes.some(({ recursive }) => recursive === true);
    ctes.forEach((cte, index) => visit(cte['stmt'], new Set([...scope, ...(recursive ? names : names.slice(0, index))])));
    return new Set([...scope, ...names]);
  }

  #visit(node: Node, scope: Scope, target: boolean): void {
    const found = this.#found;
    const { type } = node;
    if (type === 'column_ref') {
      const column = nameOf(node['column']);
      if (column === '*') found.star = true;
      else found.columns.add(column.toLowerCase());
    } else if (type === 'function' || type === 'aggr_func') this.#function(node['name']);
    else if (type === 'update' || type === 'delete') {
      if (!restricts(node['where'])) found.unfiltered = true;
    } else if (type === 'select') {
      const { into } = node;
      if (isNode(into) && into['keyword'] != null) {
        found.writes = true;
        if (/file/i.test(textOf(into['keyword']))) found.outside = true;
      } else if (isNode(into) && into['expr'] != null) found.writes = true;
      if (node['locking_read'] != null) found.writes = true;
    }
    if (typeof node['table'] === 'string' && type !== 'column_ref' && !('column' in node)) this.#table([node['db'], node['table']], scope, target);
    if (typeof node['view'] === 'string') this.#table([node['db'], node['view']], scope, true);
  }

  #table(parts: readonly unknown[], scope: Scope, target: boolean): void {
    const names = parts.flatMap((part) => (typeof part === 'string' && part !== '' ? [part.toLowerCase()] : []));
    if (!target && names.length === 1 && scope.has(names[0] ?? '')) return;
    addTable(this.#found.tables, names, this.#database?.toLowerCase());
    if (target) addTable(this.#found.writtenTables, names, this.#database?.toLowerCase());
  }

  #function(written: unknown): void {
    const found = this.#found;
    const parts = (isNode(written) ? [written['schema'], ...(Array.isArray(written['name']) ? (written['name'] as unknown[]) : [written['name']])] : [written])
      .map(nameOf)
      .filter((part) => part !== '')
      .map((part) => part.toLowerCase());
    const name = parts.join('.');
    // The parser takes EXISTS (SELECT …) for a call; in backticks it would be one, and holdAgainst finds it missing.
    if (name === 'exists') return;
    found.functions.add(name);
    if (OUTSIDE.has(parts.at(-1) ?? '')) found.outside = true;
    if (HARMLESS.mysql.has(name)) return;
    found.unknownFunctions.add(name);
    found.writes = true;
  }
}

/** Whether a WHERE can leave a row out, as far as that can be seen. */
function restricts(expression: unknown): boolean {
  if (!isNode(expression)) return false;
  // The parser reads `||` as it joins text, and servers as OR unless their sql_mode says otherwise.
  if (mentions(expression, ({ operator }) => operator === '||' || operator === 'XOR' || operator === 'xor')) return false;
  if (expression['type'] === 'binary_expr') {
    const { left, right } = expression;
    const operator = String(expression['operator']).toUpperCase();
    if (operator === 'AND' || operator === '&&') return restricts(left) || restricts(right);
    if (operator === 'OR') return restricts(left) && restricts(right);
    if (same(left, right)) return false;
  }
  return mentions(expression, ({ type }) => type === 'column_ref');
}

function mentions(root: unknown, wanted: (node: Node) => boolean): boolean {
  const todo = [root];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (Array.isArray(node)) todo.push(...(node as unknown[]));
    else if (isNode(node)) {
      if (wanted(node)) return true;
      todo.push(...Object.values(node).filter((value) => value !== undefined));
    }
  }
  return false;
}

function same(a: unknown, b: unknown): boolean {
  const text = (node: unknown): string => JSON.stringify(node, (key, value: unknown) => (key === 'loc' || key === 'parentheses' ? undefined : value)) ?? '';
  return text(a) === text(b);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : 'other';
}

function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (!isNode(value)) return '';
  return nameOf(value['expr'] ?? value['value'] ?? '');
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
