/** Where cards and messages go: who can be reached, who is on call, and what could not be shown where it should. */
import type { PlatformName } from './cards.js';
import type { AccountLink, ChatAccount } from './directory.js';
import type { NoticeRecord } from './follow-ups.js';
import type { Person } from './people.js';

/** A person of the directory, with the chat accounts that are linked to them. */
export interface ReachablePerson {
  person: Person;
  /** `how`: by what they are linked, where it is known. */
  accounts: (ChatAccount & { how?: AccountLink['how'] })[];
}

/** Something that policy names and that nothing can be shown at now. */
export interface RoutingFailure {
  tenant: string;
  /** `*`: on every platform. */
  platform: PlatformName | '*';
  /** What policy, or the configuration, names: `slack #prod`, `account T0/U0`, `on_call database`. */
  target: string;
  /** For operators, in words. */
  reason: string;
  /** When it was first found, and last. */
  since: string;
  last_at: string;
}

export interface RoutingStore {
  /** The platforms that were connected. */
  platforms(tenant: string): Promise<PlatformName[]>;
  /** The members of the groups, and the persons (ids or addresses, without case), each once, and not who was deleted. Stand-ins of members too. */
  reachable(tenant: string, who: { groups: readonly string[]; people: readonly string[] }): Promise<ReachablePerson[]>;
  /** What fails now, the latest first. */
  failing(tenant: string): Promise<RoutingFailure[]>;
  /** Remembers a failure; with it go the notice and its tasks where it is new. True then. */
  failed(failure: Omit<RoutingFailure, 'since' | 'last_at'>, notice: NoticeRecord): Promise<boolean>;
  /** It works again. */
  mended(tenant: string, platform: PlatformName | '*', targets: readonly string[]): Promise<void>;
}

/** A schedule that another service keeps. */
export type OnCallSchedule = { pagerduty: string } | { opsgenie: string };

/** Who is on call, as another service knows. */
export interface OnCallSource {
  /** Addresses of who is on call now; empty: nobody is. Throws where the service does not say, or no token is configured. */
  onCall(schedule: OnCallSchedule): Promise<string[]>;
}
