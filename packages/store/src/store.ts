import type {
  BatchStore,
  CallerStore,
  CardStore,
  ConfigChangeStore,
  ChatLinkStore,
  ChatPlaceStore,
  CredentialStore,
  DelegationStore,
  DeliveryStore,
  DirectoryStore,
  EndpointStore,
  FreezeStore,
  IdentityStore,
  LedgerStore,
  MailStore,
  DigestStore,
  NoticeStore,
  PasskeyStore,
  PatternStore,
  PolicyStore,
  PressGuardStore,
  RequestStore,
  RewrapStore,
  RoutingStore,
  ScimStore,
  ReviewStore,
  SnoozeStore,
  SigningKeyStore,
  SlackInstallStore,
  SweepStore,
  TimerStore,
} from '@countersign/core/ports';
import { callerStore } from './caller-store.js';
import { batchStore } from './batch-store.js';
import { cardStore } from './card-store.js';
import { chatLinkStore } from './chat-link-store.js';
import { chatPlaceStore } from './chat-place-store.js';
import { configChangeStore } from './config-change-store.js';
import { credentialStore } from './credential-store.js';
import { Database, type DatabaseOptions } from './database.js';
import { delegationStore } from './delegation-store.js';
import { deliveryStore } from './delivery-store.js';
import { digestStore } from './digest-store.js';
import { directoryStore } from './directory-store.js';
import { endpointStore } from './endpoint-store.js';
import { identityStore } from './identity-store.js';
import { freezeStore } from './freeze-store.js';
import { ledgerStore } from './ledger-store.js';
import { mailStore } from './mail-store.js';
import { passkeyStore } from './passkey-store.js';
import { noticeStore } from './notice-store.js';
import { patternStore } from './pattern-store.js';
import { policyStore } from './policy-store.js';
import { pressGuardStore } from './press-guard-store.js';
import { reviewStore } from './review-store.js';
import { timerStore } from './timer-store.js';
import { requestStore } from './request-store.js';
import { rewrapStore } from './rewrap-store.js';
import { routingStore } from './routing-store.js';
import { scimStore } from './scim-store.js';
import { signingKeyStore } from './signing-key-store.js';
import { snoozeStore } from './snooze-store.js';
import { slackInstallStore } from './slack-install-store.js';
import { sweepStore } from './sweep-store.js';

/** Every port of core that PostgreSQL stands behind, on one pool of connections. */
export interface Store {
  requests: RequestStore;
  directory: DirectoryStore;
  credentials: CredentialStore;
  identities: IdentityStore;
  chatLinks: ChatLinkStore;
  chatPlaces: ChatPlaceStore;
  callers: CallerStore;
  /** What is sealed, to be wrapped under another master key. */
  rewraps: RewrapStore;
  /** Where cards go. */
  routing: RoutingStore;
  policies: PolicyStore;
  passkeys: PasskeyStore;
  /** Messages that list many requests. */
  batches: BatchStore;
  cards: CardStore;
  deliveries: DeliveryStore;
  endpoints: EndpointStore;
  ledger: LedgerStore;
  mails: MailStore;
  scim: ScimStore;
  signingKeys: SigningKeyStore;
  slackInstalls: SlackInstallStore;
  freezes: FreezeStore;
  configChanges: ConfigChangeStore;
  patterns: PatternStore;
  sweep: SweepStore;
  delegations: DelegationStore;
  reviews: ReviewStore;
  timers: TimerStore;
  notices: NoticeStore;
  snoozes: SnoozeStore;
  presses: PressGuardStore;
  digests: DigestStore;
  /** Throws StoreError `unavailable` or `commit_unknown` unless the database answers now. */
  ping(): Promise<void>;
  /** Waits for the statements under way and closes every connection. */
  close(): Promise<void>;
}

/** Opens a migrated database (DATABASE_URL, or `appUrl` of the embedded server). Connects at the first use. */
export function openStore(options: DatabaseOptions): Store {
  const database = new Database(options);
  return {
    requests: requestStore(database),
    directory: directoryStore(database),
    credentials: credentialStore(database),
    identities: identityStore(database),
    chatLinks: chatLinkStore(database),
    chatPlaces: chatPlaceStore(database),
    callers: callerStore(database),
    rewraps: rewrapStore(database),
    routing: routingStore(database),
    policies: policyStore(database),
    passkeys: passkeyStore(database),
    batches: batchStore(database),
    cards: cardStore(database),
    deliveries: deliveryStore(database),
    endpoints: endpointStore(database),
    ledger: ledgerStore(database),
    mails: mailStore(database),
    scim: scimStore(database),
    signingKeys: signingKeyStore(database),
    slackInstalls: slackInstallStore(database),
    freezes: freezeStore(database),
    configChanges: configChangeStore(database),
    patterns: patternStore(database),
    sweep: sweepStore(database),
    delegations: delegationStore(database),
    reviews: reviewStore(database),
    timers: timerStore(database),
    notices: noticeStore(database),
    snoozes: snoozeStore(database),
    presses: pressGuardStore(database),
    digests: digestStore(database),
    ping: () => database.ping(),
    close: () => database.close(),
  };
}
