import type { Submission, Verdict, Via } from '@countersign/contracts';
import type { RequestState } from '@countersign/core/ports';
import type { CardAction, FormValues } from '../actions.js';

/** The quickstart's people: dana asks, alice and bob are data owners, bob and carol are security, olivia administers and is in no group. */
export type PersonName = 'dana' | 'alice' | 'bob' | 'carol' | 'olivia';

/** What not every platform has. Rows about it need it; a platform without it says why. */
export type Feature =
  /** An account that belongs to nobody in the directory. */
  | 'unknown account'
  /** An approver's account that the platform has deactivated. */
  | 'deactivated account'
  | 'guest account'
  /** Of another organisation. */
  | 'outside account'
  /** A bot, a workflow, an agent's credential. */
  | 'bot account'
  /** More than one account of the same human. */
  | 'second account'
  /** The platform is asked who pressed, and may not answer. */
  | 'account look-up'
  /** Messages that are posted and must be brought up to date, at a server that may be down. */
  | 'posted cards'
  /** A post whose answer was lost can be looked for. */
  | 'finding posts'
  /** A post whose answer was lost cannot be looked for. */
  | 'posts that cannot be found'
  /** A button is bound to the message that it stands on, besides its request. */
  | 'messages with buttons'
  /** A card that was posted changes while it is open. */
  | 'open cards that change'
  /** What a request names as its links can be followed on the card. */
  | 'links to follow'
  /** What people do on a card besides deciding it, with forms of the platform (actions.ts). */
  | 'actions';

export type AccountKind = 'unknown account' | 'deactivated account' | 'guest account' | 'outside account' | 'bot account' | 'second account';

/** What a person could not press, but an attacker could send. */
export type Forgery =
  /** Request and digest of another request, on the card of this one. */
  | 'data of another request'
  /** This request with the digest of another. */
  | 'digest of another request'
  /** A request that does not exist. */
  | 'a request that does not exist'
  /** This request's data on a message that is not its card. Needs 'messages with buttons'. */
  | 'another message';

/** A posted card as people see it now. */
export interface ShownCard {
  /** All visible text. */
  text: string;
  /** The text that stands in the product's own voice: what is outside the boxes that hold text of others. */
  own: string;
  /** Which of Approve, Deny and Show everything are offered. */
  buttons: readonly string[];
}

/** What a presser gets. */
export interface PressAnswer {
  accepted: boolean;
  /** What the presser alone was told; null when nothing was said. */
  privateText: string | null;
  /** Sends the very same bytes again. */
  again(): Promise<PressAnswer>;
}

export interface PersonPress {
  /** A person, or an account from `account()`. */
  person: string;
  request: string;
  verdict: Verdict;
  reason?: string;
}

/** What a person does with a button of a card besides Approve and Deny, through the platform's own client. */
export interface PersonAct {
  person: string;
  request: string;
  action: CardAction;
  /** What is filled into its form, by the fields' ids; a client's own checks hold nothing back. Absent: the button alone. */
  values?: FormValues;
  subject?: string;
  /** What a client could send instead. */
  forged?: { forgery: Forgery; other: string };
}

/** What the person alone is shown: a form, or what came of it. */
export interface ActAnswer {
  form: boolean;
  text: string;
}

/** With 'actions'. */
export interface Acting {
  act(act: PersonAct): Promise<ActAnswer>;
  /** From now on policy offers all there is on exports of customer data; members of security may break the glass with a ticket like INC-1. */
  offerEverything(): Promise<void>;
  /** The names of what is in the record of a request, in order. */
  events(requestId: string): Promise<string[]>;
}

/** Countersign behind the platform; the ApprovalWorld of dev-env has this shape. */
export interface ConformanceWorld {
  /** Opens the agent's export of customer data, which needs one of data-owners, with these members instead; `ago`: so many seconds earlier. */
  open(submission?: Partial<Submission>, ago?: number): Promise<{ id: string }>;
  state(requestId: string): Promise<RequestState>;
  /** Decides on another channel. */
  decide(person: PersonName, requestId: string, verdict: Verdict, reason?: string): Promise<unknown>;
  cancel(requestId: string): Promise<void>;
  /** Settles it as expired, where its time is over. */
  expire(requestId: string): Promise<void>;
  /** The directory no longer has the person. */
  deactivate(person: PersonName): Promise<void>;
  /** From now on policy asks for a reason with either verdict. */
  demandReasons(): Promise<void>;
  /** The next decision cannot be stored. */
  failNextDecision(): void;
  /** What waits for its next try is due at once. */
  hurry(): Promise<void>;
}

/** One platform, with everything real but its servers. Made for each test and closed after it. */
export interface PlatformHarness {
  readonly world: ConformanceWorld;
  readonly via: Via;
  /** How many places get a card of each request. */
  readonly places: number;
  /** Lets the platform bring cards up to date, once over, with so many workers at the same time (1). */
  work(workers?: number): Promise<void>;
  /** Every card of a request that people see now, copies included. */
  cards(requestId: string): Promise<ShownCard[]>;
  /** How many messages of ours everybody can see. */
  messages(): number;
  /** What the platform would read as markup, mentions or elements in a card's texts, instead of showing it letter for letter. */
  markup(requestId: string): Promise<string[]>;
  /** What can be followed on a card. */
  links(requestId: string): Promise<{ text: string; url: string }[]>;
  /** All that Show everything leads the person to. */
  everything(person: PersonName, requestId: string): Promise<string>;
  /** What the bot or the platform complained about. */
  complaints(): readonly string[];
  /** Presses on the first card of the request, through the platform's own client. A required reason is not held back by the client. */
  press(press: PersonPress): Promise<PressAnswer>;
  /** Presses Approve on a card with forged data; also on a closed one. Without a forgery: what a stale client still shows. */
  forge(press: { person: string; request: string; forgery: Forgery | null; other: string }): Promise<PressAnswer>;
  /** An account that may not decide, and its name for `press`. The second account is bob's; the others would be alice's, were they in order. */
  account(kind: AccountKind): Promise<string>;
  /** With 'account look-up': the next question of who pressed gets no answer. */
  failLookUp(): void;
  /** With 'posted cards'. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** The next post, or update, is done and its answer is lost. */
  loseAnswer(of: 'post' | 'update'): void;
  /** With 'posts that cannot be found': approves on the copy that nobody knows. */
  pressCopy(person: PersonName, requestId: string): Promise<PressAnswer>;
  /** With 'actions'. */
  readonly actions?: Acting;
  close(): Promise<void>;
}

/** One guarantee. */
export interface Row {
  title: string;
  needs?: Feature;
  run(harness: PlatformHarness): Promise<void>;
}
