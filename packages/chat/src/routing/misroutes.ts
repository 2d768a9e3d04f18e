import { ADMINISTRATORS } from '@countersign/contracts';
import { noticeOf } from '@countersign/core/flow';
import type { PlatformName } from '@countersign/core/ports';
import { epochMs } from '@countersign/core/request';
import type { ChatWorld } from '../world.js';

/** For so long nothing is tried at what just failed: other requests go to the standing places at once. In milliseconds. */
const FRESH_MS = 60_000;
/** How long a look at what fails is good, in milliseconds. */
const LOOK_MS = 60_000;
const MOST_KEPT = 10_000;

export type MisrouteWorld = Pick<ChatWorld, 'tenant' | 'log'> & {
  store: Pick<ChatWorld['store'], 'routing'>;
  flow: Pick<ChatWorld['flow'], 'clock' | 'entropy'>;
};

/**
 * What policy names and shows nothing. Each is told once, in the log and to administrators, and is remembered until it works again, for the
 * doctor; however many requests it concerns.
 */
export function createMisroutes(platform: PlatformName, { tenant, store, flow, log }: MisrouteWorld) {
  const { routing } = store;
  const failedAt = new Map<string, number>();
  let known: { at: number; keys: Set<string> } | null = null;
  const now = () => epochMs(flow.clock.now());

  /** What is remembered as failing, by any process. */
  async function remembered(): Promise<Set<string>> {
    if (known === null || now() - known.at >= LOOK_MS) {
      known = { at: now(), keys: new Set((await routing.failing(tenant)).map((failure) => keyOf(failure.platform, failure.target))) };
    }
    return known.keys;
  }

  async function remember(of: PlatformName | '*', target: string, reason: string, told: { text: string; fields: object }): Promise<void> {
    const notice = noticeOf(flow, null, 'routing_failed', flow.clock.now(), { groups: [ADMINISTRATORS], text: told.text });
    const isNew = await routing.failed({ tenant, platform: of, target, reason }, notice);
    (await remembered()).add(keyOf(of, target));
    if (isNew) log.warn({ platform, target, ...told.fields }, told.text);
    else log.debug({ platform, target, ...told.fields }, told.text);
  }

  async function over(of: PlatformName | '*', targets: readonly string[]): Promise<void> {
    for (const target of targets) failedAt.delete(target);
    if (targets.length === 0) return;
    const keys = await remembered();
    const mended = targets.filter((target) => keys.has(keyOf(of, target)));
    if (mended.length === 0) return;
    await routing.mended(tenant, of, mended);
    for (const target of mended) keys.delete(keyOf(of, target));
    log.info({ platform, targets: mended }, 'cards are shown there again');
  }

  return {
    /** Whether it failed just now, so that trying again would change nothing. */
    isFresh: (target: string): boolean => now() - (failedAt.get(target) ?? Number.NEGATIVE_INFINITY) < FRESH_MS,

    /** Nothing can be shown there on this platform. */
    async failed(target: string, error: unknown): Promise<void> {
      if (failedAt.size >= MOST_KEPT) failedAt.clear();
      failedAt.set(target, now());
      const reason = error instanceof Error ? error.message : String(error);
      const instead = target.startsWith('standing') ? 'they wait in the web inbox' : 'they go to the standing places, and to the web inbox';
      const text = `Cards cannot be shown at ${target} (${PLATFORM[platform]}): ${reason}. Until that is mended ${instead}.`;
      await remember(platform, target, reason, { text, fields: { err: error } });
    },

    /** What policy names tells nobody on any platform. */
    async problem(target: string, reason: string, of: { lasting: boolean; request_id: string }): Promise<void> {
      if (!of.lasting) {
        log.info({ platform, target, request_id: of.request_id, reason }, 'what policy names tells nobody of this request; the standing places get its card');
        return;
      }
      const text = `Policy sends cards to ${target}, and ${reason}. Until that is mended they go to the standing places, and to the web inbox.`;
      await remember('*', target, reason, { text, fields: { request_id: of.request_id } });
    },

    /** Something was shown there. */
    mended: (targets: readonly string[]) => over(platform, targets),
    /** What policy names leads somewhere. */
    sound: (targets: readonly string[]) => over('*', targets),
  };
}

const PLATFORM = { slack: 'Slack', teams: 'Teams', email: 'e-mail' } as const;
const keyOf = (platform: string, target: string): string => `${platform} ${target}`;
