import type { LinkAnswer, SessionAnswer, SignInOptions, TokenAnswer } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { account, startAddress } from './account-api.js';
import { ApiError, type Me } from './api.js';
import { Moment } from './moments.js';
import { passkeys, whileFresh } from './passkey-ceremonies.js';

type Scope = TokenAnswer['scopes'][number];
const scopeWords: Readonly<Record<Scope, string>> = {
  read: 'read what I may see',
  decide: 'approve and deny in my name',
  admin: 'administer',
};

/** A person's own account: sessions, tokens, chat accounts. */
export function AccountPage({ me }: { me: Me }) {
  const [sessions, setSessions] = useState<SessionAnswer[] | null>(null);
  const [tokens, setTokens] = useState<TokenAnswer[] | null>(null);
  const [links, setLinks] = useState<LinkAnswer[] | null>(null);
  const [notice, setNotice] = useState<{ kind: 'done' | 'refused'; text: string } | null>(null);

  const load = useCallback(async () => {
    const [s, t, l] = await Promise.all([account.sessions(), account.tokens(), account.links()]);
    setSessions(s.data);
    setTokens(t.data.filter(({ revoked_at, expires_at }) => revoked_at === null && (expires_at === null || Date.parse(expires_at) > Date.now())));
    setLinks(l.data);
  }, []);
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
      <h1>Your account</h1>
      <p>
        <strong>{me.person?.name}</strong> <bdi>{me.person?.email}</bdi>
        {me.person?.groups.length === 0 ? null : <span className="quiet"> · {me.person?.groups.join(', ')}</span>}
      </p>
      {notice === null ? null : (
        <p className={`notice ${notice.kind}`} role={notice.kind === 'done' ? 'status' : 'alert'}>
          {notice.text}
        </p>
      )}

      <h2>Sessions</h2>
      <ul className="passkeys" aria-label="Sessions">
        {(sessions ?? []).map((session) => (
          <li key={session.id}>
            <strong>{browserOf(session.user_agent)}</strong> {session.current ? <span className="badge approved">this one</span> : null}
            <small>
              since <Moment at={session.created_at} />, used <Moment at={session.last_used_at} />,{' '}
              {session.method === 'oidc' ? `by ${new URL(session.issuer).host}` : 'by a link'}
            </small>
            {session.current ? null : (
              <button type="button" className="link" onClick={() => void act(() => account.endSession(session.id), 'The session is over.')}>
                End
              </button>
            )}
          </li>
        ))}
      </ul>
      {(sessions ?? []).length < 2 ? null : (
        <button type="button" className="link" onClick={() => void act(() => account.endOtherSessions(), 'Every other session is over.')}>
          End every other session
        </button>
      )}

      <h2>Chat accounts</h2>
      {links !== null && links.length === 0 ? (
        <p className="quiet">None. Press a button on a request in Slack or Teams: the bot answers you alone with a link.</p>
      ) : null}
      <ul className="passkeys" aria-label="Chat accounts">
        {(links ?? []).map((link) => (
          <li key={link.id}>
            <strong>{link.platform === 'slack' ? 'Slack' : 'Teams'}</strong> <bdi>{link.user}</bdi>
            <small>
              in <bdi>{link.workspace}</bdi>, {howWords[link.how]} <Moment at={link.linked_at} />
              {link.waits_until === null ? null : (
                <>
                  , decides from <Moment at={link.waits_until} /> on
                </>
              )}
            </small>
            {link.how === 'directory' ? null : (
              <button
                type="button"
                className="link"
                onClick={() =>
                  window.confirm('Cut this account off? It decides nothing any more.') && void act(() => account.cutLink(link.id), 'The account is cut off.')
                }
              >
                Cut off
              </button>
            )}
          </li>
        ))}
      </ul>

      <h2>Personal tokens</h2>
      <p className="quiet">For the command line and scripts of your own. Never give one to an agent or a pipeline: those have API keys.</p>
      <ul className="passkeys" aria-label="Personal tokens">
        {(tokens ?? []).map((token) => (
          <li key={token.id}>
            <strong>{token.name}</strong> <span className="quiet">{token.scopes.join(', ')}</span>
            <small>
              made <Moment at={token.created_at} />
              {token.last_used_at === null ? ', not used yet' : ', used '}
              {token.last_used_at === null ? null : <Moment at={token.last_used_at} />}
              {token.expires_at === null ? null : (
                <>
                  , until <Moment at={token.expires_at} />
                </>
              )}
            </small>
            <button type="button" className="link" onClick={() => void act(() => account.revokeToken(token.id), `${token.name} is revoked.`)}>
              Revoke
            </button>
          </li>
        ))}
      </ul>
      <NewToken administers={me.person?.roles.includes('administrator') ?? false} onMade={() => void load()} />
    </>
  );
}

