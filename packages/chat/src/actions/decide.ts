import { askAgainSchema, type Verdict } from '@countersign/contracts';
import type { Person } from '@countersign/core/ports';
import type { FormField, FormValues } from '../actions.js';
import { demandFields, givenIn, listIn, reasonField, textIn } from './forms.js';
import { decideAs, steadsOf } from '../press.js';
import { type ActionHandler, decisionTold, type Road } from './road.js';

/** Approves; asks first for what policy wants besides the press, and only for that. */
export const approveAction: ActionHandler = {
  async form(road) {
    const { card } = road;
    const fields: FormField[] = [
      ...(await steadFields(road, 'approve')),
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
  async form(road) {
    const { card } = road;
    if (!card.open) return null;
    return {
      action: 'deny',
      title: 'Deny the request',
      intro: [card.headline],
      fields: [...(await steadFields(road, 'deny')), reasonField(card.reason_required.deny, 'The caller is told, and it is recorded.'), AGAIN],
      submit: 'Deny',
      subject: null,
    };
  },
  done: (road, values) => decided(road, 'deny', values),
  judgedByFlow: true,
  decides: true,
};

/** Whether the caller may ask again: a hint that goes back with the denial. */
const AGAIN: FormField = {
  kind: 'choice',
  id: 'ask_again',
  label: 'May they ask again?',
  hint: 'The caller is told. It decides nothing later.',
  required: false,
  many: false,
  options: [
    { value: 'never', label: 'No' },
    { value: 'changed', label: 'Yes, with changes (say which above)' },
    { value: 'later', label: 'Yes, later' },
  ],
};

/** In whose stead, where there are several: of one alone there is nothing to ask. */
async function steadFields({ deps, person, state }: Road, verdict: Verdict): Promise<FormField[]> {
  const steads = await steadsOf(deps, person, state.request, verdict);
  if (steads.length < 2) return [];
  const options = steads.map(({ id, name }: Person) => ({ value: id, label: `${name}, who is away` }));
  return [{ kind: 'choice', id: 'stead', label: 'In whose stead', required: true, many: false, options }];
}

async function decided(road: Road, verdict: Verdict, values: FormValues) {
  const { press, card } = road;
  const again = askAgainSchema.safeParse(listIn(values, 'ask_again')[0]);
  const [stead] = listIn(values, 'stead');
  const answer = await decideAs(road.deps, road.person, {
    request_id: road.state.request.id,
    request_digest: press.request_digest ?? '',
    verdict,
    reason: textIn(values, 'reason') ?? null,
    ...(verdict === 'approve' ? givenIn(values, card.demands) : again.success ? { ask_again: again.data } : {}),
    ...(stead === undefined ? {} : { delegate_for: stead }),
    account: press.account,
    at: press.at,
  });
  return decisionTold(answer);
}
