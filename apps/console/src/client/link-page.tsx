import type { OpenedLink } from '@countersign/contracts';
import { useEffect, useRef, useState } from 'react';
import { account } from './account-api.js';
import { wordsOf } from './sign-in.js';

const KEPT = 'countersign/link';

/** Keeps the link's token in this tab while its person signs in elsewhere; it never goes into an address that a server sees. */
export function keepLinkToken(): void {
  const token = window.location.hash.slice(1);
  if (token === '') return;
  window.sessionStorage.setItem(KEPT, token);
  window.history.replaceState(null, '', '/link');
}

/** Whether this tab was on its way to link an account. */
export const hasLinkToken = (): boolean => window.sessionStorage.getItem(KEPT) !== null;

const platforms = { slack: 'Slack', teams: 'Teams' } as const;

/** Ties a chat account to the person who is signed in: both are shown, both are proved, and the person confirms. */
export function LinkPage({ go }: { go: (to: string) => void }) {
  const [token] = useState(() => window.sessionStorage.getItem(KEPT));
  const [opened, setOpened] = useState<OpenedLink | null>(null);
  const [sent, setSent] = useState(false);
  const [code, setCode] = useState('');
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState(false);
  const [problem, setProblem] = useState<string | null>(() => {
    const refused = new URLSearchParams(window.location.search).get('refused');
    return refused === null ? null : wordsOf(refused);
  });
  const asked = useRef(false);

  useEffect(() => {
    if (token === null || asked.current) return;
    asked.current = true;
    account.openLink(token).then(
      (answer) => {
        setOpened(answer);
        setSent(answer.code_sent);
      },
      (error: unknown) => setProblem((error as Error).message),
    );
  }, [token]);

  const act = async (work: () => Promise<void>) => {
    setBusy(true);
    setProblem(null);
    await work().catch((error: unknown) => setProblem((error as Error).message));
    setBusy(false);
  };
  const prove = (way: 'slack_oidc' | 'code') =>
    act(async () => {
      const { url } = await account.proveLink(token ?? '', way);
      if (url === null) setSent(true);
      else window.location.assign(url);
    });
  const confirm = () =>
    act(async () => {
      await account.confirmLink(token ?? '', opened?.proof === null ? code : null);
      window.sessionStorage.removeItem(KEPT);
      setDone(true);
    });

  if (token === null)
    return (
      <section className="panel">
        <h1>Link a chat account</h1>
        <p>Press a button on a request in the chat: the bot answers you alone with a link that leads here.</p>
      </section>
    );
  const platform = opened === null ? 'chat' : platforms[opened.platform];
  return (
    <section className="panel">
      <h1>{done ? 'Linked' : 'Is this account yours?'}</h1>
      {problem === null ? null : (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {opened === null ? null : (
        <dl className="facts">
          <div>
            <dt>{platform} account</dt>
            <dd>
              <bdi>{opened.label ?? 'without a name'}</bdi>{' '}
              <span className="quiet">
                <bdi>{opened.user}</bdi> in <bdi>{opened.workspace}</bdi>
              </span>
            </dd>
          </div>
          <div>
            <dt>You</dt>
            <dd>
              <bdi>{opened.person.name}</bdi>{' '}
              <span className="quiet">
                <bdi>{opened.person.email}</bdi>
              </span>
            </dd>
          </div>
        </dl>
      )}
      {done ? (
        <p role="status">
          From now on this account decides in your name. Go back to {platform} and press the button again, or open{' '}
          <button type="button" className="link" onClick={() => go('/account')}>
            your account
          </button>
          .
        </p>
      ) : opened === null ? null : (
        <>
          <p>Whoever has this {platform} account decides in your name afterwards. If somebody sent you this link, or sends you a code, close this page.</p>
          {opened.proof !== null ? (
            <button type="button" className="approve" disabled={busy} onClick={() => void confirm()}>
              Yes, link it to me
            </button>
          ) : opened.ways.includes('slack_oidc') ? (
            <button type="button" disabled={busy} onClick={() => void prove('slack_oidc')}>
              Prove it: sign in with Slack
            </button>
          ) : sent ? (
            <form
              className="enrol"
              onSubmit={(event) => {
                event.preventDefault();
                void confirm();
              }}
            >
              <label>
                The code that the bot has just sent to this {platform} account
                <input
                  value={code}
                  maxLength={16}
                  required
                  autoComplete="one-time-code"
                  placeholder="K7QF-2MXD"
                  onChange={(event) => setCode(event.target.value)}
                />
              </label>
              <button type="submit" disabled={busy}>
                Yes, link it to me
              </button>
              <button type="button" className="link" disabled={busy} onClick={() => void prove('code')}>
                Send another code
              </button>
            </form>
          ) : (
            <button type="button" disabled={busy} onClick={() => void prove('code')}>
              Prove it: send a code to it
            </button>
          )}
        </>
      )}
    </section>
  );
}
