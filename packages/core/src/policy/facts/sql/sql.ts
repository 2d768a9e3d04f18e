import { z } from 'zod';
import { computed, inputPath, textAt } from '../inputs.js';
import { factKind } from '../kinds.js';
import { readMysql } from './mysql.js';
import { sqlParsers } from './parsers.js';
import { readPostgresql } from './postgresql.js';
import { factsOf } from './statement.js';

/** The longest text that is read, by dialect: the time of MySQL's parser grows faster. */
const MAX_LENGTH = { postgresql: 65_536, mysql: 16_384 } as const;

/** What the SQL in a text does: `facts.sql`. */
export const sql = factKind({
  options: z
    .strictObject({
      from: inputPath,
      dialect: z.enum(['postgresql', 'mysql']),
      /** The schema (PostgreSQL) or database (MySQL) of names without one: `users` is then also `public.users`. */
      default_schema: z.string().min(1).max(128).optional(),
    })
    .refine(() => sqlParsers() !== undefined, 'the SQL parsers are not loaded in this program'),
  result: {
    members: {
      statements: 'int',
      verbs: { list: 'string' },
      writes: 'bool',
      changes_schema: 'bool',
      changes_rights: 'bool',
      unfiltered: 'bool',
      outside: 'bool',
      star: 'bool',
      tables: { list: 'string' },
      written_tables: { list: 'string' },
      columns: { list: 'string' },
      functions: { list: 'string' },
      unknown_functions: { list: 'string' },
    },
  },
  paths: ({ from }) => [from],
  compute: ({ from, dialect, default_schema }, read) =>
    computed(() => {
      const parsers = sqlParsers();
      if (parsers === undefined) return { error: 'the SQL parsers are not loaded' };
      const text = textAt(read, from, MAX_LENGTH[dialect], 'the statement');
      const found = dialect === 'postgresql' ? readPostgresql(text, parsers, default_schema) : readMysql(text, parsers, default_schema);
      return { value: factsOf(found) };
    }),
});
