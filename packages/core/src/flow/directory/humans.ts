import { mailboxOf } from '../../decision/index.js';
import type { PersonEntry } from '../../ports.js';

/**
 * Which entries are one human: those that share a mailbox (by address or alias), and those of which one says that it is the other.
 * Entries that were taken out count too, so that nobody leaves a request of theirs behind by a new entry.
 *
 * @param people every entry that may belong together; see DirectoryQuery
 * @returns the same entries, each with `human`: the smallest id of its human
 */
export function joinHumans(people: readonly PersonEntry[]): PersonEntry[] {
  const parents = new Map(people.map(({ id }) => [id, id]));
  const root = (id: string): string => {
    const parent = parents.get(id) ?? id;
    return parent === id ? id : root(parent);
  };
  const join = (a: string, b: string): void => {
    const [first, second] = [root(a), root(b)].toSorted();
    if (first !== undefined && second !== undefined && first !== second) parents.set(second, first);
  };
  const byMailbox = new Map<string, string>();
  for (const { id, mailboxes, same_human_as } of people) {
    for (const mailbox of mailboxes) {
      const other = byMailbox.get(mailbox);
      if (other === undefined) byMailbox.set(mailbox, id);
      else join(id, other);
    }
    for (const other of same_human_as) if (parents.has(other)) join(id, other);
  }
  return people.map((person) => ({ ...person, human: root(person.id) }));
}

/** An entry with another address or other aliases; the address that it had is remembered. */
export function withAddresses(person: PersonEntry, email: string, aliases: readonly string[] = person.aliases): PersonEntry {
  const mailboxes = [...new Set([email, ...aliases].map(mailboxOf))].toSorted();
  const before = person.mailboxes.filter((mailbox) => !mailboxes.includes(mailbox));
  const former = [...new Set([...person.former, ...before])].filter((mailbox) => !mailboxes.includes(mailbox)).toSorted();
  return { ...person, email, aliases: [...aliases], mailboxes, former };
}
