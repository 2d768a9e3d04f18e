import { ask, list, member } from './ask.js';
import { OnCallError } from './error.js';
import type { OnCallService } from './source.js';

/** PagerDuty's pages hold at most so many entries, and nobody has more pages than these. */
const PAGE = 100;
const MOST_PAGES = 10;

/** Who is on call now by a schedule of PagerDuty (REST API v2, `GET /oncalls`, with users included; the time is now unless it is named). */
export async function pagerDutyOnCall({ token, apiUrl }: OnCallService, schedule: string, timeoutMs: number): Promise<string[]> {
  const people = new Set<string>();
  for (let page = 0; page < MOST_PAGES; page++) {
    const url = new URL(`${apiUrl}/oncalls`);
    url.searchParams.append('schedule_ids[]', schedule);
    url.searchParams.append('include[]', 'users');
    url.searchParams.append('limit', String(PAGE));
    url.searchParams.append('offset', String(page * PAGE));
    const answer = await ask('PagerDuty', url, { authorization: `Token token=${token}`, accept: 'application/vnd.pagerduty+json;version=2' }, timeoutMs);
    const entries = list(member(answer, 'oncalls'));
    if (entries === null) throw new OnCallError('unreachable', 'PagerDuty answers something else than on-call entries');
    for (const entry of entries) {
      const email = member(member(entry, 'user'), 'email');
      // One person stands here once for each escalation policy that uses the schedule.
      if (typeof email === 'string' && email !== '') people.add(email.toLowerCase());
    }
    if (member(answer, 'more') !== true) break;
  }
  return [...people];
}
