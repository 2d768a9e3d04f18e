import { standAside } from '@countersign/core/flow';
import { type ActionHandler, told } from './road.js';

/** An approver will not decide it: no more messages, and the others are told. */
export const notMeAction: ActionHandler = {
  form: async () => null,
  async done(road) {
    const outcome = await standAside({ ...road.world.flow, snoozes: road.world.store.snoozes }, road.by, road.state.request.id);
    if (outcome.kind === 'refused') return told(outcome);
    const still = outcome.waiting_for === null ? '' : ` Still needed: ${outcome.waiting_for}.`;
    const done = outcome.again ? 'You said so already.' : 'Noted: you get no more messages about it, and the others are told.';
    return { kind: 'done', text: `${done}${still} You may still decide it, if you change your mind.`, card: null };
  },
};
