import type { OpenedMailAnswer } from '@countersign/contracts';
import { useEffect, useRef, useState } from 'react';
import { call } from './api.js';

const KEPT = 'countersign/mail';

/** Keeps the token of a mail's link in this tab while its person signs in elsewhere; it never goes into an address that a server sees. */
export function keepMailToken(): void {
  const token = window.location.hash.slice(1);
  if (token === '') return;
  window.sessionStorage.setItem(KEPT, token);
  window.history.replaceState(null, '', '/m');
}

/** Whether this tab was on its way to open the link of a mail. */
export const hasMailToken = (): boolean => window.sessionStorage.getItem(KEPT) !== null;

/** The mail that led to this page of a request, as its address says; null where none did. It carries no right. */
export function mailIn(hash: string): string | null {
  return /^#mail\/([0-9a-f-]{36})$/.exec(hash)?.[1] ?? null;
}

/**
 * Where the link of a mail leads: for whoever is signed in it is spent, and the request's page follows. Nothing is decided here, and
 * whoever is not signed in, a program that follows links among them, gets no further than the sign-in page.
 */
export function MailPage({ go, onOpened }: { go: (to: string) => void; onOpened: (request: string, mail: string) => void }) {
  const [token] = useState(() => window.sessionStorage.getItem(KEPT));
  const [problem, setProblem] = useState<string | null>(null);
  const asked = useRef(false);

  useEffect(() => {
    // A link works once; React runs effects twice in development.
    if (token === null || asked.current) return;
    asked.current = true;
    window.sessionStorage.removeItem(KEPT);
    call<OpenedMailAnswer>('POST', '/v1/mail-links/open', { token }).then(
      ({ action_request, mail }) => onOpened(action_request, mail),
      (error: unknown) => setProblem((error as Error).message),
    );
  }, [token, onOpened]);

  const request = /\/requests\/(ar_[0-9a-f-]+)$/.exec(problem ?? '')?.[1];
  if (token !== null && problem === null)
    return (
      <section className="panel">
        <h1>Opening the request…</h1>
      </section>
    );
  return (
    <section className="panel">
      <h1>{problem === null ? 'Open a request from your mail' : 'This link does not open anything any more'}</h1>
      {problem === null ? (
        <p>The button in the mail leads here, once.</p>
      ) : (
        <p className="problem" role="alert">
          {problem.replace(/ The request is at http\S+$/, '')}
        </p>
      )}
      <p>
        {request === undefined ? (
          <button type="button" className="link" onClick={() => go('/')}>
            Open your inbox
          </button>
        ) : (
          <button type="button" onClick={() => go(`/requests/${request}`)}>
            Open the request
          </button>
        )}
      </p>
    </section>
  );
}
