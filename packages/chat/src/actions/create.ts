import type { ChatAccount } from '@countersign/core/ports';
import type { LinkMode } from '../people/account.js';
import type { ActionAnswer, ActionPress, CardAction, ChatActions } from '../actions.js';
import { tooLongIn, wrongIn } from './forms.js';
import { FAULT_TEXT } from '../press.js';
import { type ChatWorld, pressDepsOf } from '../world.js';
import { answerAction } from './answer.js';
import { askAction } from './ask.js';
import { bulkAction } from './bulk.js';
import { breakGlassAction } from './break-glass.js';
import { counterAction } from './counter.js';
import { approveAction, denyAction } from './decide.js';
import { delegateAction } from './delegate.js';
import { notMeAction } from './not-me.js';
import { revealAction } from './reveal.js';
import { reviewAction } from './review.js';
import { type ActionHandler, type Road, takeRoad } from './road.js';
import { snoozeAction } from './snooze.js';
import { whyAction } from './why.js';

/** What people do in one platform's chat besides a single press of Approve or Deny: who may, what is asked, and what comes of it. */
export function createChatActions(world: ChatWorld, platform: ChatAccount['platform'], linkMode: LinkMode): ChatActions {
  const deps = pressDepsOf(world, platform, linkMode);

  async function on(action: CardAction, press: ActionPress, work: (handler: ActionHandler, road: Road) => Promise<ActionAnswer>): Promise<ActionAnswer> {
    try {
      const handler = handlers[action];
      const road = await takeRoad(world, deps, press, handler.decides === true);
      return 'kind' in road ? road : await work(handler, road);
    } catch (error) {
      world.log.error({ err: error, action, platform }, 'an action in a chat failed');
      return { kind: 'refused', code: 'internal', text: FAULT_TEXT };
    }
  }

  return {
    open: (action, press) =>
      on(action, press, async (handler, road) => {
        const asked = await handler.form(road);
        if (asked === null) return handler.done(road, {});
        return 'kind' in asked ? asked : { kind: 'form', form: asked };
      }),
    submit: (action, press, values) =>
      on(action, press, async (handler, road) => {
        if (handler.judgedByFlow === true) return tooLongIn(values) ?? handler.done(road, values);
        const asked = await handler.form(road);
        if (asked === null) return handler.done(road, values);
        if ('kind' in asked) return asked;
        return wrongIn(asked, values) ?? (await handler.done(road, values));
      }),
  };
}

const handlers: Record<CardAction, ActionHandler> = {
  ask: askAction,
  answer: answerAction,
  counter: counterAction,
  snooze: snoozeAction,
  delegate: delegateAction,
  not_me: notMeAction,
  break_glass: breakGlassAction,
  review: reviewAction,
  reveal: revealAction,
  why: whyAction,
  bulk: bulkAction,
  approve: approveAction,
  deny: denyAction,
};
