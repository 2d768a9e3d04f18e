import type { JsonValue, TimelineEvent } from '@countersign/contracts';
import type { Delivery } from './api.js';
import { Moment } from './moments.js';

const eventWords: Record<string, string> = {
  'action_request.opened': 'Asked',
  'decision.recorded': 'Decision',
  'decision.refused': 'Decision refused',
  'outcome.settled': 'Settled',
  'outcome.revoked': 'Revoked',
  'delivery.attempted': 'Callback attempted',
  'grant.issued': 'Grant issued',
  'grant.redeemed': 'Grant redeemed',
  'grant.refused': 'Grant refused',
  'execution.reported': 'Ran',
  'card.posted': 'Card posted',
  'card.closed': 'Card closed',
  'value.revealed': 'Value revealed',
};

/** What happened, with each entry's place in the ledger, and how the callback fared. */
export function History({ events, deliveries }: { events: TimelineEvent[]; deliveries: Delivery[] }) {
  return (
    <details className="history" open>
      <summary>History</summary>
      <ol>
        {events.map((entry) => (
          <li key={entry.id}>
            <Moment at={entry.at} /> <strong>{eventWords[entry.event] ?? entry.event}</strong> <span>{inWords(entry.detail)}</span>
            <span className="quiet"> {entry.ledger_index === null ? 'ledger: being placed' : `ledger #${entry.ledger_index}`}</span>
          </li>
        ))}
      </ol>
      {deliveries.map((delivery) => (
        <p key={delivery.id} className="delivery">
          Callback {delivery.event} to <bdi>{delivery.url ?? 'an endpoint'}</bdi>: <strong>{delivery.state}</strong>
          {delivery.attempts.length === 0 ? null : ` after ${delivery.attempts.length} ${delivery.attempts.length === 1 ? 'attempt' : 'attempts'}`}
          {delivery.state === 'pending' && delivery.next_attempt_at !== null ? (
            <>
              {' '}
              – next try <Moment at={delivery.next_attempt_at} />
            </>
          ) : null}
        </p>
      ))}
    </details>
  );
}

/** The few members of an entry's detail that help a person; the whole entry is in the API and the ledger. */
function inWords(detail: TimelineEvent['detail']): string {
  const text = (value: JsonValue | undefined): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');
  const person = detail['person'];
  const name = person !== null && typeof person === 'object' && !Array.isArray(person) ? text(person['name']) : '';
  return [
    name,
    text(detail['verdict']),
    text(detail['code']),
    text(detail['status']),
    text(detail['result']),
    text(detail['detail']),
    text(detail['platform']),
    text(detail['via']) === '' ? '' : `on ${text(detail['via'])}`,
  ]
    .filter((part) => part !== '')
    .join(' · ');
}
