import { Unreadable } from '../inputs.js';
import { HARMLESS, OUTSIDE } from './known-functions.js';
import type { SqlParsers, SqlToken } from './parsers.js';
import { addTable, noFindings, type Findings } from './statement.js';

/** The deepest brackets of a statement. */
const MAX_NESTING = 40;
/** Words and operators that can each make the tree one level deeper; commas, names and literals cannot. */
const MAX_CHAIN = 500;

type Node = { readonly [member: string]: unknown };
type Scope = ReadonlySet<string>;

/** Reads PostgreSQL with PostgreSQL's own grammar. Throws Unreadable where the text is none, or runs what cannot be seen in it. */
export function readPostgresql(text: string, parsers: SqlParsers, schema: string | undefined): Findings {
  if (text.trim() === '') throw new Unreadable('there is no statement in it');
  const tree = parse(text, parsers);
  const found = noFindings();
  const statements = Array.isArray(tree['stmts']) ? tree['stmts'] : [];
  found.statements = statements.length;
  if (statements.length === 0) throw new Unreadable('there is no statement in it');
  for (const statement of statements) {
    const inner = isNode(statement) ? statement['stmt'] : undefined;
    if (!isNode(inner)) throw new Unreadable('the statement cannot be read');
    new Reader(found, schema).statement(inner);
  }
  return found;
}

function parse(text: string, parsers: SqlParsers): Node {
  try {
    checkTokens(parsers.postgresqlTokens(text));
    const tree = parsers.postgresql(text);
    if (isNode(tree)) return tree;
  } catch (fault) {
    if (fault instanceof Unreadable) throw fault;
  }
  throw new Unreadable('the statement is not SQL of PostgreSQL');
}