const howWords: Readonly<Record<LinkAnswer['how'], string>> = {
  directory: 'named by the directory',
  proof: 'proved by you',
  email: 'by your e-mail address',
  administrator: 'named by an administrator',
};

/** Makes a token and shows it this once; where the session is too old for that, leads to the identity provider. */
function NewToken({ administers, onMade }: { administers: boolean; onMade: () => void }) {
  const [name, setName] = useState(() => new URLSearchParams(window.location.search).get('token') ?? '');
  const [scopes, setScopes] = useState<readonly Scope[]>(['read']);
  const [made, setMade] = useState<string | null>(null);
  const [stale, setStale] = useState<SignInOptions | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const offered: readonly Scope[] = administers ? ['read', 'decide', 'admin'] : ['read', 'decide'];

  const make = async () => {
    setMade(null);
    setStale(null);
    setProblem(null);
    try {
      const hasPasskey = (await passkeys.list()).data.some(({ removed_at }) => removed_at === null);
      const { token } = await whileFresh(() => account.makeToken({ name: name.trim(), scopes: [...scopes] }), hasPasskey);
      setMade(token);
      setName('');
      onMade();
    } catch (error) {
      setProblem((error as Error).message);
      if (error instanceof ApiError && error.code === 'step_up_required') setStale(await account.signInOptions());
    }
  };
  const [provider] = stale?.providers ?? [];
  return (
    <form
      className="enrol"
      onSubmit={(event) => {
        event.preventDefault();
        void make();
      }}
    >
      <label>
        Name of a new token
        <input value={name} maxLength={200} required placeholder="Laptop" onChange={(event) => setName(event.target.value)} />
      </label>
      <fieldset className="scopes">
        <legend>It may</legend>
        {offered.map((scope) => (
          <label key={scope}>
            <input
              type="checkbox"
              checked={scopes.includes(scope)}
              onChange={(event) => setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope))}
            />{' '}
            {scopeWords[scope]}
          </label>
        ))}
      </fieldset>
      <button type="submit" disabled={scopes.length === 0}>
        Make a token
      </button>
      {made === null ? null : (
        <div role="status">
          <p>Copy it now: it is not shown again.</p>
          <pre className="revealed">{made}</pre>
        </div>
      )}
      {problem === null ? null : (
        <div role="alert">
          <p className="problem">{provider === undefined ? problem : 'A token is made within five minutes of proving who you are.'}</p>
          {provider === undefined ? null : (
            <a className="button" href={startAddress(provider.start, '/account', 0)}>
              Confirm that it is you
            </a>
          )}
        </div>
      )}
    </form>
  );
}

/** The browser's own name, without the history that it carries along. */
function browserOf(agent: string | null): string {
  if (agent === null) return 'A browser or program';
  const named = /(Firefox|Edg|OPR|Chrome|Safari|curl)\/(\d+)/.exec(agent);
  const system = /(Windows|Mac OS X|Android|iPhone|iPad|Linux)/.exec(agent)?.[1];
  const browser = named === null ? agent.slice(0, 40) : `${named[1] === 'Edg' ? 'Edge' : named[1]} ${named[2]}`;
  return system === undefined ? browser : `${browser} on ${system}`;
}
