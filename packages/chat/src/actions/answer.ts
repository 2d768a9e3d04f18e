import { refusals } from '@countersign/core/decision';
import { answer } from '@countersign/core/flow';
import { textIn } from './forms.js';
import { type ActionHandler, cardNow, type Road, told } from './road.js';

/** A person behind the request answers a question, once. The subject is the question's id. */
export const answerAction: ActionHandler = {
  async form(road) {
    const question = questionOf(road);
    if (question === undefined) return refusals.notFound();
    if (question.answer !== null) return refusals.alreadyAnswered();
    return {
      action: 'answer',
      title: 'Answer the question',
      intro: [
        road.card.headline,
        `${question.name} asks: ${question.text}`,
        'The answer is shown on the card and becomes part of the record. It is given once.',
      ],
      fields: [{ kind: 'text', id: 'text', label: 'Your answer', required: true, multiline: true, max: 4_000 }],
      submit: 'Answer',
      subject: question.id,
    };
  },
  async done(road, values) {
    const question = questionOf(road);
    if (question === undefined) return refusals.notFound();
    const { tenant, person_id } = road.by;
    const outcome = await answer(road.world.flow, { kind: 'person', tenant, person_id }, road.state.request.id, question.id, textIn(values, 'text') ?? '');
    if (outcome.kind === 'refused') return told(outcome);
    return { kind: 'done', text: `Answered. ${question.name} is told.`, card: cardNow(road, outcome.state) };
  },
};

const questionOf = ({ card, press }: Road) => (card.questions ?? []).find(({ id }) => id === press.subject);
