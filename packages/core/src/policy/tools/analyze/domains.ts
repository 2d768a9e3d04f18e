import type { Atom, Conjunction, Constant } from './atoms.js';

/** What a conjunction leaves of the values at one path. */
interface Domain {
  atoms: readonly Exclude<Atom, { kind: 'opaque' }>[];
  /** The only values left; null where they are not finite. */
  values: readonly Constant[] | null;
  low: Bound | null;
  high: Bound | null;
  absent: boolean;
}
interface Bound {
  at: number;
  included: boolean;
}

/** Whether nothing can make all of them true. False is no proof of the contrary: opaque atoms may be anything. */
export function isImpossible(conjunction: Conjunction): boolean {
  const opaque = conjunction.filter((atom) => atom.kind === 'opaque');
  if (opaque.some(({ text, negated }) => opaque.some((other) => other.text === text && other.negated !== negated))) return true;
  return [...domainsOf(conjunction).values()].some(isEmpty);
}

/** Whether each of the second's atoms is true wherever the first holds: a proof. */
export function implies(conjunction: Conjunction, other: Conjunction): boolean {
  const domains = domainsOf(conjunction);
  return other.every((atom) => {
    if (atom.kind === 'opaque') return conjunction.some((own) => own.kind === 'opaque' && own.text === atom.text && own.negated === atom.negated);
    const domain = domains.get(atom.path);
    return domain !== undefined && impliesAtom(domain, atom);
  });
}

export function domainsOf(conjunction: Conjunction): Map<string, Domain> {
  const byPath = new Map<string, Exclude<Atom, { kind: 'opaque' }>[]>();
  for (const atom of conjunction) {
    if (atom.kind === 'opaque') continue;
    const known = byPath.get(atom.path);
    if (known === undefined) byPath.set(atom.path, [atom]);
    else known.push(atom);
  }
  return new Map([...byPath].map(([path, atoms]) => [path, domainOf(atoms)]));
}

function domainOf(atoms: Domain['atoms']): Domain {
  let values: readonly Constant[] | null = null;
  let [low, high]: [Bound | null, Bound | null] = [null, null];
  for (const atom of atoms) {
    if (atom.kind === 'in') {
      const kept: readonly Constant[] = values ?? atom.values;
      values = kept.filter((value) => atom.values.includes(value));
    } else if (atom.kind === 'less') {
      if (high === null || atom.than < high.at || (atom.than === high.at && !atom.orEqual)) high = { at: atom.than, included: atom.orEqual };
    } else if (atom.kind === 'greater') {
      if (low === null || atom.than > low.at || (atom.than === low.at && !atom.orEqual)) low = { at: atom.than, included: atom.orEqual };
    }
  }
  return {
    atoms,
    values: values?.filter((value) => atoms.every((atom) => allows(atom, value))) ?? null,
    low,
    high,
    absent: atoms.some(({ kind }) => kind === 'absent'),
  };
}

/** Whether the comparison is true on that value; a comparison of another type is an error, hence not true. */
function allows(atom: Domain['atoms'][number], value: Constant): boolean {
  switch (atom.kind) {
    case 'in':
      return atom.values.includes(value);
    case 'not_in':
      return !atom.values.includes(value);
    case 'less':
      return typeof value === 'number' && (value < atom.than || (atom.orEqual && value === atom.than));
    case 'greater':
      return typeof value === 'number' && (value > atom.than || (atom.orEqual && value === atom.than));
    case 'prefix':
      return typeof value === 'string' && value.startsWith(atom.text);
    case 'not_prefix':
      return typeof value === 'string' && !value.startsWith(atom.text);
    case 'present':
      return true;
    case 'absent':
      return false;
  }
}

function isEmpty({ atoms, values, low, high, absent }: Domain): boolean {
  // A comparison with what is absent is an error, hence not true.
  if (absent) return atoms.some(({ kind }) => kind !== 'absent');
  if (values !== null) return values.length === 0;
  if (low !== null && high !== null && (low.at > high.at || (low.at === high.at && !(low.included && high.included)))) return true;
  const prefixes = atoms.flatMap((atom) => (atom.kind === 'prefix' ? [atom.text] : []));
  if (prefixes.length > 0 && (low !== null || high !== null)) return true;
  if (prefixes.some((a) => prefixes.some((b) => !a.startsWith(b) && !b.startsWith(a)))) return true;
  return atoms.some((atom) => atom.kind === 'not_prefix' && prefixes.some((prefix) => prefix.startsWith(atom.text)));
}

function impliesAtom(domain: Domain, atom: Domain['atoms'][number]): boolean {
  const { atoms, values, low, high, absent } = domain;
  if (atom.kind === 'absent') return absent;
  if (absent) return false;
  // Whatever compares is true only on a value that is there.
  if (atom.kind === 'present') return atoms.length > 0;
  if (values !== null) return values.every((value) => allows(atom, value));
  switch (atom.kind) {
    case 'in':
      return false;
    case 'not_in':
      return atom.values.every((value) => atoms.some((own) => own.kind !== 'present' && !allows(own, value)));
    case 'less':
      return high !== null && (high.at < atom.than || (high.at === atom.than && (atom.orEqual || !high.included)));
    case 'greater':
      return low !== null && (low.at > atom.than || (low.at === atom.than && (atom.orEqual || !low.included)));
    case 'prefix':
      return atoms.some((own) => own.kind === 'prefix' && own.text.startsWith(atom.text));
    case 'not_prefix':
      return atoms.some(
        (own) =>
          (own.kind === 'not_prefix' && atom.text.startsWith(own.text)) ||
          (own.kind === 'prefix' && !own.text.startsWith(atom.text) && !atom.text.startsWith(own.text)),
      );
  }
}

/** A value that every atom of the path allows, where one can be named; undefined where none is found, or the path is to stay absent. */
export function exampleOf({ atoms, values, low, high, absent }: Domain): Constant | undefined {
  if (absent) return undefined;
  const tries: Constant[] = [
    ...(values ?? []),
    ...(low !== null && high !== null ? [(low.at + high.at) / 2, low.at, high.at] : []),
    ...(low !== null ? [low.at, Math.floor(low.at) + 1] : []),
    ...(high !== null ? [high.at, Math.ceil(high.at) - 1] : []),
    ...atoms.flatMap((atom) => (atom.kind === 'prefix' ? [atom.text, `${atom.text}example`] : [])),
    ...['example', 'another', 'third', true, 1, 0],
  ];
  return tries.find((value) => atoms.every((atom) => allows(atom, value)));
}
