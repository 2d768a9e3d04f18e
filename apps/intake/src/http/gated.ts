import type { JsonObject } from '@countersign/contracts';
import { configChangeView, gateChange, type ProposedChange } from '@countersign/core/flow';
import type { AuthenticatedPerson } from '@countersign/identity';
import { configChangeDeps, type IntakeDeps } from '../deps.js';
import { trouble } from '../problems.js';
import type { Answer } from './route.js';

/**
 * Four eyes on the configuration: does what was asked at once where nobody else has to approve it, else answers 202 with the change that
 * waits for somebody.
 *
 * @param shown what the answer says besides, such as a secret that is shown this once
 */
export async function gated(
  deps: Pick<IntakeDeps, 'flow' | 'control'>,
  { tenant, person, authenticated }: AuthenticatedPerson,
  change: ProposedChange,
  now: () => Promise<Answer>,
  shown: JsonObject = {},
): Promise<Answer> {
  const proposed = await gateChange(configChangeDeps(deps), { tenant, person, authenticated }, change);
  switch (proposed.kind) {
    case 'free':
      return now();
    case 'frozen':
      return trouble('frozen', proposed.text);
    case 'proposed': {
      const { flow } = deps;
      const headers = { Location: `${flow.publicUrl}/v1/config-changes/${proposed.change.id}` };
      return { status: 202, json: { pending: true, change: configChangeView(proposed.change, flow.publicUrl), ...shown }, headers };
    }
  }
}
