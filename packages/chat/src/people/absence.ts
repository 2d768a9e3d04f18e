import type { Clock, ReachablePerson } from '@countersign/core/ports';
import { epochMs } from '@countersign/core/request';
import type { Addressee } from '../message.js';
import { readable } from '../notices/notice-words.js';
import type { ChatLog } from '../world.js';

/** What a platform says of somebody who is away. */
export interface Away {
  /** When they are expected back; null where they do not say. */
  until: string | null;
}

/** What people tell a platform of their absence, where it may be read. It is a hint to others, and changes no right. Throws PlatformError. */
export interface AbsenceReader {
  /** Null: nothing says that the account's person is away. */
  away(account: Addressee): Promise<Away | null>;
}

/** How long an answer counts, in milliseconds. */
const LIFE_MS = 300_000;
const MOST_KEPT = 5_000;
/** So many people are asked about for one message. */
const MOST_ASKED = 20;

/** Says of several people who seems to be away. What cannot be read says nothing, and holds nothing up. */
export function createAbsences(reader: AbsenceReader, { clock, log }: { clock: Clock; log: Pick<ChatLog, 'debug'> }) {
  const kept = new Map<string, { at: number; away: Away | null }>();

  async function away(account: Addressee): Promise<Away | null> {
    const key = `${account.workspace}/${account.user}`;
    const now = epochMs(clock.now());
    const known = kept.get(key);
    if (known !== undefined && now - known.at < LIFE_MS) return known.away;
    const found = await reader.away(account).catch((error: unknown) => {
      log.debug({ err: error, user: account.user }, 'whether a person is away could not be read');
      return null;
    });
    if (kept.size >= MOST_KEPT) kept.clear();
    kept.set(key, { at: now, away: found });
    return found;
  }

  /** Person id to a sentence, of those who seem to be away. */
  return async function sentences(
    people: readonly ReachablePerson[],
    accountsOf: (person: ReachablePerson) => readonly Addressee[],
  ): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const one of people.slice(0, MOST_ASKED)) {
      for (const account of accountsOf(one)) {
        const absence = await away(account);
        if (absence === null) continue;
        const until = absence.until === null ? '' : ` until ${readable(absence.until)}`;
        found.set(one.person.id, `${one.person.name} seems to be away${until}.`);
        break;
      }
    }
    return found;
  };
}
