import type { SignInOptions, SignInRefusalCode } from '@countersign/contracts';
import { useEffect, useRef, useState } from 'react';
import { account, startAddress } from './account-api.js';
import { api, type Me } from './api.js';
import { refusalWords } from './refusal-words.js';

/**
 * The sign-in page. A link's token stands in the fragment, which no server and no link preview sees, and is spent at once; an identity
 * provider that signed nobody in leads back here with the reason's name.
 */
export function SignIn({ onDone }: { onDone: (me: Me) => void }) {
  const [token] = useState(() => window.location.hash.slice(1));
  const [refused] = useState(() => new URLSearchParams(window.location.search).get('refused'));
  const [problem, setProblem] = useState<string | null>(null);
  const spent = useRef(false);

  useEffect(() => {
    // A link works once; React runs effects twice in development.
    if (spent.current) return;
    spent.current = true;
    window.history.replaceState(null, '', '/sign-in');
    if (token === '') return;
    api
      .signIn(token)
      .then(() => api.me())
      .then(onDone, (error: unknown) => setProblem((error as Error).message));
  }, [onDone, token]);

  if (token === '') return <SignedOut returnTo="/" problem={refused === null ? null : wordsOf(refused)} />;
  return (
    <section className="panel">
      <h1>{problem === null ? 'Signing in…' : 'This link does not work'}</h1>
      {problem === null ? null : (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}

/** Whoever is not signed in: the identity provider's button, or how to get a link where there is none. */
export function SignedOut({ returnTo, problem = null }: { returnTo: string; problem?: string | null }) {
  const [options, setOptions] = useState<SignInOptions | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => {
    account.signInOptions().then(setOptions, (error: unknown) => setFault((error as Error).message));
  }, []);
  const said = problem ?? fault;
  return (
    <section className="panel">
      <h1>Sign in</h1>
      {said === null ? null : (
        <p className="problem" role="alert">
          {said}
        </p>
      )}
      {options === null ? null : options.providers.length === 0 ? (
        <p>
          Open your sign-in link. In a quickstart, <code>npm start</code> prints one for each example person; a link works once, for ten minutes.
        </p>
      ) : (
        <>
          <p>Your organisation’s identity provider says who you are. Countersign keeps no password.</p>
          {options.providers.map(({ id, issuer, start }) => (
            <p key={id}>
              <a className="button" href={startAddress(start, returnTo)}>
                Sign in
              </a>{' '}
              <span className="quiet">{new URL(issuer).host}</span>
            </p>
          ))}
        </>
      )}
    </section>
  );
}

/** The words for a reason; an address may hold anything, and what is none of ours says nothing. */
export function wordsOf(code: string): string {
  return Object.hasOwn(refusalWords, code) ? refusalWords[code as SignInRefusalCode] : 'You were not signed in. Begin again.';
}
