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
  'reveal.refused': 'Reveal refused',
  'question.asked': 'Question',
  'question.answered': 'Answer',
  'proposal.made': 'Counter-proposal',
  'proposal.accepted': 'Counter-proposal taken',
  'approver.stood_aside': 'Stood aside',
  'review.opened': 'Review opened',
  'review.completed': 'Reviewed',
};

interface HistoryProps {
  events: TimelineEvent[];
  deliveries: Delivery[];
  /** Given to administrators alone. */
  onRedrive: ((delivery: Delivery) => void) | null;
}

/** What happened, with each entry's place in the ledger, and how the callbacks fared. */
export function History({ events, deliveries, onRedrive }: HistoryProps) {
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
        <DeliveryLine key={delivery.id} delivery={delivery} onRedrive={mayGoAgain(delivery, deliveries) ? onRedrive : null} />
      ))}
    </details>
  );
}

/** One callback: where it goes, how it stands, and each attempt. */
function DeliveryLine({ delivery, onRedrive }: { delivery: Delivery; onRedrive: HistoryProps['onRedrive'] }) {
  const { attempts, state, reason, next_attempt_at } = delivery;
  return (
    <div className="delivery">
      <p>
        {delivery.redrive_of === null ? 'Callback' : 'Callback, sent again,'} {delivery.event} to <bdi>{delivery.url ?? 'an endpoint'}</bdi>:{' '}
        <strong className={`fate ${state}`}>{state}</strong>
        {reason === null ? null : <span className="quiet"> ({reasonWords[reason] ?? reason})</span>}
        {state === 'pending' && next_attempt_at !== null ? (
          <>
            {' '}
            – next try <Moment at={next_attempt_at} />
          </>
        ) : null}{' '}
        {onRedrive === null ? null : (
          <button type="button" className="link" onClick={() => onRedrive(delivery)}>
            Redrive
          </button>
        )}
      </p>
      {attempts.length === 0 ? null : (
        <details>
          <summary>{attempts.length === 1 ? '1 attempt' : `${attempts.length} attempts`}</summary>
          <ol>
            {attempts.map((attempt) => (
              <li key={attempt.number} value={attempt.number}>
                <Moment at={attempt.at} />{' '}
                {[attempt.result ?? 'no word of it', attempt.status, attempt.duration_ms === null ? null : `${attempt.duration_ms} ms`]
                  .filter((part) => part !== null)
                  .join(' · ')}
                {attempt.detail === null ? null : <span className="quiet"> {attempt.detail}</span>}
                {attempt.answer_preview === null ? null : <pre>{attempt.answer_preview}</pre>}
              </li>
            ))}
          </ol>
        </details>
      )}
    </div>
  );
}

const reasonWords: Record<string, string> = {
  attempts_exhausted: 'all attempts failed',
  blocked_address: 'the address may not be reached',
  endpoint_deleted: 'its endpoint was deleted',
  endpoint_disabled: 'its endpoint is disabled',
  gone: 'the receiver answered 410',
  receiver_aborted: 'the receiver does not want it',
  receiver_asked: 'the receiver wants no more events',
  revoked: 'the revocation went instead',
  unknown_endpoint: 'its endpoint or key does not exist',
};

/** It ended without arriving, was not replaced by a revocation, and does not go again already. */
function mayGoAgain(delivery: Delivery, all: readonly Delivery[]): boolean {
  if (delivery.state !== 'dead' && delivery.state !== 'aborted') return false;
  if (delivery.event !== 'outcome.revoked' && all.some((other) => other.event === 'outcome.revoked')) return false;
  return !all.some((other) => other.redrive_of === delivery.id);
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
