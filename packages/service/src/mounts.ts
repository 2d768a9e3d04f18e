import type { IncomingMessage, ServerResponse } from 'node:http';

/** One app's share of the port. */
export interface Mount {
  readonly name: string;
  /** Exact paths (`/slack/events`), or prefixes that end in `/` or `/*` (`/v1/`, `/ledger/*`); `/` takes all that is left. */
  readonly paths: readonly string[];
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void;
}

interface Entry {
  readonly path: string;
  readonly handler: Mount['handler'];
}

/** Finds the mount of a path: an exact one first, then the longest prefix. Paths are compared as they were sent, undecoded. */
export class MountTable {
  readonly #exact = new Map<string, Entry>();
  readonly #prefixes: Entry[] = [];

  /** @throws Error when two mounts claim the same path: that is a mistake of the program. */
  constructor(mounts: readonly Mount[]) {
    for (const { name, paths, handler } of mounts) {
      for (const written of paths) {
        const path = written.endsWith('/*') ? written.slice(0, -1) : written;
        if (!path.startsWith('/')) throw new Error(`The path ${written} of ${name} must start with '/'.`);
        if (this.#exact.has(path) || this.#prefixes.some((entry) => entry.path === path)) throw new Error(`Two mounts claim ${path}, one of them ${name}.`);
        if (path.endsWith('/')) this.#prefixes.push({ path, handler });
        else this.#exact.set(path, { path, handler });
      }
    }
    this.#prefixes.sort((a, b) => b.path.length - a.path.length);
  }

  find(path: string): Entry | undefined {
    return this.#exact.get(path) ?? this.#prefixes.find((entry) => path.startsWith(entry.path));
  }
}
