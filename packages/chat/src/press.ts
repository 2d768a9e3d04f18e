import type { AskAgain, Authenticated, Card, JsonObject, Verdict, Via } from '@countersign/contracts';
import { cardOf, type CardOptions, requestUrlOf } from '@countersign/core/card';
import { lentGroups, type Refusal, refusals, refuse } from '@countersign/core/decision';
import type { DecideInput, DecideOutcome, StepUpPress } from '@countersign/core/flow';
import { isApprover, mayVeto } from '@countersign/core/policy';
import type { ActionRequestRecord, CardStore, ChatAccount, DelegationStore, DirectoryStore, Person, RequestStore, StepUpGiven } from '@countersign/core/ports';
import type { AccountLinks } from './people/account-links.js';
import { type LinkMode, personOf } from './people/account.js';
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
  /** With a denial: whether asking again makes sense. */
  ask_again?: AskAgain;
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
  /** Absent: nobody stands in for anybody here. */
  delegations?: Pick<DelegationStore, 'list'>;
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
export async function decideAs(deps: PressDeps, person: Person, press: Deciding): Promise<PressAnswer> {
  const { request_id, verdict, reason, ticket, acknowledged, ask_again, break_glass, bulk } = press;
  const stead = press.delegate_for === undefined && break_glass === undefined ? await onlyStead(deps, person, press) : null;
  if (stead !== null && 'kind' in stead) return { ...stead, card: null, link: { label: OPEN_BUTTON, url: requestUrlOf(deps.card.publicUrl, request_id) } };
  const delegate_for = press.delegate_for ?? stead?.id;
  const given: StepUpGiven = {
    ...(ticket === undefined ? {} : { ticket }),
    ...(acknowledged === undefined ? {} : { acknowledged }),
    ...(break_glass === undefined ? {} : { break_glass }),
    ...(delegate_for === undefined ? {} : { delegate_for }),
  };
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
    ...(ask_again === undefined ? {} : { ask_again }),
    ...given,
    ...(bulk === undefined ? {} : { bulk }),
    request_digest: press.request_digest,
  });
  if (outcome.kind === 'refused') {
    const card = outcome.state === null ? null : cardOf(outcome.state, deps.card);
    if (outcome.code !== 'step_up_required' || deps.stepUp === undefined) {
      const link = card !== null && MORE_IS_ASKED.has(outcome.code) ? { link: { label: OPEN_BUTTON, url: card.url } } : {};
      return { ...outcome, card, ...link };
    }
    const url = await deps.stepUp({ tenant: deps.tenant, request_id, person_id: person.id, verdict, reason, given, via: deps.platform });
    return { kind: 'step_up', text: STEP_UP_TEXT, url, card };
  }
  return { kind: 'decided', text: decidedText(outcome), card: cardOf(outcome.state, deps.card) };
}

/**
 * The absent people in whose stead somebody may decide a request that they may not decide in their own name. Whether it counts is judged with
 * the decision; this says whom to name there.
 */
export async function steadsOf(
  deps: Pick<PressDeps, 'tenant' | 'directory' | 'delegations'>,
  person: Person,
  { requirement }: Pick<ActionRequestRecord, 'requirement'>,
  verdict: Verdict,
): Promise<Person[]> {
  if (deps.delegations === undefined || (person.lent ?? []).length === 0 || requirement?.delegation === undefined) return [];
  const counts = (groups: readonly string[]): boolean => isApprover(requirement, groups) || (verdict === 'deny' && mayVeto(requirement, groups));
  if (counts(person.groups)) return [];
  const named = (await deps.delegations.list(deps.tenant, person.id)).filter(({ state, delegate_id }) => state === 'in_force' && delegate_id === person.id);
  if (named.length === 0) return [];
  const absent = await deps.directory.people(
    deps.tenant,
    named.map(({ person_id }) => person_id),
  );
  return absent.filter((who) => counts(lentGroups(requirement, who, person)));
}

/** Where there is one alone, a press means them. Of several nobody guesses. */
async function onlyStead(deps: PressDeps, person: Person, { request_id, verdict }: Pick<Press, 'request_id' | 'verdict'>): Promise<Person | Refusal | null> {
  if ((person.lent ?? []).length === 0) return null;
  const state = await deps.requests.state(deps.tenant, request_id);
  const steads = state === null ? [] : await steadsOf(deps, person, state.request, verdict);
  if (steads.length <= 1) return steads[0] ?? null;
  return refusals.notADelegate(
    `You stand in for ${steads.map(({ name }) => name).join(' and ')}. Nothing was decided: say on the request's page for whom you decide.`,
  );
}

/** Whether policy wants everything to be opened before an approval, or before the glass is broken. */
export function mustOpen({ open, demands, break_glass }: Card): boolean {
  return open && (demands?.must_open === true || break_glass?.must_open === true);
}

/**
 * Everything of a request was shown to this account, to its end: recorded for its person, where policy wants that before an approval.
 * Whoever may not decide anyway records nothing that counts.
 */
export async function noteOpened(deps: PressDeps, account: AccountFacts, card: Card): Promise<void> {
  if (deps.opened === undefined || !mustOpen(card)) return;
  const found = await personOf(deps, { tenant: deps.tenant, platform: deps.platform, mode: deps.linkMode }, account);
  if (found.kind !== 'person') return;
  await deps.opened({ tenant: deps.tenant, person_id: found.person.id, via: viaOf(deps.platform) }, card.request_id, card.view_digest);
}

function decidedText(outcome: Extract<DecideOutcome, { kind: 'decided' }>): string {
  const { verdict, delegate_for, break_glass } = outcome.decision;
  const stead = delegate_for === undefined ? '' : ` in ${delegate_for.name}'s stead`;
  const did = break_glass === true ? 'You broke the glass' : `You ${verdict === 'approve' ? 'approved' : 'denied'} it${stead}`;
  const review = outcome.state.reviews.some(({ finding }) => finding === null) ? ' Somebody else reviews it.' : '';
  if (outcome.settled) return `${did}. The request is ${outcome.state.request.status}.${review}`;
  return `${did}. Still needed: ${outcome.waiting_for ?? 'nobody'}.`;
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
