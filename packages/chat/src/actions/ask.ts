import { ask } from '@countersign/core/flow';
import { textIn } from './forms.js';
import { type ActionHandler, cardNow, told } from './road.js';

/** An approver asks; whoever stands behind the request, and its caller, are told. */
export const askAction: ActionHandler = {
  form: async ({ card }) => ({
    action: 'ask',
    title: 'Ask a question',
    intro: [card.headline, 'Whoever wants the action, and the caller, are told. Question and answer become part of the record. Nothing is decided by it.'],
    fields: [{ kind: 'text', id: 'text', label: 'Your question', required: true, multiline: true, max: 2_000 }],
    submit: 'Ask',
    subject: null,
  }),
  async done(road, values) {
    const outcome = await ask(road.world.flow, road.by, road.state.request.id, textIn(values, 'text') ?? '');
    if (outcome.kind === 'refused') return told(outcome);
    return { kind: 'done', text: 'Asked. You are told when it is answered; the request goes on waiting.', card: cardNow(road, outcome.state) };
  },
};
