import { type CardOptions } from '@countersign/core/card';
import { decide, type FlowDeps, type FreezeDeps, markOpened, stepUpLink } from '@countersign/core/flow';
import type {
  Announcer,
  BatchStore,
  CardStore,
  ChatAccount,
  ChatLinkStore,
  CredentialStore,
  DelegationStore,
  DigestStore,
  DirectoryStore,
  FreezeStore,
  NoticeStore,
  PasskeyStore,
  PolicyStore,
  PressGuardStore,
  OnCallSource,
  RequestStore,
  RoutingStore,
  ReviewStore,
  SlackInstallStore,
  SnoozeStore,
} from '@countersign/core/ports';
import { type AccountLinks, createAccountLinks } from './people/account-links.js';
import type { LinkMode } from './people/account.js';
import type { PressDeps } from './press.js';
import { createRouter, noOnCall, type Router } from './routing/router.js';

/** What every chat platform stands on: the use cases, the stores that they read, who an account is, and the card's options. */
export interface ChatWorld {
  tenant: string;
  /** Without a slash at its end. */
  publicUrl: string;
  /** The standing notice of a quickstart; null otherwise. */
  notice: string | null;
  flow: FlowDeps;
  store: ChatStore;
  /** Requests as their cards show them: by the policy in force. */
  requests: Pick<RequestStore, 'state'>;
  /** Where cards and messages go. */
  router: Router;
  links: AccountLinks;
  freezes: FreezeDeps & Pick<FlowDeps, 'publicUrl'>;
  card: CardOptions;
  log: ChatLog;
}

/** The stores that a platform reads; packages/store implements them. */
export interface ChatStore {
  cards: CardStore;
  batches: BatchStore;
  directory: DirectoryStore;
  chatLinks: ChatLinkStore;
  credentials: CredentialStore;
  freezes: FreezeStore;
  passkeys: PasskeyStore;
  notices: NoticeStore;
  /** Who wants no messages about a request; the notice worker keeps to it. */
  snoozes: SnoozeStore;
  digests: DigestStore;
  delegations: DelegationStore;
  reviews: ReviewStore;
  policies: PolicyStore;
  slackInstalls: SlackInstallStore;
  requests: RequestStore;
  routing: RoutingStore;
  presses: PressGuardStore;
}

export interface ChatLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ChatWorldOptions {
  tenant: string;
  publicUrl: string;
  notice: string | null;
  flow: FlowDeps;
  store: ChatStore;
  /** Absent: as the store has them. */
  requests?: Pick<RequestStore, 'state'>;
  /** Who keeps the schedules that policy names at PagerDuty or Opsgenie; absent: nobody is configured. */
  onCall?: OnCallSource;
  /** Who is told of freezes; absent: as of everything else. */
  freezeAnnouncer?: Announcer;
  /** How long a newly linked account waits until it may decide, in seconds. */
  cooldownSeconds: number;
  /** How accounts come to belong to persons; absent: by proof alone. What addresses linked before gets no messages then. */
  linkMode?: LinkMode;
  log: ChatLog;
}

/** Puts the world together once, for all platforms of a process. */
export function createChatWorld(options: ChatWorldOptions): ChatWorld {
  const { tenant, publicUrl, notice, flow, log } = options;
  const store = { ...options.store, routing: countedRouting(options.store.routing, options.linkMode ?? 'proof') };
  return {
    tenant,
    publicUrl,
    notice,
    flow,
    store,
    requests: options.requests ?? store.requests,
    router: createRouter({ flow, routing: store.routing, policies: store.policies, onCall: options.onCall ?? noOnCall }),
    links: createAccountLinks({ ...flow, tenant, links: store.chatLinks, publicUrl, cooldownSeconds: options.cooldownSeconds }),
    freezes: { ...flow, freezes: store.freezes, credentials: store.credentials, announcer: options.freezeAnnouncer ?? flow.announcer },
    card: { publicUrl, notice },
    log,
  };
}

/** Who is written to: an account that an address linked is its person's only while addresses count, as at a press. */
function countedRouting(routing: RoutingStore, linkMode: LinkMode): RoutingStore {
  if (linkMode === 'email') return routing;
  return {
    ...routing,
    async reachable(tenant, who) {
      const people = await routing.reachable(tenant, who);
      return people.map(({ person, accounts }) => ({ person, accounts: accounts.filter(({ how }) => how !== 'email') }));
    },
  };
}

/** What a press on one platform takes. */
export function pressDepsOf(world: ChatWorld, platform: ChatAccount['platform'], linkMode: LinkMode): PressDeps {
  const { tenant, flow, store, requests, links, card } = world;
  return {
    tenant,
    platform,
    linkMode,
    directory: store.directory,
    links,
    cards: store.cards,
    requests,
    delegations: store.delegations,
    decide: (input) => decide(flow, input),
    opened: (by, request_id, view) => markOpened(flow, by, request_id, view),
    stepUp: (press) => stepUpLink({ ...flow, passkeys: store.passkeys }, press),
    card,
  };
}
