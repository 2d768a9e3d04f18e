import type { Channel } from '@countersign/contracts';
import type { CompiledBundle, OnDuty } from '@countersign/core/policy';
import type { ActionRequestRecord, OnCallSource, PlatformName, PolicyStore, RoutingStore } from '@countersign/core/ports';
import type { FlowDeps } from '@countersign/core/flow';
import { epochMs } from '@countersign/core/request';
import { namedBy, type Routes, routesOf, type RoutingFacts } from './routing.js';

export interface RouterDeps {
  flow: Pick<FlowDeps, 'policies' | 'clock'>;
  routing: Pick<RoutingStore, 'platforms' | 'reachable'>;
  policies: Pick<PolicyStore, 'active'>;
  onCall: OnCallSource;
}

export interface Router {
  /** Where the cards of a request go on a platform, as things stand. */
  routes(request: ActionRequestRecord, platform: PlatformName): Promise<Routes>;
  /** Who is meant by channels that name people (`direct`, `person`, `on_call`, `email`): groups and persons of the directory; and what tells nobody. */
  meant(tenant: string, channels: readonly Channel[]): Promise<{ groups: string[]; people: string[]; failed: string[] }>;
}

/** Looks up what routing needs to know: schedules as the policy in force has them, else the one that the request is pinned to. */
export function createRouter({ flow, routing, policies, onCall }: RouterDeps): Router {
  async function bundlesFor(tenant: string, pinned: string | null): Promise<CompiledBundle[]> {
    const active = await policies.active(tenant);
    const digests = [...new Set([active?.digest, pinned].filter((digest) => digest != null))];
    return Promise.all(digests.map((digest) => flow.policies.bundle(tenant, digest)));
  }

  async function dutyOf(schedules: readonly string[], bundles: readonly CompiledBundle[], now: number): Promise<RoutingFacts['onCall']> {
    const found = new Map<string, readonly OnDuty[] | { failed: string }>();
    await Promise.all(
      [...new Set(schedules)].map(async (name) => {
        const schedule = bundles.map((bundle) => bundle.schedules.get(name)).find((each) => each !== undefined);
        if (schedule === undefined) return;
        if (schedule.kind === 'rotation') {
          found.set(name, schedule.at(now));
          return;
        }
        try {
          const people = await onCall.onCall(schedule.kind === 'pagerduty' ? { pagerduty: schedule.id } : { opsgenie: schedule.name });
          found.set(
            name,
            people.map((person) => ({ person })),
          );
        } catch (error) {
          found.set(name, { failed: error instanceof Error ? error.message : String(error) });
        }
      }),
    );
    return found;
  }

  async function factsOf(tenant: string, channels: readonly Channel[], pinned: string | null): Promise<Pick<RoutingFacts, 'partsOf' | 'onCall' | 'now'>> {
    const now = epochMs(flow.clock.now());
    if (channels.every((channel) => 'slack' in channel || 'teams' in channel)) return { partsOf: () => [], onCall: new Map(), now };
    const bundles = await bundlesFor(tenant, pinned);
    const schedules = channels.flatMap((channel) => ('on_call' in channel ? [channel.on_call] : []));
    return { partsOf: (group) => [...new Set(bundles.flatMap((bundle) => bundle.partsOf(group)))], onCall: await dutyOf(schedules, bundles, now), now };
  }

  return {
    async routes(request, platform) {
      const { tenant, requirement } = request;
      const channels = requirement?.channels ?? [];
      if (channels.length === 0) return { routes: [], standing: true, problems: [], sound: [] };
      const facts = await factsOf(tenant, channels, request.policy_digest);
      const named = namedBy(channels, request, facts);
      const people = named.groups.length + named.people.length === 0 ? [] : await routing.reachable(tenant, named);
      return routesOf(request, { ...facts, platform, platforms: await routing.platforms(tenant), people });
    },
    async meant(tenant, channels) {
      const facts = await factsOf(tenant, channels, null);
      const failed = channels.flatMap((channel) => {
        const duty = 'on_call' in channel ? facts.onCall.get(channel.on_call) : [];
        return duty === undefined || 'failed' in duty ? [`on_call ${'on_call' in channel ? channel.on_call : ''}`] : [];
      });
      return { ...namedBy(channels, null, facts), failed };
    },
  };
}

/** Where no service that keeps schedules is configured. */
export const noOnCall: OnCallSource = {
  onCall: (schedule) =>
    Promise.reject(
      new Error(`${'pagerduty' in schedule ? 'PagerDuty' : 'Opsgenie'} is not configured (${'pagerduty' in schedule ? 'PAGERDUTY_TOKEN' : 'OPSGENIE_TOKEN'})`),
    ),
};
