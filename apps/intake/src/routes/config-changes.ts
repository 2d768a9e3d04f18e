import { configChangeListSchema, configChangeQuerySchema, configChangeSchema } from '@countersign/contracts';
import { configChangeView } from '@countersign/core/flow';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, trouble } from '../problems.js';
import { seesAll } from '../visibility.js';

/** Changes of the configuration that a second person approves. They are decided as requests are; here is what became of them. */
export function configChangeRoutes({ flow, control: { configChanges } }: IntakeDeps): Route[] {
  const forbidden = () => trouble('forbidden', 'Changes of the configuration are for administrators and auditors to see.');
  return [
    route({
      method: 'get',
      path: '/v1/config-changes',
      name: 'listConfigChanges',
      tag: 'Control',
      summary: 'Proposed changes of the configuration and what became of them, newest first',
      who: 'person',
      query: configChangeQuerySchema,
      answers: { 200: { description: 'The latest', schema: configChangeListSchema } },
      problems: ['forbidden'],
      async handle({ reader, query: { state, limit } }) {
        if (!seesAll(reader.person)) return forbidden();
        const found = await configChanges.list(reader.tenant, { limit, ...(state === undefined ? {} : { state }) });
        return { status: 200, json: { data: found.map((change) => configChangeView(change, flow.publicUrl)), next_cursor: null } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/config-changes/:id',
      name: 'getConfigChange',
      tag: 'Control',
      summary: 'One change of the configuration',
      who: 'person',
      parameters: { id: 'The id of a change, cc_…' },
      answers: { 200: { description: 'The change', schema: configChangeSchema } },
      problems: ['forbidden'],
      async handle({ reader, params: { id = '' } }) {
        const change = await configChanges.get(reader.tenant, id);
        if (change === null) return notFound();
        if (!seesAll(reader.person) && change.proposed_by.id !== reader.person.id) return forbidden();
        return { status: 200, json: configChangeView(change, flow.publicUrl) };
      },
    }),
  ];
}
