import { refusals } from '@countersign/core/decision';
import { addSeconds, type Instant } from '@countersign/core/request';
import { listIn } from './forms.js';
import { instantWords, wallInstant } from '../commands/when.js';
import { type ActionHandler, type Road } from './road.js';

/** No more messages about it for a while, for this person alone. It decides nothing. */
export const snoozeAction: ActionHandler = {
  async form({ card }) {
    if (!card.open) return refusals.alreadySettled(`the request is ${card.status}`);
    return {
      action: 'snooze',
      title: 'Snooze',
      intro: [
        card.headline,
        `You get no messages about it for a while; then you are told once that it still waits. Nobody else’s messages are held, and its time goes on: ${card.expires_at}.`,
      ],
      fields: [
        {
          kind: 'choice',
          id: 'for',
          label: 'For how long',
          required: true,
          many: false,
          options: [
            { value: '1h', label: '1 hour' },
            { value: '4h', label: '4 hours' },
            { value: 'tomorrow', label: 'Until tomorrow, 9:00' },
          ],
          initial: '1h',
        },
      ],
      submit: 'Snooze',
      subject: null,
    };
  },
  async done(road, values) {
    const until = endOf(road, listIn(values, 'for')[0]);
    if (until === null) return { kind: 'refused', code: 'form_incomplete', text: 'Nothing was done. Choose 1 hour, 4 hours, or until tomorrow.' };
    const { request } = road.state;
    const set = await road.world.store.snoozes.set({ ...road.by, request_id: request.id, until });
    if (!set) return refusals.alreadySettled('the request does not wait any more');
    const late = until >= request.expires_at ? ' Its time is over before that.' : '';
    return { kind: 'done', text: `You get no messages about it until ${instantWords(until, zoneOf(road))}.${late}`, card: null };
  },
};

/** As the platform says; UTC where it does not. */
export const zoneOf = ({ press }: Pick<Road, 'press'>): string => press.account.timezone ?? 'UTC';

function endOf(road: Road, chosen: string | undefined): Instant | null {
  const now = road.world.flow.clock.now();
  switch (chosen) {
    case '1h':
      return addSeconds(now, 3_600);
    case '4h':
      return addSeconds(now, 4 * 3_600);
    case 'tomorrow':
      return wallInstant(now, zoneOf(road), 1, 9 * 60);
    default:
      return null;
  }
}
