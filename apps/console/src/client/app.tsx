import { useCallback, useEffect, useState } from 'react';
import { account } from './account-api.js';
import { AccountPage } from './account-page.js';
import { api, ApiError, type Me } from './api.js';
import { ControlPage } from './control-page.js';
import { Inbox } from './inbox.js';
import { hasLinkToken, keepLinkToken, LinkPage } from './link-page.js';
import { hasMailToken, keepMailToken, MailPage } from './mail-page.js';
import { PasskeysPage } from './passkeys-page.js';
import { RequestPage } from './request-page.js';
import { ReviewsPage } from './reviews-page.js';
import { StandInsPage } from './stand-ins-page.js';
import { SignedOut, SignIn } from './sign-in.js';

type Session = { state: 'loading' } | { state: 'out' } | { state: 'in'; me: Me } | { state: 'fault'; text: string };

/** The whole inbox: who is signed in, and the page that the address names. */
export function App() {
  const [session, setSession] = useState<Session>({ state: 'loading' });
  const [pathname, setPathname] = useState(() => {
    if (window.location.pathname === '/link') keepLinkToken();
    if (window.location.pathname === '/m') keepMailToken();
    return window.location.pathname;
  });

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

  // In the place of the link's own entry, to which the way back leads nowhere.
  const openedMail = useCallback((request: string, mail: string) => {
    window.history.replaceState(null, '', `/requests/${request}#mail/${mail}`);
    setPathname(`/requests/${request}`);
  }, []);

  if (pathname === '/sign-in')
    return (
      <Shell>
        <SignIn
          onDone={(me) => {
            setSession({ state: 'in', me });
            const next = hasLinkToken() ? '/link' : hasMailToken() ? '/m' : '/';
            window.history.replaceState(null, '', next);
            setPathname(next);
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
        <SignedOut returnTo={`${window.location.pathname}${window.location.search}${window.location.hash}`} />
      </Shell>
    );

  const person = session.me.person;
  const requestId = /^\/requests\/(ar_[0-9a-f-]+)$/.exec(pathname)?.[1];
  const signOut = () =>
    void account.logOut().then(
      // The session at the identity provider would sign in again at the next click.
      ({ url }) => (url === null ? setSession({ state: 'out' }) : window.location.assign(url)),
      () => setSession({ state: 'out' }),
    );
  return (
    <Shell who={person?.name ?? ''} onHome={() => go('/')} onSignOut={signOut}>
      {pathname === '/passkeys' ? (
        <PasskeysPage />
      ) : pathname === '/account' ? (
        <AccountPage me={session.me} />
      ) : pathname === '/link' ? (
        <LinkPage go={go} />
      ) : pathname === '/m' ? (
        <MailPage go={go} onOpened={openedMail} />
      ) : pathname === '/stand-ins' ? (
        <StandInsPage />
      ) : pathname === '/reviews' ? (
        <ReviewsPage />
      ) : pathname === '/control' ? (
        <ControlPage seesAll={person?.roles.some((role) => role === 'administrator' || role === 'auditor') ?? false} go={go} />
      ) : requestId === undefined ? (
        <Inbox go={go} />
      ) : (
        <RequestPage
          key={requestId}
          id={requestId}
          administers={person?.roles.includes('administrator') ?? false}
          me={person?.id ?? ''}
          groups={person?.groups ?? []}
        />
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
            <a href="/account">{who}</a>{' '}
            <a href="/reviews" className="quiet">
              Reviews
            </a>{' '}
            <a href="/control" className="quiet">
              Control
            </a>{' '}
            <a href="/stand-ins" className="quiet">
              Stand-ins
            </a>{' '}
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
