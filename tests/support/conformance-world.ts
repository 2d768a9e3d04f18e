import type { ConformanceWorld } from '@countersign/chat/conformance';
import type { Submission } from '@countersign/contracts';
import { expire } from '@countersign/core/flow';
import type { RequestState } from '@countersign/core/ports';
import { askForReasons } from '@countersign/dev-env/approval-world';
import type { ApiWorld } from '@countersign/intake/testing';

const TENANT = 'default';

/** Countersign behind the conformance suite where people decide over HTTP: everything that no channel does itself. */
export function conformanceWorld(
  api: ApiWorld,
  open: (submission?: Partial<Submission>, ago?: number) => Promise<{ id: string }>,
  hurry: () => Promise<void>,
): { world: ConformanceWorld; stateOf(id: string): Promise<RequestState>; digestOf(id: string): Promise<string> } {
  const stateOf = async (id: string): Promise<RequestState> => {
    const state = await api.store.requests.state(TENANT, id);
    if (state === null) throw new Error(`there is no request ${id}`);
    return state;
  };
  const digestOf = async (id: string): Promise<string> => (await stateOf(id)).request.request_digest;
  return {
    stateOf,
    digestOf,
    world: {
      open,
      state: stateOf,
      async decide(person, id, verdict, reason) {
        const reply = await api.decide(api.tokens[person], { id, request_digest: await digestOf(id) }, verdict, reason);
        if (reply.status !== 201) throw new Error(`not decided: ${reply.text}`);
      },
      async cancel(id) {
        const reply = await api.call('POST', `/v1/action-requests/${id}/cancel`, { as: api.key, body: {} });
        if (reply.status !== 200) throw new Error(`not cancelled: ${reply.text}`);
      },
      expire: async (id) => void (await expire(api.flow, { tenant: TENANT, request_id: id })),
      deactivate: (person) => api.sql(`UPDATE directory_people SET active = false WHERE email = '${person}@example.com'`),
      demandReasons: () => askForReasons(api.store, api.flow),
      failNextDecision() {
        const { change } = api.store.requests;
        api.store.requests.change = () => {
          api.store.requests.change = change;
          return Promise.reject(new Error('the database did not answer'));
        };
      },
      hurry,
    },
  };
}
