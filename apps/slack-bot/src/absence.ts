import type { AbsenceReader } from '@countersign/chat';
import type { Clock } from '@countersign/core/ports';
import { epochMs, formatInstant } from '@countersign/core/request';
import type { Installations } from './installations.js';

/** The statuses of Slack's own list, and of many others, with which people say that they are not there. */
const AWAY_EMOJI = new Set([
  ':palm_tree:',
  ':face_with_thermometer:',
  ':beach_with_umbrella:',
  ':airplane:',
  ':airplane_departure:',
  ':desert_island:',
  ':mask:',
  ':hospital:',
  ':baby:',
  ':sleeping:',
]);
const AWAY_WORDS = /\b(?:out of (?:the )?office|ooo|vacation(?:ing)?|on holiday|on leave|parental leave|sick|away until|im urlaub|abwesend|krank)\b/iu;

/**
 * Whether a person's Slack status says that they are away, and until when. Nothing but the status is read: pausing notifications for the night is
 * no absence, and would need a further scope.
 */
export function slackAbsence(installations: Pick<Installations, 'at'>, clock: Clock): AbsenceReader {
  return {
    async away({ workspace, user }) {
      const seat = await installations.at(workspace);
      if (seat === null) return null;
      const answer = await seat.calls('notice')((client) => client.users.info({ user }));
      const { status_emoji = '', status_text = '', status_expiration = 0 } = answer.user?.profile ?? {};
      if (!AWAY_EMOJI.has(status_emoji) && !AWAY_WORDS.test(status_text)) return null;
      const until = status_expiration > 0 ? status_expiration * 1_000 : null;
      if (until !== null && until <= epochMs(clock.now())) return null;
      return { until: until === null ? null : formatInstant(until) };
    },
  };
}
