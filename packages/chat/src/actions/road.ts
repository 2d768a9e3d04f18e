import type { Card, JsonObject } from '@countersign/contracts';
import { cardOf } from '@countersign/core/card';
import { personMayRead, refusals, refuse } from '@countersign/core/decision';
import type { Person, RequestState } from '@countersign/core/ports';
import { personOf } from '../people/account.js';
import type { ActionAnswer, ActionPress, Form, FormValues } from '../actions.js';
import type { PressAnswer, PressDeps } from '../press.js';
import { STEP_UP_BUTTON } from '../press.js';
import type { ChatWorld } from '../world.js';

/** An action that was pressed, once it is known who pressed it, and that the button was ours and of this request. */
export interface Road {
  world: ChatWorld;
  deps: PressDeps;
  press: ActionPress;
  person: Person;
  state: RequestState;
  card: Card;
  /** As the flows name who acts. */
  by: { tenant: string; person_id: string };
}

export interface ActionHandler {
  /** What has to be asked first; null: nothing. An answer ends it here. */
  form(road: Road): Promise<Form | ActionAnswer | null>;
  /** What comes of it. The form's fields were there, unless `judgedByFlow`. */
  done(road: Road, values: FormValues): Promise<ActionAnswer>;
  /** What is missing is refused by the flow, in its words and on the record. */
  judgedByFlow?: true;
  /** It decides: the button says what was looked at. */
  decides?: true;
}

/** The checks that every press begins with (press.ts): our message, a verified person, what was shown. */
export async function takeRoad(world: ChatWorld, deps: PressDeps, press: ActionPress, decides: boolean): Promise<Road | Refused> {
  const stands = press.ref === null ? 'nowhere' : await standing(world, deps, press.ref, press.request_id);
  if (stands === 'elsewhere') {
    return refuse('action_mismatch', 'This button does not belong to this message. Nothing was done; open the request from its own card.');
  }
  const found = await personOf(deps, { tenant: deps.tenant, platform: deps.platform, mode: deps.linkMode }, press.account);
  if (found.kind === 'refused') return found;
  const { person } = found;
  const state = await world.requests.state(deps.tenant, press.request_id);
  // Where no message about this request vouches for it, a person acts on what they may see.
  if (state === null || (stands !== 'here' && !personMayRead(person, state))) return refusals.notFound();
  const { request_digest } = state.request;
  if (press.request_digest === null ? decides : press.request_digest !== request_digest) return refusals.actionMismatch();
  return { world, deps, press, person, state, card: cardOf(state, deps.card), by: { tenant: deps.tenant, person_id: person.id } };
}

/**
 * Whether a message is ours and about this request: `here` (its card, or a notice of it), `nowhere` (ours, and about no one request, as a
 * digest is), `elsewhere` (not ours, or another request's).
 */
export async function standing(world: ChatWorld, deps: PressDeps, ref: JsonObject, request_id: string): Promise<'here' | 'nowhere' | 'elsewhere'> {
  const posted = await world.store.cards.postedByRef(deps.platform, ref);
  if (posted !== null) return posted.tenant === deps.tenant && posted.request_id === request_id ? 'here' : 'elsewhere';
  const told = await world.store.notices.toldByRef(deps.platform, ref);
  if (told === null || told.tenant !== deps.tenant) return 'elsewhere';
  return told.request_id === null ? 'nowhere' : told.request_id === request_id ? 'here' : 'elsewhere';
}

type Refused = Extract<ActionAnswer, { kind: 'refused' }>;

/** What a flow refused, or what came of it, as the person is told. */
export function told(refusal: { code: string; text: string; link?: { label: string; url: string } }): Refused {
  const { code, text, link } = refusal;
  return { kind: 'refused', code, text, ...(link === undefined ? {} : { link }) };
}

export function decisionTold(answer: PressAnswer): ActionAnswer {
  switch (answer.kind) {
    case 'decided':
      return { kind: 'done', text: answer.text, card: answer.card };
    case 'step_up':
      return { kind: 'refused', code: 'step_up_required', text: answer.text, link: { label: STEP_UP_BUTTON, url: answer.url } };
    case 'refused':
      return told(answer);
  }
}

/** The card as it is after a change. */
export const cardNow = ({ deps }: Road, state: RequestState): Card => cardOf(state, deps.card);
