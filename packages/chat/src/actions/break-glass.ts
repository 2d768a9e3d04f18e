import { refusals } from '@countersign/core/decision';
import { demandFields, givenIn, reasonField, textIn } from './forms.js';
import { decideAs } from '../press.js';
import { type ActionHandler, decisionTold, type Road, told } from './road.js';

/** Lets one request pass in an emergency, alone and loudly. Who may, and what it takes, says the flow, as for the API. */
export const breakGlassAction: ActionHandler = {
  async form(road) {
    const { card } = road;
    const glass = card.break_glass;
    if (glass === undefined) return refusals.notBreakGlass('Policy has no emergency road for this request.');
    if (!road.person.groups.includes(glass.group)) return refused(road, glass.group);
    return {
      action: 'break_glass',
      title: 'Break the glass',
      intro: [
        card.headline,
        'This lets the request pass NOW, without the people whom policy asks for. Use it in an emergency only.',
        glass.quorum === 1 ? 'You let it pass alone.' : `${String(glass.quorum)} members of ${glass.group} have to break the glass; you are one of them.`,
        `Your name and reason are announced loudly, and stay on the record. ${reviewWords(road)}`,
        ...(glass.must_open ? ['Policy asks you to have seen everything first: open “Show everything” to its end before you send this.'] : []),
      ],
      fields: [reasonField(true, 'What the emergency is. Everybody who is told reads it.'), ...demandFields(glass)],
      submit: 'Break the glass',
      subject: null,
    };
  },
  async done(road, values) {
    const { press, card } = road;
    const answer = await decideAs(road.deps, road.person, {
      request_id: road.state.request.id,
      request_digest: press.request_digest ?? '',
      verdict: 'approve',
      reason: textIn(values, 'reason') ?? null,
      ...givenIn(values, card.break_glass),
      break_glass: true,
      account: press.account,
      at: press.at,
    });
    return decisionTold(answer);
  },
  judgedByFlow: true,
  decides: true,
};

function reviewWords({ state }: Road): string {
  const glass = state.request.requirement?.break_glass;
  const hours = (glass?.review_within_seconds ?? 0) / 3_600;
  return `${glass?.review_by === undefined ? 'Somebody else' : `A member of ${glass.review_by}`} reviews it within ${String(Math.round(hours * 10) / 10)} hours.`;
}

/** The flow refuses, and records that it was tried. */
async function refused(road: Road, group: string) {
  const { press } = road;
  const answer = await decideAs(road.deps, road.person, {
    request_id: road.state.request.id,
    request_digest: press.request_digest ?? '',
    verdict: 'approve',
    reason: null,
    break_glass: true,
    account: press.account,
    at: press.at,
  });
  return answer.kind === 'refused' ? told(answer) : refusals.notBreakGlass(`Only members of ${group} may let this request pass in an emergency.`);
}
