import type { Verdict } from '@countersign/contracts';
import type { FormField, FormValues } from '../actions.js';
import { demandFields, givenIn, reasonField, textIn } from '../forms.js';
import { decideAs } from '../press.js';
import { type ActionHandler, decisionTold, type Road } from './road.js';

/** Approves; asks first for what policy wants besides the press, and only for that. */
export const approveAction: ActionHandler = {
  async form({ card }) {
    const fields: FormField[] = [
      ...demandFields(card.demands),
      ...(card.reason_required.approve ? [reasonField(true, 'The caller is told, and it is recorded.')] : []),
    ];
    if (!card.open || fields.length === 0) return null;
    return {
      action: 'approve',
      title: 'Approve the request',
      intro: [
        card.headline,
        ...(card.demands?.must_open === true ? ['Policy asks you to have seen everything first: open “Show everything” to its end before you send this.'] : []),
        ...(card.passkey_required === true ? ['What you enter here goes with you to the page where you confirm with your passkey.'] : []),
      ],
      fields,
      submit: 'Approve',
      subject: null,
    };
  },
  done: (road, values) => decided(road, 'approve', values),
  judgedByFlow: true,
  decides: true,
};

/** Denies, with a reason that goes back to the caller. */
export const denyAction: ActionHandler = {
  async form({ card }) {
    if (!card.open) return null;
    return {
      action: 'deny',
      title: 'Deny the request',
      intro: [card.headline],
      fields: [reasonField(card.reason_required.deny, 'The caller is told, and it is recorded.')],
      submit: 'Deny',
      subject: null,
    };
  },
  done: (road, values) => decided(road, 'deny', values),
  judgedByFlow: true,
  decides: true,
};

async function decided(road: Road, verdict: Verdict, values: FormValues) {
  const { press, card } = road;
  const answer = await decideAs(road.deps, road.person, {
    request_id: road.state.request.id,
    request_digest: press.request_digest ?? '',
    verdict,
    reason: textIn(values, 'reason') ?? null,
    ...(verdict === 'approve' ? givenIn(values, card.demands) : {}),
    account: press.account,
    at: press.at,
  });
  return decisionTold(answer);
}
