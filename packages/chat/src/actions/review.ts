import { refusals } from '@countersign/core/decision';
import { review } from '@countersign/core/flow';
import { listIn, textIn } from './forms.js';
import { type ActionHandler, cardNow, type Road, told } from './road.js';

/** Somebody else says whether breaking the glass was justified. The subject is the review's id; without one, the review that is open. */
export const reviewAction: ActionHandler = {
  async form(road) {
    const found = reviewOf(road);
    if (found === undefined) return refusals.notFound();
    const { card } = road;
    // A card names the decisions in the order of the state.
    const broke = road.state.decisions.flatMap(({ break_glass }, index) => (break_glass === true ? card.decisions.slice(index, index + 1) : []));
    return {
      action: 'review',
      title: 'Review the emergency',
      intro: [
        card.headline,
        ...broke.map(({ name, reason }) => `${name} let it pass. Reason: ${reason ?? 'none'}`),
        'Say whether breaking the glass was justified. Your finding is recorded under your name, once.',
      ],
      fields: [
        {
          kind: 'choice',
          id: 'finding',
          label: 'Finding',
          required: true,
          many: false,
          options: [
            { value: 'justified', label: 'Justified: an emergency, and this was needed' },
            { value: 'unjustified', label: 'Unjustified: it should have waited' },
          ],
        },
        { kind: 'text', id: 'note', label: 'Note', hint: 'What you looked at, and what follows from it', required: true, multiline: true, max: 2_000 },
      ],
      submit: 'Record the review',
      subject: found.id,
    };
  },
  async done(road, values) {
    const found = reviewOf(road);
    if (found === undefined) return refusals.notFound();
    const [finding] = listIn(values, 'finding');
    if (finding !== 'justified' && finding !== 'unjustified') {
      return { kind: 'refused', code: 'form_incomplete', text: 'Nothing was done. Choose a finding: justified or unjustified.' };
    }
    const note = textIn(values, 'note') ?? '';
    const outcome = await review(road.world.flow, road.by, found.id, road.state.request.id, { finding, note });
    if (outcome.kind === 'refused') return told(outcome);
    return { kind: 'done', text: `Reviewed: ${finding}. It is recorded under your name.`, card: cardNow(road, outcome.state) };
  },
};

function reviewOf({ state, press }: Road) {
  return press.subject === null ? state.reviews.find(({ finding }) => finding === null) : state.reviews.find(({ id }) => id === press.subject);
}