/** Keeps the tree shallow, and refuses what servers of other settings read differently. */
function checkTokens(tokens: readonly SqlToken[]): void {
  let nesting = 0;
  let chain = 0;
  for (const { text, tokenName, keywordName } of tokens) {
    if (text === '(' || text === '[') {
      if (++nesting > MAX_NESTING) throw new Unreadable('the statement is nested too deep');
    } else if (text === ')' || text === ']') nesting--;
    else if (tokenName === 'SCONST' && text.startsWith("'") && /\\+'/.test(text))
      throw new Unreadable('a string has a backslash before a quote, which servers read differently by their settings');
    else if (text !== ',' && text !== '.' && (keywordName !== 'NO_KEYWORD' || !/^(?:IDENT|ICONST|FCONST|SCONST|SQL_COMMENT|C_COMMENT|PARAM)$/.test(tokenName)))
      if (++chain > MAX_CHAIN) throw new Unreadable('the statement is too long to be read');
  }
}

/** Statements that leave data, schema and rights as they are; every other one writes. */
const READ_ONLY = new Set(['select', 'show', 'explain', 'transaction', 'declare', 'fetch', 'close']);
/** What a dozen of node types is called by people; the others are named by their type. */
const VERBS: Readonly<Record<string, string>> = {
  GrantRoleStmt: 'grant',
  VariableSetStmt: 'set',
  VariableShowStmt: 'show',
  RenameStmt: 'alter',
  IndexStmt: 'create',
  ViewStmt: 'create',
  RuleStmt: 'create',
  DefineStmt: 'create',
  CompositeTypeStmt: 'create',
  DeclareCursorStmt: 'declare',
  ClosePortalStmt: 'close',
  RefreshMatViewStmt: 'refresh',
  ReassignOwnedStmt: 'reassign',
  SecLabelStmt: 'label',
  ImportForeignSchemaStmt: 'import',
};
const RIGHTS =
  /^(?:GrantStmt|GrantRoleStmt|(?:Create|Alter|Drop)Role|AlterRoleSetStmt|AlterDefaultPrivilegesStmt|AlterOwnerStmt|ReassignOwnedStmt|DropOwnedStmt|(?:Create|Alter)PolicyStmt|SecLabelStmt|CreateUserMapping|AlterUserMapping|CreateEventTrig)/;
const OUTSIDE_STATEMENTS = /Foreign|UserMapping|Subscription|Publication|^LoadStmt$|Extension|Tablespace/;
/** The parts of a statement that stand for the tables it changes. */
const TARGETS = new Set(['relation', 'relations', 'rel', 'rels', 'view', 'sequence']);

class Reader {
  readonly #found: Findings;
  readonly #schema: string | undefined;

  constructor(found: Findings, schema: string | undefined) {
    this.#found = found;
    this.#schema = schema;
  }

  /** A statement: `{SelectStmt: {…}}`. */
  statement(wrapped: Node): void {
    const todo: { node: unknown; scope: Scope; target: boolean; statement: boolean }[] = [{ node: wrapped, scope: new Set(), target: false, statement: true }];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const { node, scope, target, statement } = next;
      if (Array.isArray(node)) {
        for (const each of node) todo.push({ node: each, scope, target, statement });
        continue;
      }
      if (!isNode(node)) continue;
      // The sides of a UNION are statements without their type before them.
      if (node['lockingClause'] !== undefined) this.#found.writes = true;
      if (node['intoClause'] !== undefined) this.#verb('create', 'CreateTableAsStmt');
      if (typeof node['relname'] === 'string' && typeof node['relpersistence'] === 'string') this.#table(node, scope, target);
      for (const [key, value] of Object.entries(node)) {
        if (!isNode(value) && !Array.isArray(value)) continue;
        if (!isNode(value)) {
          if (key !== 'ctes') todo.push({ node: value, scope, target: TARGETS.has(key) || (key === 'items' && target), statement: false });
          continue;
        }
        const isType = /^[A-Z]/.test(key);
        const readOnly = isType && this.#visit(key, value, statement);
        const inner = this.#scopeOf(value, scope, (cte, visible) => void todo.push({ node: cte, scope: visible, target: false, statement: false }));
        // What EXPLAIN, PREPARE, DECLARE and COPY carry is a statement of its own.
        const carries = isType && /^(?:Explain|Prepare|DeclareCursor|Copy|CreateTableAs|View)Stmt$/.test(key);
        if (!isType) todo.push({ node: value, scope: inner, target: TARGETS.has(key), statement });
        else if (carries || readOnly)
          for (const [part, child] of Object.entries(value))
            todo.push({
              node: child,
              scope: inner,
              target: !readOnly && TARGETS.has(part),
              statement: part === 'query' && key !== 'ViewStmt' && key !== 'CreateTableAsStmt',
            });
        else todo.push({ node: value, scope: inner, target, statement: false });
      }
    }
  }

  /** The names that WITH gives are tables of their own, from where they are defined on: a table of that name elsewhere is the real one. */
  #scopeOf(node: Node, scope: Scope, visit: (cte: unknown, visible: Scope) => void): Scope {
    const clause = node['withClause'];
    const list = isNode(clause) ? clause['ctes'] : undefined;
    if (!isNode(clause) || !Array.isArray(list)) return scope;
    const ctes = list.flatMap((each) => (isNode(each) && isNode(each['CommonTableExpr']) ? [each['CommonTableExpr']] : []));
    const names = ctes.map((cte) => String(cte['ctename']));
    ctes.forEach((cte, index) => visit(cte, new Set([...scope, ...(clause['recursive'] === true ? names : names.slice(0, index))])));
    return new Set([...scope, ...names]);
  }

  #table(node: Node, scope: Scope, target: boolean): void {
    const { catalogname, schemaname, relname } = node;
    // Data are changed in tables alone, so a target is never one of WITH.
    if (!target && schemaname === undefined && scope.has(String(relname))) return;
    const parts = [catalogname, schemaname, relname].flatMap((part) => (typeof part === 'string' ? [part] : []));
    addTable(this.#found.tables, parts, this.#schema);
    if (target) addTable(this.#found.writtenTables, parts, this.#schema);
  }

  /** Says what a node of this type means. True where the tables it names are only read. */
  #visit(type: string, node: Node, isStatement: boolean): boolean {
    const found = this.#found;
    switch (type) {
      case 'SelectStmt':
        if (isStatement) found.verbs.add('select');
        return false;
      case 'InsertStmt':
        this.#verb('insert', type);
        if (isNode(node['onConflictClause']) && node['onConflictClause']['action'] === 'ONCONFLICT_UPDATE') found.verbs.add('update');
        return false;
      case 'UpdateStmt':
      case 'DeleteStmt':
        this.#verb(type === 'UpdateStmt' ? 'update' : 'delete', type);
        if (!restricts(node['whereClause'])) found.unfiltered = true;
        return false;
      case 'MergeWhenClause': {
        const command = /^CMD_(INSERT|UPDATE|DELETE)$/.exec(String(node['commandType']))?.[1];
        if (command !== undefined) found.verbs.add(command.toLowerCase());
        return false;
      }
      case 'GrantStmt':
        this.#verb(node['is_grant'] === true ? 'grant' : 'revoke', type);
        return true;
      case 'GrantRoleStmt':
        this.#verb(node['is_grant'] === true ? 'grant' : 'revoke', type);
        return true;
      case 'DropStmt':
        this.#verb('drop', type);
        this.#dropped(node);
        return false;
      case 'CopyStmt': {
        const out = node['is_from'] !== true;
        found.verbs.add('copy');
        if (!out) found.writes = true;
        if (node['is_program'] === true || node['filename'] !== undefined) found.outside = found.writes = true;
        return out;
      }
      case 'VariableSetStmt':
        this.#verb('set', type);
        if (/role|session_authorization/i.test(String(node['name']))) found.changesRights = true;
        return false;
      case 'AlterTableCmd':
        if (/RowSecurity|ChangeOwner/.test(String(node['subtype']))) found.changesRights = true;
        return false;
      case 'DefElem':
        // SECURITY DEFINER.
        if (node['defname'] === 'security') found.changesRights = true;
        return false;
      case 'DoStmt':
      case 'ExecuteStmt':
        throw new Unreadable('it runs code that does not stand in it as SQL');
      case 'CallStmt':
        this.#verb('call', type);
        if (isNode(node['funccall'])) this.#function(node['funccall']);
        return false;
      case 'FuncCall':
        this.#function(node);
        return false;
      case 'A_Expr': {
        const [schema, operator] = namesOf(node['name']);
        // An operator that is named with its schema is somebody's own, and runs its function.
        if (operator !== undefined && schema !== 'pg_catalog') this.#unknown(`operator ${schema ?? ''}.${operator}`);
        return false;
      }
      case 'RangeTableSample': {
        const method = namesOf(node['method']).join('.').toLowerCase();
        if (!/^(?:pg_catalog\.)?(?:bernoulli|system)$/.test(method)) this.#unknown(method);
        return false;
      }
      case 'ColumnRef':
        this.#column(node);
        return false;
      default:
        if (/Stmt$|^(?:Create|Alter|Drop)(?:Role|UserMapping|dbStmt)/.test(type) && type !== 'RawStmt') this.#verb(verbOf(type), type);
        return type === 'VariableShowStmt';
    }
  }

  #verb(verb: string, type: string): void {
    const found = this.#found;
    found.verbs.add(verb);
    if (!READ_ONLY.has(verb)) found.writes = true;
    if (['create', 'drop', 'alter', 'import', 'comment', 'label'].includes(verb) || type === 'ReassignOwnedStmt') found.changesSchema = true;
    if (RIGHTS.test(type)) found.changesRights = true;
    if (OUTSIDE_STATEMENTS.test(type)) found.outside = true;
  }

  #dropped(node: Node): void {
    if (!/TABLE|VIEW|SEQUENCE|MATVIEW|INDEX/.test(String(node['removeType']))) return;
    for (const each of Array.isArray(node['objects']) ? node['objects'] : []) {
      const parts = isNode(each) && isNode(each['List']) ? namesOf(each['List']['items']) : [];
      addTable(this.#found.tables, parts, this.#schema);
      addTable(this.#found.writtenTables, parts, this.#schema);
    }
  }

  #function(node: Node): void {
    const parts = namesOf(node['funcname']).map((part) => part.toLowerCase());
    const name = parts.at(-1) ?? '';
    const builtIn = parts.length === 1 || (parts.length === 2 && parts[0] === 'pg_catalog');
    this.#found.functions.add(builtIn ? name : parts.join('.'));
    if (OUTSIDE.has(name)) this.#found.outside = true;
    if (builtIn && HARMLESS.postgresql.has(name)) return;
    this.#unknown(builtIn ? name : parts.join('.'));
  }

  #unknown(name: string): void {
    this.#found.unknownFunctions.add(name);
    this.#found.writes = true;
  }

  #column(node: Node): void {
    const fields = Array.isArray(node['fields']) ? node['fields'] : [];
    const last: unknown = fields.at(-1);
    if (isNode(last) && 'A_Star' in last) this.#found.star = true;
    else this.#found.columns.add(namesOf(fields).at(-1) ?? '');
  }
}

