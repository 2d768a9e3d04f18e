import type { DelegationView } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { call } from './api.js';
import { Moment } from './moments.js';

export const standIns = {
  list: () => call<{ data: DelegationView[] }>('GET', '/v1/delegations'),
  name: (delegate: string, until: string, reason: string) =>
    call<DelegationView>('POST', '/v1/delegations', { delegate, until, ...(reason.trim() === '' ? {} : { reason: reason.trim() }) }),
  end: (id: string) => call<DelegationView>('DELETE', `/v1/delegations/${id}`),
};

const states: Record<DelegationView['state'], string> = { to_come: 'to come', in_force: 'now', over: 'over', taken_back: 'taken back' };

/** Who stands in for one, and for whom one stands in. */
export function StandInsPage() {
  const [all, setAll] = useState<DelegationView[] | null>(null);
  const [delegate, setDelegate] = useState('');
  const [until, setUntil] = useState('');
  const [reason, setReason] = useState('');
  const [notice, setNotice] = useState<{ kind: 'done' | 'refused'; text: string } | null>(null);

  const load = useCallback(async () => setAll((await standIns.list()).data), []);
  useEffect(() => {
    load().catch((error: unknown) => setNotice({ kind: 'refused', text: (error as Error).message }));
  }, [load]);
  const act = async (work: () => Promise<unknown>, done: string) => {
    try {
      await work();
      await load();
      setNotice({ kind: 'done', text: done });
    } catch (error) {
      setNotice({ kind: 'refused', text: (error as Error).message });
    }
  };

  return (
    <>
      <h1>Stand-ins</h1>
      <p>
        While you are away, somebody else may decide in your stead, where a request&apos;s policy allows it. It is never passed on further, never for a request
        that either of you stands behind, and every such decision names you both.
      </p>
      {notice === null ? null : (
        <p className={`notice ${notice.kind}`} role={notice.kind === 'done' ? 'status' : 'alert'}>
          {notice.text}
        </p>
      )}
      <form
        className="panel"
        onSubmit={(event) => {
          event.preventDefault();
          void act(() => standIns.name(delegate, new Date(until).toISOString(), reason), 'Your stand-in is named.');
        }}
      >
        <label>
          Who stands in (e-mail address)
          <input type="text" required value={delegate} onChange={(event) => setDelegate(event.target.value)} />
        </label>
        <label>
          Until
          <input type="datetime-local" required value={until} onChange={(event) => setUntil(event.target.value)} />
        </label>
        <label>
          Why (may be left empty)
          <input type="text" maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />
        </label>
        <button type="submit">Name the stand-in</button>
      </form>
      <ul className="passkeys">
        {(all ?? []).map((one) => (
          <li key={one.id}>
            <strong>
              {one.delegate.name} for {one.person.name}
            </strong>
            <small>
              {states[one.state]}, <Moment at={one.from} /> to <Moment at={one.until} />
              {one.reason === null ? '' : `, ${one.reason}`}
            </small>
            {one.state === 'in_force' || one.state === 'to_come' ? (
              <span>
                <button type="button" className="link" onClick={() => void act(() => standIns.end(one.id), 'It is taken back.')}>
                  Take back
                </button>
              </span>
            ) : null}
          </li>
        ))}
      </ul>
    </>
  );
}
