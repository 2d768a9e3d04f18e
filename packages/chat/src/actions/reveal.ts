import { personMayRead, refusals, refuse } from '@countersign/core/decision';
import { reveal, type Revealable, revealables } from '@countersign/core/flow';
import { makeVisible } from '@countersign/core/request';
import type { ActionAnswer } from '../actions.js';
import { cut } from '../cards/card-words.js';
import { listIn, textIn } from './forms.js';
import { OPEN_BUTTON } from '../press.js';
import { type ActionHandler, type Road } from './road.js';

/** Shows one masked value to a person with the right, after it is on the record who saw what and why. */
export const revealAction: ActionHandler = {
  async form(road) {
    // As on the page: a right to see values is none to read requests, whatever card stands before the person.
    if (!personMayRead(road.person, road.state)) return refusals.notFound();
    const places = await placesOf(road);
    const shown = places.filter(({ may_reveal }) => may_reveal);
    if (shown.length === 0) return notAllowed(road, places[0]);
    return {
      action: 'reveal',
      title: 'Reveal a value',
      intro: [road.card.headline, 'One value is shown to you alone. Who saw which place, when and why is recorded; the value is not.'],
      fields: [
        {
          kind: 'choice',
          id: 'pointer',
          label: 'Which value',
          required: true,
          many: false,
          options: shown.map(({ pointer, classes }) => ({ value: pointer, label: `${makeVisible(pointer).text} (${classes.join(', ')})` })),
        },
        { kind: 'text', id: 'purpose', label: 'Why you need to see it', required: true, multiline: false, max: 500 },
      ],
      submit: 'Reveal',
      subject: null,
    };
  },
  async done(road, values) {
    if (!personMayRead(road.person, road.state)) return refusals.notFound();
    const purpose = textIn(values, 'purpose') ?? '';
    if (purpose.length < 3) return { kind: 'refused', code: 'form_incomplete', text: 'Nothing was done. Say in a few words why you need to see it.' };
    const [pointer = ''] = listIn(values, 'pointer');
    // A chat does not know when its person last proved who they are: where policy asks for that, the browser does.
    const outcome = await reveal(road.world.flow, { ...road.by, request_id: road.state.request.id, pointer, purpose, proved_at: null });
    if (outcome.kind === 'refused') {
      const { code, text } = outcome;
      return { kind: 'refused', code, text, ...(code === 'step_up_required' ? { link: { label: OPEN_BUTTON, url: road.card.url } } : {}) };
    }
    const value = makeVisible(typeof outcome.value === 'string' ? outcome.value : JSON.stringify(outcome.value, null, 2)).text;
    const place = makeVisible(outcome.pointer).text;
    const text =
      value.length <= MOST_SHOWN
        ? `${place} is shown to you alone, and this is recorded:\n${value}`
        : `${place} is shown to you alone, and this is recorded. Its first ${String(MOST_SHOWN)} of ${String(value.length)} characters; the whole is on the request's page:\n${cut(value, MOST_SHOWN)}`;
    return { kind: 'done', text, card: null };
  },
};

/** What one private message holds on both platforms. */
const MOST_SHOWN = 2_400;

const placesOf = (road: Road): Promise<Revealable[]> => revealables(road.world.flow, { ...road.by, request_id: road.state.request.id });

/** The flow refuses, and records that it was tried. */
async function notAllowed(road: Road, place: Revealable | undefined): Promise<ActionAnswer> {
  if (place === undefined) return refuse('not_found', 'Nothing is masked in this request.');
  const { pointer } = place;
  const outcome = await reveal(road.world.flow, { ...road.by, request_id: road.state.request.id, pointer, purpose: 'Reveal was pressed', proved_at: null });
  const text = 'Policy does not let you see what is masked in this request. Ask somebody whom it does, or decide without it.';
  return { kind: 'refused', code: outcome.kind === 'refused' ? outcome.code : 'reveal_not_allowed', text };
}