/** `CreatedbStmt` is a create, `VacuumStmt` a vacuum, `AlterTableStmt` an alter. */
function verbOf(type: string): string {
  return VERBS[type] ?? /^[A-Z][a-z]+/.exec(type.replace(/^(Create|Drop)db/, '$1Db'))?.[0].toLowerCase() ?? 'other';
}

/** Whether a WHERE can leave a row out, as far as that can be seen: `true`, `1 = 1`, `id = id` and `… or true` leave none out. */
function restricts(expression: unknown): boolean {
  if (!isNode(expression)) return false;
  const bool = expression['BoolExpr'];
  if (isNode(bool)) {
    const args = Array.isArray(bool['args']) ? bool['args'] : [];
    return bool['boolop'] === 'OR_EXPR' ? args.every(restricts) : args.some(restricts);
  }
  const compared = expression['A_Expr'];
  if (isNode(compared) && JSON.stringify(withoutPlaces(compared['lexpr'])) === JSON.stringify(withoutPlaces(compared['rexpr']))) return false;
  return 'CurrentOfExpr' in expression || mentions(expression, 'ColumnRef');
}

function mentions(root: unknown, type: string): boolean {
  const todo = [root];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (Array.isArray(node)) todo.push(...(node as unknown[]));
    else if (isNode(node)) {
      if (type in node) return true;
      todo.push(...Object.values(node));
    }
  }
  return false;
}

/** The same tree without where its parts stand in the text. */
function withoutPlaces(node: unknown): unknown {
  return node === undefined ? undefined : JSON.parse(JSON.stringify(node, (key, value: unknown) => (key === 'location' ? undefined : value)));
}

function namesOf(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((each) => (isNode(each) && isNode(each['String']) && typeof each['String']['sval'] === 'string' ? [each['String']['sval']] : []));
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
