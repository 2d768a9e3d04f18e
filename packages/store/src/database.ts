import { setTimeout as delay } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { StoreError } from './errors.js';
import { Prisma, PrismaClient } from './generated/client.js';

/** A prepared statement. Statements of one name have one text. */
export interface Statement {
  name: string;
  text: string;
  values: unknown[];
}

export interface DatabaseOptions {
  url: string;
  /** Connections at most; default 10. */
  connections?: number;
  /** How long a broken connection is tried again before the caller hears of it, in milliseconds; default 5000. */
  patienceMs?: number;
}

/** What a statement gave, and whether an earlier try of it may have been committed. */
export interface Tried<Row> {
  rows: Row[];
  again: boolean;
}

/** The one pool of a process, under the hot paths' statements and under Prisma alike. */
export class Database {
  readonly #pool: pg.Pool;
  readonly #prisma: PrismaClient;
  readonly #patienceMs: number;

  constructor(options: DatabaseOptions) {
    this.#patienceMs = options.patienceMs ?? 5_000;
    this.#pool = new pg.Pool({
      connectionString: options.url,
      max: options.connections ?? 10,
      connectionTimeoutMillis: 5_000,
      statement_timeout: 30_000,
      idle_in_transaction_session_timeout: 30_000,
      keepAlive: true,
      application_name: 'countersign',
    });
    // An idle connection that breaks is replaced at the next use, which reports what matters.
    this.#pool.on('error', () => {});
    this.#prisma = new PrismaClient({ adapter: new PrismaPg(this.#pool, { onPoolError: () => {}, onConnectionError: () => {} }) });
  }

  /**
   * Runs a statement that may run twice: a read, or a write that finds out that it has happened (compare-and-set, idempotent insert).
   * After a broken connection it is run again, for a commit whose answer got lost is unknown, not failed.
   *
   * @throws StoreError unavailable when no try can have reached the database, commit_unknown when one may have, refused
   */
  async run<Row extends pg.QueryResultRow>(statement: Statement): Promise<Row[]> {
    const { rows }: { rows: Row[] } = await this.runCounting<Row>(statement);
    return rows;
  }

  /** As run; `again` says that an earlier try may have been committed, so that what looks like a lost race may be our own write. */
  async runCounting<Row extends pg.QueryResultRow>(statement: Statement): Promise<Tried<Row>> {
    const deadline = Date.now() + this.#patienceMs;
    let again = false;
    for (let wait = 20; ; wait = Math.min(wait * 2, 500)) {
      try {
        const rows: Row[] = await this.once<Row>(statement);
        return { rows, again };
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        if (error.code === 'commit_unknown') again = true;
        else if (error.code !== 'unavailable') throw error;
        if (Date.now() + wait > deadline) {
          throw again
            ? new StoreError('commit_unknown', 'The database went away while it was being written to; what became of the write is not known yet.', {
                cause: error,
              })
            : error;
        }
        await delay(wait);
      }
    }
  }

  /** Runs a statement at most once: one that takes something, such as a one-time link. Throws as run does. */
  async once<Row extends pg.QueryResultRow>(statement: Statement): Promise<Row[]> {
    const client = await this.#connect();
    let broken: Error | undefined;
    const onError = (error: Error): void => void (broken = error);
    client.on('error', onError);
    try {
      return (await client.query<Row>(statement)).rows;
    } catch (cause) {
      const fault = faultOf(cause);
      if (fault.code !== 'refused') broken = fault;
      throw fault;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  /**
   * Runs `work` in a transaction (READ COMMITTED) on one connection and commits; rolls back when it throws.
   *
   * @throws StoreError commit_unknown when the connection broke at the commit: read back before you answer
   */
  async transaction<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.#connect();
    let broken: Error | undefined;
    const onError = (error: Error): void => void (broken = error);
    client.on('error', onError);
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT').catch((cause: unknown) => {
        throw faultOf(cause);
      });
      return result;
    } catch (cause) {
      await client.query('ROLLBACK').catch((error: unknown) => void (broken = error instanceof Error ? error : new Error('rollback failed')));
      throw isDatabaseError(cause) ? faultOf(cause) : cause;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  /** An ordinary query or write through Prisma, where it is not on a hot path. Throws StoreError unavailable, commit_unknown, refused. */
  async ordinary<Result>(work: (prisma: PrismaClient) => Promise<Result>): Promise<Result> {
    try {
      return await work(this.#prisma);
    } catch (cause) {
      throw prismaFault(cause);
    }
  }

  /** Throws StoreError unavailable unless the database answers. */
  async ping(): Promise<void> {
    await this.once({ name: 'ping', text: 'SELECT 1', values: [] });
  }

  async close(): Promise<void> {
    await this.#prisma.$disconnect();
    await this.#pool.end();
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (cause) {
      // A wrong password or a missing database does not mend itself: class 28, 3D000.
      if (cause instanceof pg.DatabaseError && /^(28|3D)/.test(cause.code ?? ''))
        throw new StoreError('refused', `The database refuses the connection: ${cause.message}.`, { cause });
      throw new StoreError('unavailable', `The database cannot be reached: ${cause instanceof Error ? cause.message : 'no answer'}.`, { cause });
    }
  }
}

/** SQLSTATEs after which the same statement may well succeed: serialisation, deadlock, too many connections, no lock in time. */
const TRY_AGAIN = new Set(['40001', '40P01', '53300', '55P03', '57P03']);

/** A broken connection leaves a commit unknown; an answer from the server means that nothing was written. */
function faultOf(cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const code = cause instanceof pg.DatabaseError ? (cause.code ?? '') : '';
  if (TRY_AGAIN.has(code)) return new StoreError('unavailable', `The database is busy (SQLSTATE ${code}).`, { cause });
  // 57P01 and 57P02 end the connection, class 08 says that it broke: none tells whether a commit in flight was done.
  if (code === '' || (code.startsWith('08') && code !== '08P01') || code.startsWith('57P'))
    return new StoreError('commit_unknown', 'The connection to the database broke.', { cause });
  // The detail of a constraint names values; the message and the constraint do not.
  const where = cause instanceof pg.DatabaseError && cause.constraint !== undefined ? ` (${cause.constraint})` : '';
  return new StoreError('refused', `The database refused a statement: SQLSTATE ${code}${where}.`, { cause });
}

/** Prisma's codes: P1… is the connection's, P2… the statement's. What it says at length names values, so it stays in the cause. */
function prismaFault(cause: unknown): StoreError {
  if (cause instanceof Prisma.PrismaClientKnownRequestError) {
    if (cause.code.startsWith('P1')) return new StoreError('commit_unknown', `The connection to the database broke (${cause.code}).`, { cause });
    if (cause.code === 'P2024') return new StoreError('unavailable', 'The database is busy (P2024).', { cause });
    return new StoreError('refused', `The database refused a statement (${cause.code}).`, { cause });
  }
  return faultOf(cause);
}

function isDatabaseError(cause: unknown): boolean {
  return (
    cause instanceof pg.DatabaseError ||
    (cause instanceof Error && 'code' in cause && typeof cause.code === 'string' && /^E[A-Z]+$/.test(cause.code)) ||
    (cause instanceof Error && cause.message.startsWith('Connection terminated'))
  );
}

/** Numbers the values of a statement that is put together from parts. */
export class Values {
  readonly values: unknown[] = [];

  /** `$n::type` for the value. */
  add(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}
