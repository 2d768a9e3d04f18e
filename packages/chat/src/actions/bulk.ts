import { idSchema } from '@countersign/contracts';
import { cardOf } from '@countersign/core/card';
import { personMayRead, refusals } from '@countersign/core/decision';
import type { RequestState } from '@countersign/core/ports';
import type { ActionAnswer, FormValues } from '../actions.js';
import { cut } from '../cards/card-words.js';
import { listIn, reasonField, textIn } from './forms.js';
import { decideAs } from '../press.js';
import { type ActionHandler, type Road, standing } from './road.js';

/** As the API takes them at once. */
const MOST_TOGETHER = 50;

/**
 * Decides several requests: those that the person ticks, each by its id and by what was shown of it, each judged alone, and only where policy lets
 * it be decided together with others. The subject lists the ids, with commas between; without one, it is the request of the press alone.
 */
export const bulkAction: ActionHandler = {
  async form(road) {
    const ids = [...new Set(road.press.subject === null ? [road.state.request.id] : road.press.subject.split(','))].slice(0, MOST_TOGETHER);
    const states = (await Promise.all(ids.map((id) => ownOf(road, id)))).filter((state) => state !== null);
    const open = states.filter(({ request }) => request.status === 'pending' && request.requirement?.bulk === true);
    if (open.length === 0) return refusals.bulkNotAllowed();
    const left = states.length - open.length;
    return {
      action: 'bulk',
      title: 'Decide together',
      intro: [
        'Tick what you decide. Each is judged alone, and recorded as a decision of its own; what you do not tick goes on waiting.',
        ...(left === 0 ? [] : [`${String(left)} more of this list cannot be decided together: settled already, or policy wants each by itself.`]),
      ],
      fields: [
        {
          kind: 'choice',
          id: 'requests',
          label: 'Requests',
          required: true,
          many: true,
          options: open.map((state) => ({ value: `${state.request.id} ${state.request.request_digest}`, label: labelOf(road, state) })),
        },
        {
          kind: 'choice',
          id: 'verdict',
          label: 'Decision',
          required: true,
          many: false,
          options: [
            { value: 'approve', label: 'Approve all that are ticked' },
            { value: 'deny', label: 'Deny all that are ticked' },
          ],
        },
        reasonField(
          open.some(({ request }) => request.requirement?.reason_required.approve === true || request.requirement?.reason_required.deny === true),
          'Told to each caller, and recorded with each decision.',
        ),
      ],
      submit: 'Decide',
      subject: ids.join(','),
    };
  },
  async done(road, values): Promise<ActionAnswer> {
    const [verdict] = listIn(values, 'verdict');
    const chosen = chosenIn(values);
    if ((verdict !== 'approve' && verdict !== 'deny') || chosen === null) {
      return { kind: 'refused', code: 'form_incomplete', text: `Nothing was decided. Choose a decision, and tick 1 to ${String(MOST_TOGETHER)} requests.` };
    }
    const lines: string[] = [];
    let decided = 0;
    // One after the other: each is a commit of its own, and none waits for another's.
    for (const { id, digest } of chosen) {
      const state = await ownOf(road, id);
      const answer = state === null ? refusals.notFound() : await decideOne(road, { id, digest, verdict, reason: textIn(values, 'reason') ?? null });
      if (answer.kind === 'decided') decided += 1;
      lines.push(`${id}: ${answer.text}`);
    }
    const count = `${String(decided)} of ${String(chosen.length)} decided.`;
    return decided === 0
      ? { kind: 'refused', code: 'bulk_refused', text: [count, ...lines].join('\n') }
      : { kind: 'done', text: [count, ...lines].join('\n'), card: null };
  },
  judgedByFlow: true,
};

/** Where a passkey is needed it is refused, in core's words: one page confirms one request. */
function decideOne(road: Road, one: { id: string; digest: string; verdict: 'approve' | 'deny'; reason: string | null }) {
  const { account, at } = road.press;
  const { stepUp: _, ...deps } = road.deps;
  return decideAs(deps, road.person, { request_id: one.id, request_digest: one.digest, verdict: one.verdict, reason: one.reason, bulk: true, account, at });
}

/** A request that the message carries, or, where no message does, that the person may see. */
async function ownOf(road: Road, id: string): Promise<RequestState | null> {
  if (!idSchema('ar').safeParse(id).success) return null;
  if (road.press.ref !== null && (await standing(road.world, road.deps, road.press.ref, id)) === 'elsewhere') return null;
  const state = await road.world.requests.state(road.by.tenant, id);
  return state !== null && personMayRead(road.person, state) ? state : null;
}

function chosenIn(values: FormValues): { id: string; digest: string }[] | null {
  const chosen = [...new Set(listIn(values, 'requests'))].map((value) => {
    const [id = '', digest = ''] = value.split(' ');
    return { id, digest };
  });
  const distinct = new Set(chosen.map(({ id }) => id)).size === chosen.length;
  return chosen.length === 0 || chosen.length > MOST_TOGETHER || !distinct ? null : chosen;
}

function labelOf(road: Road, state: RequestState): string {
  const { headline } = cardOf(state, road.deps.card);
  return headline.length <= 150 ? headline : `${cut(headline, 149)}…`;
}
