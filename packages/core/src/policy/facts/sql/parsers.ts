/**
 * The SQL parsers: PostgreSQL's own, compiled to WebAssembly, and one of MySQL. Together they take about 100 ms to load, WebAssembly loads
 * only asynchronously, and evaluation is synchronous: so a process that will compile bundles awaits `loadSqlParsers` once at its start, and a bundle
 * whose facts need a parser that is not loaded does not compile.
 */
export interface SqlParsers {
  postgresql(text: string): unknown;
  /** The kinds and texts of PostgreSQL's own tokens. */
  postgresqlTokens(text: string): readonly SqlToken[];
  mysql(text: string): unknown;
}

export interface SqlToken {
  readonly text: string;
  readonly tokenName: string;
  readonly keywordName: string;
}

let loaded: SqlParsers | undefined;
let loading: Promise<void> | undefined;

/** Loads the parsers, once per process. */
export function loadSqlParsers(): Promise<void> {
  return (loading ??= load());
}

/** The parsers, or undefined before `loadSqlParsers` is done, and after one of them broke. */
export function sqlParsers(): SqlParsers | undefined {
  return loaded;
}

async function load(): Promise<void> {
  const [pg, mysql] = await Promise.all([import('libpg-query'), import('node-sql-parser/build/mysql.js'), import('libpg-query').then((pg) => pg.loadModule())]);
  const MysqlParser = mysql.default.Parser;
  const parser = new MysqlParser();
  loaded = {
    postgresql: (text) => guarded(() => pg.parseSync(text), ['SqlError']),
    // The scanner's refusals come as text in place of JSON.
    postgresqlTokens: (text) => guarded(() => pg.scanSync(text).tokens, ['SyntaxError', 'Error']),
    mysql: (text) => parser.astify(text, { database: 'mysql' }),
  };
}

/**
 * A failure other than "this is no SQL" (a trap, an exhausted stack) leaves WebAssembly's memory in no known state. What such a parser says next
 * is worth nothing, so there is none from then on, and facts of SQL are errors until the process starts anew. The limits on statements keep far from it.
 */
function guarded<T>(parse: () => T, refusals: readonly string[]): T {
  try {
    return parse();
  } catch (fault) {
    if (!(fault instanceof Error) || !refusals.includes(fault.name)) loaded = undefined;
    throw fault;
  }
}
