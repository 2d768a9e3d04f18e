import type { PasskeyView, SignInOptions } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { account, startAddress } from './account-api.js';
import { ApiError } from './api.js';
import { Moment } from './moments.js';
import { canUsePasskeys, enrol, passkeys, whileFresh } from './passkey-ceremonies.js';

/** A person's own passkeys: enrol, name, remove, and see what was enrolled and removed before. */
export function PasskeysPage() {
  const [keys, setKeys] = useState<PasskeyView[] | null>(null);
  const [name, setName] = useState('');
  const [busy, setBusy] = useState(false);
  const [stale, setStale] = useState<SignInOptions | null>(null);
  const [notice, setNotice] = useState<{ kind: 'done' | 'refused'; text: string } | null>(null);

  const load = useCallback(async () => {
    setKeys((await passkeys.list()).data);
  }, []);
  useEffect(() => {
    load().catch((error: unknown) => setNotice({ kind: 'refused', text: (error as Error).message }));
  }, [load]);

  const live = (keys ?? []).filter(({ removed_at }) => removed_at === null);
  const gone = (keys ?? []).filter(({ removed_at }) => removed_at !== null);

  const act = async (work: () => Promise<unknown>, done: string) => {
    setBusy(true);
    setStale(null);
    try {
      await whileFresh(work, live.length > 0);
      await load();
      setNotice({ kind: 'done', text: done });
    } catch (error) {
      setNotice({ kind: 'refused', text: (error as Error).message });
      // Without a passkey the identity provider says anew who it is.
      if (error instanceof ApiError && error.code === 'step_up_required') setStale(await account.signInOptions().catch(() => null));
    }
    setBusy(false);
  };

  return (
    <>
      <h1>Passkeys</h1>
      <p>
        Some decisions take a passkey: your device checks that it is you, and signs exactly the request that you see. Keep two, so that one lost device does not
        stop you. Enrolling and removing take a sign-in that is no more than five minutes old.
      </p>
      {notice === null ? null : (
        <p className={`notice ${notice.kind}`} role={notice.kind === 'done' ? 'status' : 'alert'}>
          {notice.text}
        </p>
      )}
      {stale?.providers[0] === undefined ? null : (
        <p>
          <a className="button" href={startAddress(stale.providers[0].start, '/passkeys', 0)}>
            Confirm that it is you
          </a>
        </p>
      )}
      {keys !== null && live.length === 0 ? <p className="quiet">You have no passkey yet.</p> : null}
      <ul className="passkeys">
        {live.map((key) => (
          <li key={key.id}>
            <strong>{key.name}</strong>
            <small>
              enrolled <Moment at={key.created_at} />
              {key.last_used_at === null ? ', not used yet' : ', used '}
              {key.last_used_at === null ? null : <Moment at={key.last_used_at} />}
              {key.backed_up ? ', copied between your devices' : ''}
            </small>
            <span>
              <button
                type="button"
                className="link"
                disabled={busy}
                onClick={() => {
                  const wanted = window.prompt('Name of this passkey', key.name)?.trim();
                  if (wanted !== undefined && wanted !== '') void act(() => passkeys.rename(key.id, wanted), 'Renamed.');
                }}
              >
                Rename
              </button>{' '}
              <button type="button" className="link" disabled={busy} onClick={() => void act(() => passkeys.remove(key.id), `${key.name} was removed.`)}>
                Remove
              </button>
            </span>
          </li>
        ))}
      </ul>
      <form
        className="enrol"
        onSubmit={(event) => {
          event.preventDefault();
          void act(async () => {
            await enrol(name.trim());
            setName('');
          }, 'The passkey is enrolled.');
        }}
      >
        <label>
          Name of a new passkey
          <input value={name} maxLength={100} required placeholder="Laptop" onChange={(event) => setName(event.target.value)} />
        </label>
        <button type="submit" disabled={busy || !canUsePasskeys()}>
          Enrol a passkey
        </button>
        {canUsePasskeys() ? null : <p className="quiet">This browser cannot use passkeys here. Open this page by its name in the browser of your device.</p>}
      </form>
      {gone.length === 0 ? null : (
        <>
          <h2>Removed</h2>
          <ul className="passkeys">
            {gone.map((key) => (
              <li key={key.id}>
                {key.name}{' '}
                <small>
                  removed {key.removed_by_other ? 'by an administrator ' : ''}
                  {key.removed_at === null ? null : <Moment at={key.removed_at} />}
                </small>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
