import type { JsonValue, RevealableView } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { ApiError, call } from './api.js';
import { proveAgain } from './passkey-ceremonies.js';

/** How long a revealed value stays on the page, in seconds. */
const SHOWN_SECONDS = 60;

const words: Record<string, string> = { secret: 'secret', field: 'hidden by policy', card: 'card number', email: 'e-mail address', unscanned: 'not searched' };

/** What is hidden in a request, each place with what it is; whom policy lets may see one value, on the record. */
export function MaskedValues({ request }: { request: string }) {
  const [places, setPlaces] = useState<RevealableView[]>([]);
  useEffect(() => {
    call<{ data: RevealableView[] }>('GET', `/v1/action-requests/${request}/masked`).then(
      ({ data }) => setPlaces(data),
      // The request's page says what is wrong; without this list nothing is revealed.
      () => setPlaces([]),
    );
  }, [request]);
  if (places.length === 0) return null;
  return (
    <section className="masked" aria-label="Hidden values">
      <h2>Hidden values</h2>
      <ul>
        {places.map((place) => (
          <MaskedPlace key={place.pointer} request={request} place={place} />
        ))}
      </ul>
    </section>
  );
}

function MaskedPlace({ request, place }: { request: string; place: RevealableView }) {
  const [asking, setAsking] = useState(false);
  const [purpose, setPurpose] = useState('');
  const [busy, setBusy] = useState(false);
  const [value, setValue] = useState<JsonValue | undefined>(undefined);
  const [problem, setProblem] = useState<string | null>(null);

  useEffect(() => {
    if (value === undefined) return;
    const timer = setTimeout(() => setValue(undefined), SHOWN_SECONDS * 1000);
    return () => clearTimeout(timer);
  }, [value]);

  const show = useCallback(async () => {
    const unmask = () => call<{ value: JsonValue }>('POST', '/v1/unmask', { action_request: request, pointer: place.pointer, purpose: purpose.trim() });
    setBusy(true);
    setProblem(null);
    try {
      const shown = await unmask().catch(async (error: unknown) => {
        if (!(error instanceof ApiError) || error.code !== 'step_up_required') throw error;
        await proveAgain();
        return unmask();
      });
      setValue(shown.value);
      setAsking(false);
      setPurpose('');
    } catch (error) {
      setProblem((error as Error).message);
    }
    setBusy(false);
  }, [request, place.pointer, purpose]);

  return (
    <li>
      <code>{place.pointer}</code> <small>{place.classes.map((found) => words[found] ?? found).join(', ')}</small>{' '}
      {place.may_reveal && !asking && value === undefined ? (
        <button type="button" className="link" onClick={() => setAsking(true)}>
          Reveal
        </button>
      ) : null}
      {asking ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void show();
          }}
        >
          <label>
            Why do you need to see it? It is recorded that you did.
            <input autoFocus value={purpose} minLength={3} maxLength={500} required onChange={(event) => setPurpose(event.target.value)} />
          </label>
          <button type="submit" disabled={busy}>
            Show it to me
          </button>
          <button type="button" disabled={busy} onClick={() => setAsking(false)}>
            Back
          </button>
        </form>
      ) : null}
      {value === undefined ? null : (
        <>
          <pre className="revealed">{typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</pre>
          <button type="button" className="link" onClick={() => setValue(undefined)}>
            Hide
          </button>
        </>
      )}
      {problem === null ? null : (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </li>
  );
}
