import {
  type Appliers,
  type ConfigChangeDeps,
  directoryAppliers,
  endFreeze,
  endpointAppliers,
  placeAppliers,
  policyApplier,
  preparedAppliers,
  settleChanges,
  slackAppliers,
} from '@countersign/core/flow';
import type { Config } from '@countersign/service';
import type { World } from './world.js';

/** What gated changes of the configuration need of the world. */
export function configChangeDeps({ flow, store }: World, { fourEyes }: Pick<Config, 'fourEyes'>): ConfigChangeDeps {
  return { ...flow, configChanges: store.configChanges, fourEyes };
}

/** How each kind of change is put into effect once it is approved. A new kind adds its applier here and in the harness of the API. */
export function appliers({ flow, store }: World): Appliers {
  return {
    'policy.activate': policyApplier({ ...flow, bundles: store.policies }),
    ...directoryAppliers({ ...flow, directory: store.directory, scim: store.scim }),
    ...endpointAppliers({ ...flow, endpoints: store.endpoints }),
    ...placeAppliers({ ...flow, chatPlaces: store.chatPlaces }),
    ...slackAppliers({ ...flow, slackInstalls: store.slackInstalls }),
    ...preparedAppliers({ ...flow, callers: store.callers, chatLinks: store.chatLinks }),
  };
}

/** How many freezes are ended at a time. */
const ENDED = 50;

/** Puts approved changes into effect, and records the end of freezes whose time is over. */
export async function settleControl(world: World, config: Config, onFault: (error: unknown) => void): Promise<void> {
  await settleChanges(configChangeDeps(world, config), appliers(world), onFault);
  for (const target of await world.store.freezes.over(ENDED)) await endFreeze({ ...world.flow, freezes: world.store.freezes }, target).catch(onFault);
}
