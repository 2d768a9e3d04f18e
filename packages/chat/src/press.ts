import type { Authenticated, Card, JsonObject, Verdict, Via } from '@countersign/contracts';
import { cardOf, type CardOptions } from '@countersign/core/card';
import { type Refusal, refuse } from '@countersign/core/decision';
import type { DecideInput, DecideOutcome, StepUpPress } from '@countersign/core/flow';
import type { CardStore, ChatAccount, DirectoryStore, Person, RequestStore } from '@countersign/core/ports';
import type { AccountLinks } from './account-links.js';
import { type LinkMode, personOf } from './account.js';
import type { AccountFacts } from './platform.js';

/** A press on a posted card, as its platform authenticated it. */
export interface Press {
  /** The message that carries the button: only a card that we posted decides, and only its own request. */
  ref: JsonObject;
  request_id: string;
  request_digest: string;
  verdict: Verdict;
  reason: string | null;
  /** What the card asked for besides, as far as it was given. */
  ticket?: string;
  acknowledged?: readonly string[];
  account: AccountFacts;
  /** When the platform says that it was pressed. */
  at: string;
}

export type PressAnswer =
  | { kind: 'decided'; text: string; card: Card }
  /** A passkey is needed: the presser alone gets the link to the page where it is used. Nothing is decided. */
  | { kind: 'step_up'; text: string; url: string; card: Card | null }
  /** Shown to the presser alone; the card for everybody stays as it is (or is brought up to date when it was stale). */
  | {
      kind: 'refused';
      code: Refusal['code'];
      text: string;
      card: Card | null;
      /** What makes it good, for the presser alone. */ link?: { label: string; url: string };
    };

export interface PressDeps {
  tenant: string;
  platform: ChatAccount['platform'];
  linkMode: LinkMode;
  directory: Pick<DirectoryStore, 'people'>;
  links: AccountLinks;
  cards: Pick<CardStore, 'postedByRef'>;
  requests: Pick<RequestStore, 'state'>;
  decide(input: DecideInput): Promise<DecideOutcome>;
  /** Remembers a press that needs a passkey, and gives the address of its page; absent where nobody can enrol one. */
  stepUp?: (press: StepUpPress) => Promise<string>;
  /** Records that a person opened everything of a request (core/flow). */
  opened?: (by: { tenant: string; person_id: string; via: Via }, request_id: string, view_digest: string) => Promise<unknown>;
  card: CardOptions;
}

/**
 * Turns a press into a decision by the same flow as the API's, or into words for the presser. A fault throws: the
 * platform then shows that nothing was decided.
 */
export async function handlePress(deps: PressDeps, press: Press): Promise<PressAnswer> {
  const posted = await deps.cards.postedByRef(deps.platform, press.ref);
  if (posted === null || posted.request_id !== press.request_id || posted.tenant !== deps.tenant) {
    const refusal = refuse('action_mismatch', 'This button does not belong to this card. Nothing was decided; open the request from its own card.');
    return { ...refusal, card: null };
  }
  const found = await personOf(deps, { tenant: deps.tenant, platform: deps.platform, mode: deps.linkMode }, press.account);
  if (found.kind === 'refused') return { ...found, card: null };
  return decideAs(deps, found.person, press);
}

/** What a verified person decides, by whichever button or form of a chat. */
export interface Deciding extends Omit<Press, 'ref'> {
  /** Lets it pass in an emergency. */
  break_glass?: true;
  /** The id of the person in whose stead. */
  delegate_for?: string;
  /** Decided together with others. */
  bulk?: true;
}

/** Decides for a person whom the platform's account stands for; where policy wants a passkey, gives the way to the page where it is used. */
export async function decideAs(deps: PressDeps, person: Pick<Person, 'id'>, press: Deciding): Promise<PressAnswer> {
  const { request_id, verdict, reason, ticket, acknowledged, break_glass, delegate_for, bulk } = press;
  const outcome = await deps.decide({
    decider: {
      tenant: deps.tenant,
      person_id: person.id,
      via: viaOf(deps.platform),
      authenticated: authenticatedBy(deps.platform, press),
      may_decide: true,
    },
    request_id,
    verdict,
    ...(reason === null ? {} : { reason }),
    ...(ticket === undefined ? {} : { ticket }),
    ...(acknowledged === undefined ? {} : { acknowledged }),
    ...(break_glass === undefined ? {} : { break_glass }),
    ...(delegate_for === undefined ? {} : { delegate_for }),
    ...(bulk === undefined ? {} : { bulk }),
    request_digest: press.request_digest,
  });
  if (outcome.kind === 'refused') {
    const card = outcome.state === null ? null : cardOf(outcome.state, deps.card);
    if (outcome.code !== 'step_up_required' || deps.stepUp === undefined) {
      const link = card !== null && MORE_IS_ASKED.has(outcome.code) ? { link: { label: OPEN_BUTTON, url: card.url } } : {};
      return { ...outcome, card, ...link };
    }
    const url = await deps.stepUp({ tenant: deps.tenant, request_id, person_id: person.id, verdict, reason, via: deps.platform });
    return { kind: 'step_up', text: STEP_UP_TEXT, url, card };
  }
  return { kind: 'decided', text: decidedText(outcome), card: cardOf(outcome.state, deps.card) };
}

/**
 * Everything of a request was shown to this account, to its end: recorded for its person, where policy wants that before an approval.
 * Whoever may not decide anyway records nothing that counts.
 */
export async function noteOpened(deps: PressDeps, account: AccountFacts, card: Card): Promise<void> {
  if (deps.opened === undefined || !card.open || card.demands?.must_open !== true) return;
  const found = await personOf(deps, { tenant: deps.tenant, platform: deps.platform, mode: deps.linkMode }, account);
  if (found.kind !== 'person') return;
  await deps.opened({ tenant: deps.tenant, person_id: found.person.id, via: viaOf(deps.platform) }, card.request_id, card.view_digest);
}

function decidedText(outcome: Extract<DecideOutcome, { kind: 'decided' }>): string {
  const verb = outcome.decision.verdict === 'approve' ? 'approved' : 'denied';
  if (outcome.settled) return `You ${verb} it. The request is ${outcome.state.request.status}.`;
  return `You ${verb} it. Still needed: ${outcome.waiting_for ?? 'nobody'}.`;
}

const viaOf = (platform: ChatAccount['platform']): Via => platform;

function authenticatedBy(platform: ChatAccount['platform'], press: Pick<Press, 'account' | 'at'>): Authenticated {
  return { issuer: `${platform}:${press.account.workspace}`, method: platform, at: press.at };
}

/** The words beside the link to the page where a passkey is used, and what its button says. */
export const STEP_UP_TEXT = 'Nothing is decided yet: policy asks for your passkey. Open the request in your browser, read it there, and confirm.';
export const STEP_UP_BUTTON = 'Confirm with passkey';

/** Refusals of a press that the request's page makes good: it asks for what a button cannot. */
export const MORE_IS_ASKED: ReadonlySet<Refusal['code']> = new Set([
  'ticket_required',
  'acknowledgement_required',
  'must_open',
  'via_not_allowed',
  'not_break_glass',
  'step_up_required',
]);
export const OPEN_BUTTON = 'Open the request';

/** The words for a fault: nothing was decided. */
export const FAULT_TEXT = 'Something failed on our side, so nothing was decided. Try again, or decide in the web inbox.';
