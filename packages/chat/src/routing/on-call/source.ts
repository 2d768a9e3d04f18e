import type { Clock, OnCallSchedule, OnCallSource } from '@countersign/core/ports';
import { epochMs } from '@countersign/core/request';
import { OnCallError } from './error.js';
import { opsgenieOnCall } from './opsgenie.js';
import { pagerDutyOnCall } from './pagerduty.js';

/** How to reach a service that keeps schedules. */
export interface OnCallService {
  token: string;
  /** Without a slash at its end. */
  apiUrl: string;
}

export interface OnCallOptions {
  pagerduty?: OnCallService | undefined;
  opsgenie?: OnCallService | undefined;
  clock: Clock;
  /** How long a service may take, in milliseconds; absent: five seconds. */
  timeoutMs?: number;
}

export const PAGERDUTY_API_URL = 'https://api.pagerduty.com';
export const OPSGENIE_API_URL = 'https://api.opsgenie.com';

/** How long an answer is used, in milliseconds. Who was called off a minute ago may still get a card; it gives no right. */
const ANSWER_LIFE_MS = 60_000;
/** How long nothing is asked after there was no answer, in milliseconds: a service in trouble is not stormed by every request. */
const FAULT_LIFE_MS = 15_000;
const MOST_KEPT = 1_000;

/** Asks PagerDuty and Opsgenie who is on call. Many that ask at once are one question. */
export function createOnCallSource({ pagerduty, opsgenie, clock, timeoutMs = 5_000 }: OnCallOptions): OnCallSource {
  const kept = new Map<string, { at: number; life: number; people: Promise<string[]> }>();
  const now = () => epochMs(clock.now());

  function ask(schedule: OnCallSchedule): Promise<string[]> {
    if ('pagerduty' in schedule) {
      if (pagerduty === undefined) return Promise.reject(new OnCallError('not_configured', 'PagerDuty is not configured (PAGERDUTY_TOKEN)'));
      return pagerDutyOnCall(pagerduty, schedule.pagerduty, timeoutMs);
    }
    if (opsgenie === undefined) return Promise.reject(new OnCallError('not_configured', 'Opsgenie is not configured (OPSGENIE_TOKEN)'));
    return opsgenieOnCall(opsgenie, schedule.opsgenie, timeoutMs);
  }

  return {
    onCall(schedule) {
      const key = JSON.stringify(schedule);
      const known = kept.get(key);
      if (known !== undefined && now() - known.at < known.life) return known.people;
      if (kept.size >= MOST_KEPT) kept.clear();
      const entry = { at: now(), life: ANSWER_LIFE_MS, people: ask(schedule) };
      kept.set(key, entry);
      entry.people.catch(() => {
        entry.life = FAULT_LIFE_MS;
      });
      return entry.people;
    },
  };
}
