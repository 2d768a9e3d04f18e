import type { Via } from '@countersign/contracts';
import { type Refusal, refusals } from '../decision/index.js';
import type { FlowDeps } from './deps.js';
import { leafMaker, openPayload } from './record-key.js';

export type OpenedOutcome = { kind: 'opened'; again: boolean } | Refusal;

/**
 * Records that a person opened everything of a request, as it is shown now: what `must_open` asks for before an approval. Whoever
 * calls this has shown it, and has looked that the person may see it. A ledger entry, once per person and view.
 *
 * @param view_digest of what was shown; another one than the request's shows that something else was
 */
export async function markOpened(
  deps: FlowDeps,
  by: { tenant: string; person_id: string; via: Via },
  request_id: string,
  view_digest?: string,
): Promise<OpenedOutcome> {
  const context = await deps.requests.decidingContext({ tenant: by.tenant, request_id, person_id: by.person_id });
  if (context === null) return refusals.notFound();
  const { request } = context;
  const person = context.people.find(({ id }) => id === by.person_id);
  if (person === undefined || !person.active) return refusals.accountInactive();
  if (view_digest !== undefined && view_digest !== request.view_digest) return refusals.actionMismatch();
  const at = deps.clock.now();
  const { recordKey } = await openPayload(deps.sealer, request);
  const leaf = leafMaker(deps, { tenant: by.tenant, subject: request_id, recordKey });
  const added = await deps.requests.opened(
    { tenant: by.tenant, request_id, person_id: person.id, view_digest: request.view_digest, opened_at: at },
    leaf('card.opened', at, { via: by.via }, { person: { id: person.id, email: person.email, name: person.name }, view_digest: request.view_digest }),
  );
  if (added) deps.announcer.announce('decisions');
  return { kind: 'opened', again: !added };
}
