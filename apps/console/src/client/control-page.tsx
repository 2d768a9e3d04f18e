import type { ConfigChangeView, FreezeScope, FreezeView, PatternView } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { call } from './api.js';
import { onChange } from './changes.js';
import { Moment } from './moments.js';
import { PlacesPanel } from './places-panel.js';
import { PolicyPanel } from './policy-panel.js';

const control = {
  freezes: () => call<{ data: FreezeView[] }>('GET', '/v1/freezes?state=all&limit=20'),
  freeze: (scope: FreezeScope, reason: string, expires_at: string | null) =>
    call<FreezeView & { holds: number }>('POST', '/v1/freezes', { scope, reason, ...(expires_at === null ? {} : { expires_at }) }),
  lift: (id: string) => call<FreezeView>('DELETE', `/v1/freezes/${id}`),
  patterns: () => call<{ data: PatternView[] }>('GET', '/v1/patterns'),
  revoke: (id: string) => call<PatternView>('DELETE', `/v1/patterns/${id}`),
  changes: () => call<{ data: ConfigChangeView[] }>('GET', '/v1/config-changes?limit=20'),
};

interface Loaded {
  freezes: FreezeView[];
  patterns: PatternView[];
  changes: ConfigChangeView[];
}

/** What stops, what passes without asking, and what of the configuration waits for a second person. */
export function ControlPage({ seesAll, go }: { seesAll: boolean; go: (to: string) => void }) {
  const [all, setAll] = useState<Loaded | null>(null);
  const [notice, setNotice] = useState<{ kind: 'done' | 'refused'; text: string } | null>(null);

  const load = useCallback(async () => {
    const [freezes, patterns, changes] = await Promise.all([control.freezes(), control.patterns(), seesAll ? control.changes() : { data: [] }]);
    setAll({ freezes: freezes.data, patterns: patterns.data, changes: changes.data });
  }, [seesAll]);
  useEffect(() => {
    const look = () => void load().catch((error: unknown) => setNotice({ kind: 'refused', text: (error as Error).message }));
    look();
    return onChange(look);
  }, [load]);
  const act = async (work: () => Promise<string>): Promise<boolean> => {
    try {
      const text = await work();
      await load();
      setNotice({ kind: 'done', text });
      return true;
    } catch (error) {
      setNotice({ kind: 'refused', text: (error as Error).message });
      return false;
    }
  };

  return (
    <>
      <h1>Control</h1>
      {notice === null ? null : (
        <p className={`notice ${notice.kind}`} role={notice.kind === 'done' ? 'status' : 'alert'}>
          {notice.text}
        </p>
      )}
      <h2>Freeze</h2>
      <p>Nothing that a freeze holds opens, is approved or runs, from this moment on, until a second person lifts it. Denying goes on.</p>
      <FreezeForm
        place={(scope, reason, until) =>
          act(async () => {
            const { holds } = await control.freeze(scope, reason, until);
            return `Frozen. It holds ${holds} ${holds === 1 ? 'request' : 'requests'} that could have run.`;
          })
        }
      />
      <ul className="passkeys">
        {(all?.freezes ?? []).map((freeze) => (
          <li key={freeze.id}>
            <strong>{scopeText(freeze.scope)}</strong>
            <small>
              {freeze.reason} — {freeze.placed_by.name}, <Moment at={freeze.placed_at} />
              {freeze.expires_at === null || freeze.state !== 'in_force' ? null : (
                <>
                  , until <Moment at={freeze.expires_at} />
                </>
              )}
              {freeze.state === 'in_force' ? null : freeze.lifted_by === null ? ', over' : `, lifted by ${freeze.lifted_by.name}`}
            </small>
            {freeze.state === 'in_force' ? (
              <span>
                <button
                  type="button"
                  className="link"
                  onClick={() =>
                    void act(async () => {
                      await control.lift(freeze.id);
                      return 'It is lifted.';
                    })
                  }
                >
                  Lift
                </button>
              </span>
            ) : null}
          </li>
        ))}
      </ul>
      {all === null || all.patterns.length === 0 ? null : (
        <>
          <h2>Approved alike</h2>
          <p>What passes without asking again, since somebody approved it with an earlier request.</p>
          <ul className="passkeys">
            {all.patterns.map((pattern) => (
              <li key={pattern.id}>
                <strong>
                  {pattern.actor.id} may run {pattern.action} on {pattern.resource.type} {pattern.resource.id}
                </strong>
                <small>
                  {pattern.pinned.map(({ path, value }) => `${path}: ${value}`).join(', ') || 'no parameter pinned'} — {pattern.used} of {pattern.uses} used,
                  until <Moment at={pattern.expires_at} />, approved by {pattern.approved_by.map(({ name }) => name).join(' and ')}
                </small>
                <span>
                  <button
                    type="button"
                    className="link"
                    onClick={() =>
                      void act(async () => {
                        await control.revoke(pattern.id);
                        return 'It is revoked: people are asked again.';
                      })
                    }
                  >
                    Revoke
                  </button>
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      {seesAll ? <PolicyPanel act={act} /> : null}
      {seesAll ? <PlacesPanel act={act} /> : null}
      {all === null || all.changes.length === 0 ? null : (
        <>
          <h2>Changes of the configuration</h2>
          <ul className="passkeys">
            {all.changes.map((change) => (
              <li key={change.id}>
                <strong>
                  {change.kind} — {change.resource}
                </strong>
                <small>
                  {change.state}, proposed by {change.proposed_by.name}, <Moment at={change.proposed_at} />
                  {change.detail === null ? '' : `. ${change.detail}`}
                </small>
                <span>
                  <a
                    href={`/requests/${change.action_request}`}
                    onClick={(event) => {
                      event.preventDefault();
                      go(`/requests/${change.action_request}`);
                    }}
                  >
                    {change.state === 'proposed' ? 'Decide' : 'Look'}
                  </a>
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

/** At least one of actor, caller and action; or everything, which is said on purpose. */
function FreezeForm({ place }: { place: (scope: FreezeScope, reason: string, until: string | null) => Promise<boolean> }) {
  const [everything, setEverything] = useState(false);
  const [actor, setActor] = useState('');
  const [caller, setCaller] = useState('');
  const [action, setAction] = useState('');
  const [reason, setReason] = useState('');
  const [until, setUntil] = useState('');
  const named = Object.fromEntries(Object.entries({ actor, caller, action }).flatMap(([name, value]) => (value.trim() === '' ? [] : [[name, value.trim()]])));
  const ready = reason.trim() !== '' && (everything || Object.keys(named).length > 0);
  return (
    <form
      className="panel"
      onSubmit={(event) => {
        event.preventDefault();
        void place(everything ? { everything: true } : named, reason.trim(), until === '' ? null : new Date(until).toISOString()).then((placed) => {
          if (placed) for (const clear of [setActor, setCaller, setAction, setReason, setUntil]) clear('');
          if (placed) setEverything(false);
        });
      }}
    >
      <label>
        <input type="checkbox" checked={everything} onChange={(event) => setEverything(event.target.checked)} /> Everything
      </label>
      {everything ? null : (
        <>
          <label>
            Actor (who acts, or on whose behalf)
            <input type="text" maxLength={320} value={actor} onChange={(event) => setActor(event.target.value)} />
          </label>
          <label>
            Caller (the id of an API key)
            <input type="text" maxLength={256} value={caller} onChange={(event) => setCaller(event.target.value)} />
          </label>
          <label>
            Action (* is any run of characters)
            <input type="text" maxLength={128} value={action} onChange={(event) => setAction(event.target.value)} />
          </label>
        </>
      )}
      <label>
        Why
        <input type="text" required maxLength={2000} value={reason} onChange={(event) => setReason(event.target.value)} />
      </label>
      <label>
        Until (empty: until it is lifted)
        <input type="datetime-local" value={until} onChange={(event) => setUntil(event.target.value)} />
      </label>
      <button type="submit" disabled={!ready}>
        Freeze
      </button>
    </form>
  );
}

function scopeText(scope: FreezeScope): string {
  if ('everything' in scope) return 'Everything';
  return Object.entries(scope)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
