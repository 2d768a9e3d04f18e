import { isAskedOf } from '@countersign/chat';
import type { ActionRequestRecord, DirectoryStore, RoutingStore } from '@countersign/core/ports';
import { isMailAddress } from './config.js';

export interface PlacesDeps {
  tenant: string;
  directory: Pick<DirectoryStore, 'list' | 'people'>;
  routing: Pick<RoutingStore, 'platforms'>;
}

/** The place of a mail is its person's id: whose address it is now is read when the mail is sent. */
export interface Places {
  /** Whose address it is; null where nobody active has it, or no mail can be sent to it. */
  of(address: string): Promise<string | null>;
  /**
   * Who is mailed where policy names no channel: where mail is the only channel that is connected, everybody who is asked, for nobody would learn of
   * it otherwise. Beside a chat nobody: its own places have the card.
   */
  standing(request: ActionRequestRecord): Promise<string[]>;
}

export function createPlaces({ tenant, directory, routing }: PlacesDeps): Places {
  return {
    async of(address) {
      if (!isMailAddress(address)) return null;
      const wanted = address.toLowerCase();
      const found = (await directory.people(tenant, [address])).find(({ active, email }) => active && email.toLowerCase() === wanted);
      return found?.id ?? null;
    },
    async standing(request) {
      if ((await routing.platforms(tenant)).some((platform) => platform !== 'email')) return [];
      const asked = (await directory.list(tenant)).filter((person) => isMailAddress(person.email) && isAskedOf(request, person));
      return asked.map(({ id }) => id).toSorted();
    },
  };
}
