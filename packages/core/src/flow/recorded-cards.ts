import { CoreError } from '../errors.js';
import type { BatchStore, CardStore, LeafRecord, RequestStore } from '../ports.js';
import type { FlowDeps } from './deps.js';
import { leafMaker, openPayload } from './record-key.js';

/**
 * The card store, with a ledger entry for each card that was posted and each that was closed: what was put before people, where
 * and when (E1). An update of an open card is no entry of its own; the decision that caused it is.
 */
export function recordedCards(
  cards: CardStore,
  deps: Pick<FlowDeps, 'sealer' | 'clock' | 'entropy' | 'announcer'> & { requests: Pick<RequestStore, 'state'> },
): CardStore {
  return {
    ...cards,
    async shown(card, shown) {
      const event = card.state === 'posting' ? ('card.posted' as const) : shown.closed && card.state === 'posted' ? ('card.closed' as const) : null;
      if (event === null) return cards.shown(card, shown);
      const state = await deps.requests.state(card.tenant, card.request_id);
      if (state === null) throw new CoreError('payload_unreadable', `The request of card ${card.id} is not in the store.`);
      const { recordKey } = await openPayload(deps.sealer, state.request);
      const leaf = leafMaker(deps, { tenant: card.tenant, subject: card.request_id, recordKey });
      await cards.shown(
        card,
        shown,
        leaf(
          event,
          deps.clock.now(),
          { card: card.id, platform: card.platform, version: shown.version },
          { place: card.place, view_digest: state.request.view_digest },
        ),
      );
      deps.announcer.announce('decisions');
    },
  };
}

/** The store of messages that list many requests, with a ledger entry for each request when it first stands in one. */
export function recordedBatches(
  batches: BatchStore,
  deps: Pick<FlowDeps, 'sealer' | 'clock' | 'entropy' | 'announcer'> & { requests: Pick<RequestStore, 'state'> },
): BatchStore {
  return {
    ...batches,
    async shown(batch, shown) {
      const { tenant, id, platform, place, unlisted } = batch;
      const leaves: LeafRecord[] = [];
      for (const request_id of shown.listed.filter((each) => unlisted.includes(each))) {
        const state = await deps.requests.state(tenant, request_id);
        if (state === null) continue;
        const { recordKey } = await openPayload(deps.sealer, state.request);
        const leaf = leafMaker(deps, { tenant, subject: request_id, recordKey });
        const { version, view_digest } = state.request;
        leaves.push(leaf('card.posted', deps.clock.now(), { card: id, platform, version }, { place, view_digest }));
      }
      await batches.shown(batch, shown, leaves);
      if (leaves.length > 0) deps.announcer.announce('decisions');
    },
  };
}
