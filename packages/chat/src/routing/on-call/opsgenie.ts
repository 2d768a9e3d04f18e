import { ask, list, member } from './ask.js';
import { OnCallError } from './error.js';
import type { OnCallService } from './source.js';

/** Who is on call now by a schedule of Opsgenie, by its name (`GET /v2/schedules/{name}/on-calls`, flat: user names, which are addresses). */
export async function opsgenieOnCall({ token, apiUrl }: OnCallService, schedule: string, timeoutMs: number): Promise<string[]> {
  const url = new URL(`${apiUrl}/v2/schedules/${encodeURIComponent(schedule)}/on-calls`);
  url.searchParams.append('scheduleIdentifierType', 'name');
  url.searchParams.append('flat', 'true');
  const answer = await ask('Opsgenie', url, { authorization: `GenieKey ${token}` }, timeoutMs);
  const recipients = list(member(member(answer, 'data'), 'onCallRecipients'));
  if (recipients === null) throw new OnCallError('unreachable', 'Opsgenie answers something else than on-call recipients');
  return [...new Set(recipients.filter((each) => typeof each === 'string' && each.includes('@')).map((each) => String(each).toLowerCase()))];
}
