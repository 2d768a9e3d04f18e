import { useEffect, useState } from 'react';
import { api, ApiError, type Me } from './api.js';
import { Inbox } from './inbox.js';
import { PasskeysPage } from './passkeys-page.js';
import { RequestPage } from './request-page.js';
import { SignIn } from './sign-in.js';

type Session = { state: 'loading' } | { state: 'out' } | { state: 'in'; me: Me } | { state: 'fault'; text: string };

/** The whole inbox: who is signed in, and the page that the address names. */
export function App() {
  const [session, setSession] = useState<Session>({ state: 'loading' });
  const [pathname, setPathname] = useState(window.location.pathname);

  useEffect(() => {
    const back = () => setPathname(window.location.pathname);
    window.addEventListener('popstate', back);
    return () => window.removeEventListener('popstate', back);
  }, []);

  useEffect(() => {
    if (pathname === '/sign-in') return;
    api.me().then(
      (me) => setSession(me.person === undefined ? { state: 'out' } : { state: 'in', me }),
      (error: unknown) => setSession(error instanceof ApiError && error.status === 401 ? { state: 'out' } : { state: 'fault', text: (error as Error).message }),
    );
  }, [pathname]);

  const go = (to: string) => {
    window.history.pushState(null, '', to);
    setPathname(to);
    window.scrollTo(0, 0);
  };

  if (pathname === '/sign-in')
    return (
      <Shell>
        <SignIn
          onDone={(me) => {
            setSession({ state: 'in', me });
            window.history.replaceState(null, '', '/');
            setPathname('/');
          }}
        />
      </Shell>
    );
  if (session.state === 'loading')
    return (
      <Shell>
        <p className="quiet">Loading…</p>
      </Shell>
    );
  if (session.state === 'fault')
    return (
      <Shell>
        <p className="problem" role="alert">
          {session.text}
        </p>
      </Shell>
    );
  if (session.state === 'out')
    return (
      <Shell>
        <SignedOut />
      </Shell>
    );

  const person = session.me.person;
  const requestId = /^\/requests\/(ar_[0-9a-f-]+)$/.exec(pathname)?.[1];
  const signOut = () =>
    void api.signOut().then(
      () => setSession({ state: 'out' }),
      () => setSession({ state: 'out' }),
    );
  return (
    <Shell who={person?.name ?? ''} onHome={() => go('/')} onSignOut={signOut}>
      {pathname === '/passkeys' ? (
        <PasskeysPage />
      ) : requestId === undefined ? (
        <Inbox go={go} />
      ) : (
        <RequestPage key={requestId} id={requestId} administers={person?.roles.includes('administrator') ?? false} />
      )}
    </Shell>
  );
}

function Shell({ children, who, onHome, onSignOut }: { children: React.ReactNode; who?: string; onHome?: () => void; onSignOut?: () => void }) {
  return (
    <>
      <header className="top">
        <a
          className="brand"
          href="/"
          onClick={(event) => {
            if (onHome !== undefined) {
              event.preventDefault();
              onHome();
            }
          }}
        >
          <img src="/mark.svg" alt="" width="26" height="26" /> Countersign
        </a>
        {who === undefined ? null : (
          <span className="who">
            {who}{' '}
            <a href="/passkeys" className="quiet">
              Passkeys
            </a>{' '}
            <button type="button" className="link" onClick={onSignOut}>
              Sign out
            </button>
          </span>
        )}
      </header>
      <main>{children}</main>
    </>
  );
}

function SignedOut() {
  return (
    <section className="panel">
      <h1>Sign in</h1>
      <p>
        Open your sign-in link. In a quickstart, <code>npm start</code> prints one for each example person; a link works once, for ten minutes.
      </p>
    </section>
  );
}
