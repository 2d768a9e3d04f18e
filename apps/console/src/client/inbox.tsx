import type { ActionRequest, FreezeView } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { api, call } from './api.js';
import { onChange } from './changes.js';
import { Deadline, Moment } from './moments.js';

/** What waits for a decision, and below it what was decided lately. */
export function Inbox({ go }: { go: (to: string) => void }) {
  const [requests, setRequests] = useState<ActionRequest[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [frozen, setFrozen] = useState<FreezeView[]>([]);

  const load = useCallback(() => {
    // Each held request says so itself; this is for who looks at none.
    call<{ data: FreezeView[] }>('GET', '/v1/freezes').then(
      ({ data }) => setFrozen(data),
      () => setFrozen([]),
    );
    api.list(null).then(
      ({ data }) => {
        setRequests(data);
        setProblem(null);
      },
      (error: unknown) => setProblem((error as Error).message),
    );
  }, []);

  useEffect(() => {
    load();
    return onChange(load);
  }, [load]);

  const waiting = (requests ?? []).filter((request) => request.status === 'pending');
  const settled = (requests ?? []).filter((request) => request.status !== 'pending');
  return (
    <>
      {problem === null ? null : (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {frozen.map(({ id, reason }) => (
        <p key={id} className="problem" role="status">
          Frozen: {reason} <a href="/control">Look</a>
        </p>
      ))}
      <h1>
        Waiting <span className="count">{waiting.length}</span>
      </h1>
      {requests !== null && waiting.length === 0 ? <p className="quiet">Nothing waits for a decision. New requests appear here by themselves.</p> : null}
      <ul className="list">
        {waiting.map((request) => (
          <Row key={request.id} request={request} go={go} />
        ))}
      </ul>
      {settled.length === 0 ? null : (
        <>
          <h2>Decided</h2>
          <ul className="list">
            {settled.map((request) => (
              <Row key={request.id} request={request} go={go} />
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function Row({ request, go }: { request: ActionRequest; go: (to: string) => void }) {
  const to = `/requests/${request.id}`;
  const settledAt = request.outcome?.settled_at;
  return (
    <li>
      <a
        className="row"
        href={to}
        onClick={(event) => {
          event.preventDefault();
          go(to);
        }}
      >
        <span className={`badge ${request.status}`}>{request.status}</span>
        <span className="row-text">
          <strong>{request.action}</strong> <bdi>{request.resource.id}</bdi>
          <small>
            <bdi>{request.actor.id}</bdi>
            {request.actor.on_behalf_of === undefined ? null : (
              <>
                {' '}
                for <bdi>{request.actor.on_behalf_of.id}</bdi>
              </>
            )}
            {request.reason === undefined ? null : <> · {request.reason}</>}
          </small>
        </span>
        <span className="row-time">
          {request.status === 'pending' ? <Deadline at={request.expires_at} /> : settledAt === undefined ? null : <Moment at={settledAt} />}
        </span>
      </a>
    </li>
  );
}
