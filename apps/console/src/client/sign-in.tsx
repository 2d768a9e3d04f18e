import { useEffect, useRef, useState } from 'react';
import { api, type Me } from './api.js';

/** Spends the sign-in link: its token stands in the fragment, which no server and no link preview sees. */
export function SignIn({ onDone }: { onDone: (me: Me) => void }) {
  const [problem, setProblem] = useState<string | null>(null);
  const spent = useRef(false);

  useEffect(() => {
    // A link works once; React runs effects twice in development.
    if (spent.current) return;
    spent.current = true;
    const token = window.location.hash.slice(1);
    window.history.replaceState(null, '', '/sign-in');
    if (token === '') return setProblem('This address has no sign-in link in it. Open the link as it was printed.');
    api
      .signIn(token)
      .then(() => api.me())
      .then(onDone, (error: unknown) => setProblem((error as Error).message));
  }, [onDone]);

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
