/**
 * Patterns of names: `*` stands for any run of characters, also an empty one and one with dots or slashes in it;
 * every other character stands for itself. Matching takes no regular expression, and time linear in the text per star.
 */
export interface Glob {
  readonly source: string;
  /** The literal pieces between the stars. */
  readonly pieces: readonly string[];
}

export function compileGlob(source: string): Glob {
  return { source, pieces: source.split('*') };
}

export function isPattern(source: string): boolean {
  return source.includes('*');
}

export function matchesGlob(glob: Glob, text: string): boolean {
  const { pieces } = glob;
  const first = pieces[0] ?? '';
  if (pieces.length === 1) return text === first;
  const last = pieces[pieces.length - 1] ?? '';
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let position = first.length;
  for (let index = 1; index < pieces.length - 1; index++) {
    const piece = pieces[index] ?? '';
    const found = text.indexOf(piece, position);
    if (found < 0 || found + piece.length > end) return false;
    position = found + piece.length;
  }
  return true;
}

/** Whether some text matches both patterns. */
export function globsOverlap(a: string, b: string): boolean {
  const seen = new Set<number>();
  const todo: [number, number][] = [[0, 0]];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [i, j] = next;
    const key = i * (b.length + 1) + j;
    if (seen.has(key)) continue;
    seen.add(key);
    if (i === a.length && j === b.length) return true;
    const [left, right] = [a[i], b[j]];
    if (left === '*') todo.push([i + 1, j], ...(j < b.length ? [[i, j + 1] as [number, number]] : []));
    if (right === '*') todo.push([i, j + 1], ...(i < a.length ? [[i + 1, j] as [number, number]] : []));
    if (left !== undefined && left === right) todo.push([i + 1, j + 1]);
  }
  return false;
}

interface Entry<T> {
  readonly glob: Glob;
  readonly value: T;
}

/**
 * Finds the values whose patterns match a name without trying every pattern: whole names by look-up, `prefix*` by the
 * prefixes' lengths, and only patterns with a star elsewhere one by one. The answer is in the order of insertion.
 */
export class GlobIndex<T> {
  readonly #exact = new Map<string, number[]>();
  readonly #prefixes = new Map<string, number[]>();
  readonly #lengths = new Set<number>();
  readonly #others: number[] = [];
  readonly #entries: Entry<T>[] = [];

  add(pattern: string, value: T): void {
    const glob = compileGlob(pattern);
    const at = this.#entries.push({ glob, value }) - 1;
    const first = glob.pieces[0] ?? '';
    if (glob.pieces.length === 1) append(this.#exact, first, at);
    else if (glob.pieces.length === 2 && glob.pieces[1] === '') {
      append(this.#prefixes, first, at);
      this.#lengths.add(first.length);
    } else this.#others.push(at);
  }

  find(name: string): Set<T> {
    const found = [...(this.#exact.get(name) ?? [])];
    for (const length of this.#lengths) {
      if (length <= name.length) found.push(...(this.#prefixes.get(name.slice(0, length)) ?? []));
    }
    for (const at of this.#others) {
      const entry = this.#entries[at];
      if (entry !== undefined && matchesGlob(entry.glob, name)) found.push(at);
    }
    const values = new Set<T>();
    for (const at of found.sort((a, b) => a - b)) {
      const entry = this.#entries[at];
      if (entry !== undefined) values.add(entry.value);
    }
    return values;
  }
}

function append(map: Map<string, number[]>, key: string, at: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [at]);
  else list.push(at);
}
