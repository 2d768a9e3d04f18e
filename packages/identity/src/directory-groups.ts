/** A group as a file says it: who is in it, by address or id, and which other groups' members are. */
export interface GroupSaid {
  name: string;
  members: readonly string[];
  groups: readonly string[];
}

/**
 * Who is in each group, through groups in groups too.
 *
 * @param direct ids of who is in a group by what people and the group itself say
 * @returns by name; null where a group is in itself, with the way round
 */
export function expandGroups(
  said: readonly GroupSaid[],
  direct: ReadonlyMap<string, readonly string[]>,
): { groups: Map<string, string[]> } | { cycle: string[] } {
  const inner = new Map(said.map(({ name, groups }) => [name, groups]));
  const names = new Set([...direct.keys(), ...inner.keys()]);
  const done = new Map<string, string[]>();
  const expand = (name: string, way: readonly string[]): string[] | { cycle: string[] } => {
    const known = done.get(name);
    if (known !== undefined) return known;
    if (way.includes(name)) return { cycle: [...way.slice(way.indexOf(name)), name] };
    const members = new Set(direct.get(name));
    for (const group of inner.get(name) ?? []) {
      const found = expand(group, [...way, name]);
      if ('cycle' in found) return found;
      for (const member of found) members.add(member);
    }
    const all = [...members];
    done.set(name, all);
    return all;
  };
  for (const name of names) {
    const found = expand(name, []);
    if ('cycle' in found) return found;
  }
  return { groups: done };
}
