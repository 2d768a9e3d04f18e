import type {
  CallerStore,
  CardStore,
  ConfigChangeStore,
  ChatLinkStore,
  CredentialStore,
  DelegationStore,
  DeliveryStore,
  DirectoryStore,
  EndpointStore,
  FreezeStore,
  IdentityStore,
  LedgerStore,
  NoticeStore,
  PasskeyStore,
  PatternStore,
  PolicyStore,
  RequestStore,
  RewrapStore,
  ScimStore,
  ReviewStore,
  SigningKeyStore,
  SweepStore,
  TimerStore,
} from '@countersign/core/ports';
import { callerStore } from './caller-store.js';
import { cardStore } from './card-store.js';
import { chatLinkStore } from './chat-link-store.js';
import { configChangeStore } from './config-change-store.js';
import { credentialStore } from './credential-store.js';
import { Database, type DatabaseOptions } from './database.js';
import { delegationStore } from './delegation-store.js';
import { deliveryStore } from './delivery-store.js';
import { directoryStore } from './directory-store.js';
import { endpointStore } from './endpoint-store.js';
import { identityStore } from './identity-store.js';
import { freezeStore } from './freeze-store.js';
import { ledgerStore } from './ledger-store.js';
import { passkeyStore } from './passkey-store.js';
import { noticeStore } from './notice-store.js';
import { patternStore } from './pattern-store.js';
import { policyStore } from './policy-store.js';
import { reviewStore } from './review-store.js';
import { timerStore } from './timer-store.js';
import { requestStore } from './request-store.js';
import { rewrapStore } from './rewrap-store.js';
import { scimStore } from './scim-store.js';
import { signingKeyStore } from './signing-key-store.js';
import { sweepStore } from './sweep-store.js';

/** Every port of core that PostgreSQL stands behind, on one pool of connections. */
export interface Store {
  requests: RequestStore;
  directory: DirectoryStore;
  credentials: CredentialStore;
  identities: IdentityStore;
  chatLinks: ChatLinkStore;
  callers: CallerStore;
  /** What is sealed, to be wrapped under another master key. */
  rewraps: RewrapStore;
  policies: PolicyStore;
  passkeys: PasskeyStore;
  cards: CardStore;
  deliveries: DeliveryStore;
  endpoints: EndpointStore;
  ledger: LedgerStore;
  scim: ScimStore;
  signingKeys: SigningKeyStore;
  freezes: FreezeStore;
  configChanges: ConfigChangeStore;
  patterns: PatternStore;
  sweep: SweepStore;
  delegations: DelegationStore;
  reviews: ReviewStore;
  timers: TimerStore;
  notices: NoticeStore;
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
    callers: callerStore(database),
    rewraps: rewrapStore(database),
    policies: policyStore(database),
    passkeys: passkeyStore(database),
    cards: cardStore(database),
    deliveries: deliveryStore(database),
    endpoints: endpointStore(database),
    ledger: ledgerStore(database),
    scim: scimStore(database),
    signingKeys: signingKeyStore(database),
    freezes: freezeStore(database),
    configChanges: configChangeStore(database),
    patterns: patternStore(database),
    sweep: sweepStore(database),
    delegations: delegationStore(database),
    reviews: reviewStore(database),
    timers: timerStore(database),
    notices: noticeStore(database),
    ping: () => database.ping(),
    close: () => database.close(),
  };
}
