import { type DestinationStream, type LevelWithSilent, type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

export interface LoggingOptions {
  readonly level: LevelWithSilent;
  /** Masks what a person must not find in a log; applied to every text value and message. Apps pass core's masking of text. */
  readonly mask: (text: string) => string;
  /** One readable line for each event instead of JSON. */
  readonly readable?: boolean;
  /** Where the lines go; default: standard output. */
  readonly destination?: DestinationStream;
}

/** Names whose values are never written, at any depth. */
const SECRET_NAME =
  /authorization|cookie|passw(or)?d|passphrase|secret|token|api[-_]?key|master[-_]?key|private[-_]?key|signature|credential|database_?url|redis_?url|connection_?string|^grant$|^session$|^key$/iu;
/** Names of what requests carry; a log is no place for it. */
const PAYLOAD_NAME = /^(raw_?)?(body|payload|parameters|headers|raw_?headers|query)$/iu;
/** Credentials and everything from the query on, in any address inside a text. */
const ADDRESS_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@"'<>]+@/giu;
const ADDRESS_QUERY = /([a-z][a-z0-9+.-]*:\/\/[^\s?#"'<>]+)[?#][^\s"'<>]*/giu;
const BEARER = /\b(bearer|basic)\s+[\w.~+/=-]{8,}/giu;
const MAX_TEXT = 4_000;
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;

/** A logger that cannot be made to write secrets or payloads: names, texts, errors and child bindings all pass through the same cleaning. */
export function createLogger(options: LoggingOptions): Logger {
  const clean = new Cleaner(options.mask);
  const destination = options.destination ?? pino.destination({ fd: 1, sync: true });
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => clean.record(fields),
      },
      // pino would turn an Error into fields again, and take its message for the line's, both unmasked.
      serializers: { err: (error: unknown) => error },
      hooks: {
        logMethod(args: unknown[], method) {
          const [first, ...rest] = args;
          const parts = first instanceof Error ? [{ err: first }, ...rest] : [first, ...rest];
          if (parts.length === 1 && hasError(parts[0])) parts.push(parts[0].err.message);
          const cleaned = parts.map((part) => (typeof part === 'string' ? clean.text(part) : part));
          // pino's overloads do not cover a list; what goes in is what came, with its texts cleaned.
          method.apply(this, cleaned as Parameters<typeof method>);
        },
      },
    },
    options.readable === true ? readable(destination) : destination,
  );
  // pino cleans the fields of lines, not those that children are born with; a child's prototype is its parent, so this reaches all of them.
  const child = logger.child;
  logger.child = function (this: Logger, bindings: object, ...rest: unknown[]) {
    // The overload with options takes one more parameter of a generic type that nothing here can name.
    return Reflect.apply(child, this, [clean.record(bindings), ...rest]) as never;
  };
  return logger;
}

/** Texts that are remembered as clean are no longer than this, and no more than that. */
const MAX_REMEMBERED_TEXT = 64;
const MAX_REMEMBERED = 2_000;
/** Request ids that we made, alone or behind a prefix of ours: new in every line, and nothing that a mask looks for. */
const ID = /^(?:[a-z]{2,4}_)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u;

class Cleaner {
  readonly #mask: (text: string) => string;
  /** Messages, routes and words that came out as they went in: they come again with every line, and looking for secrets costs. Never a text that was masked. */
  readonly #clean = new Set<string>();

  constructor(mask: (text: string) => string) {
    this.#mask = mask;
  }

  text(text: string): string {
    if (this.#clean.has(text) || ID.test(text)) return text;
    const cleaned = this.#cleaned(text);
    if (cleaned === text && text.length <= MAX_REMEMBERED_TEXT) {
      if (this.#clean.size >= MAX_REMEMBERED) this.#clean.clear();
      this.#clean.add(text);
    }
    return cleaned;
  }

  #cleaned(text: string): string {
    const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}… (${text.length} characters)` : text;
    return this.#mask(short.replace(ADDRESS_CREDENTIALS, '$1[secret]@').replace(ADDRESS_QUERY, '$1?[omitted]').replace(BEARER, '$1 [secret]'));
  }

  record(fields: object, depth = 0): Record<string, unknown> {
    const cleaned: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(fields).slice(0, MAX_ITEMS)) cleaned[name] = this.#member(name, value, depth);
    return cleaned;
  }

  #member(name: string, value: unknown, depth: number): unknown {
    if (SECRET_NAME.test(name) && typeof value !== 'number' && typeof value !== 'boolean') return '[secret]';
    if (PAYLOAD_NAME.test(name)) return '[omitted]';
    return this.#value(value, depth + 1);
  }

  #value(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return typeof value === 'function' || typeof value === 'symbol' ? undefined : value;
    if (depth > MAX_DEPTH) return '[deeper]';
    if (value instanceof Error) return this.#error(value, depth);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
    if (value instanceof URL) return this.text(value.href);
    if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => this.#value(item, depth + 1));
    if ('toJSON' in value && typeof value.toJSON === 'function' && !Buffer.isBuffer(value)) return this.#value(value.toJSON(), depth + 1);
    const prototype: unknown = Object.getPrototypeOf(value);
    // A request, a socket, a client: such objects hold far more than anybody meant to log.
    if (prototype !== Object.prototype && prototype !== null) return `[${value.constructor.name}]`;
    return this.record(value, depth);
  }

  /** Name, code, message, stack and cause; other members of an error (a query's parameters, a request) stay out. */
  #error(error: Error, depth: number): Record<string, unknown> {
    return {
      type: error.name,
      ...('code' in error && (typeof error.code === 'string' || typeof error.code === 'number') ? { code: error.code } : {}),
      message: this.text(error.message),
      ...(error.stack === undefined ? {} : { stack: this.text(error.stack) }),
      ...(error.cause === undefined ? {} : { cause: this.#value(error.cause, depth + 1) }),
    };
  }
}

function hasError(value: unknown): value is { err: Error } {
  return typeof value === 'object' && value !== null && 'err' in value && value.err instanceof Error;
}

/** `12:00:01 warn message name=value`, for a person at a terminal. */
function readable(destination: DestinationStream): DestinationStream {
  return {
    write(line: string) {
      // The line is what pino just wrote.
      const { level, time, msg, ...fields } = JSON.parse(line) as { level: string; time: string; msg?: string; err?: { stack?: string } } & Record<
        string,
        unknown
      >;
      const { err, ...rest } = fields;
      const shown = Object.entries(rest).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
      destination.write(
        `${[time.slice(11, 19), level.padEnd(5), msg ?? '', ...shown].join(' ').replace(/[\r\n]+/gu, ' ')}\n${err?.stack === undefined ? '' : `${err.stack}\n`}`,
      );
    },
  };
}
