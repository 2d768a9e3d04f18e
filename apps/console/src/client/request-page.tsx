import type { Card, TimelineEvent, Verdict } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { api, ApiError, type Delivery } from './api.js';
import { CardView } from './card-view.js';
import { onChange } from './changes.js';
import { type Absent, DecisionBar, type Given } from './decision-bar.js';
import { Exchange } from './exchange.js';
import { Explanation } from './explanation.js';
import { History } from './history.js';
import { MaskedValues } from './masked-values.js';
import { ChatPreviews } from './previews/chat-previews.js';
import { mailIn } from './mail-page.js';
import { signDecision } from './passkey-ceremonies.js';
import { standIns } from './stand-ins-page.js';
import { PressedNotice, usePressedInChat } from './step-up.js';

/** One request: its card, the two buttons while it waits, and what happened to it. */
export function RequestPage({ id, administers, me, groups }: { id: string; administers: boolean; me: string; groups: readonly string[] }) {
  const [card, setCard] = useState<Card | null>(null);
  const [events, setEvents] = useState<TimelineEvent[]>([]);
  const [deliveries, setDeliveries] = useState<Delivery[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [notice, setNotice] = useState<{ kind: 'done' | 'refused'; text: string } | null>(null);

  const [everything, setEverything] = useState(false);
  /** The view that was opened whole, and recorded. */
  const [openedView, setOpenedView] = useState<string | null>(null);
  const [absent, setAbsent] = useState<Absent[]>([]);

  const pressed = usePressedInChat(id);
  /** The mail whose link led here. */
  const [mail, setMail] = useState(() => mailIn(window.location.hash));

  const load = useCallback(async () => {
    try {
      setCard(await api.card(id));
      setProblem(null);
      const [timeline, sent] = await Promise.all([api.timeline(id), api.deliveries(id)]);
      setEvents(timeline.data);
      setDeliveries(sent.data);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }, [id]);

  useEffect(() => {
    void load();
    return onChange(() => void load());
  }, [load]);

  const withStandIns = card?.stand_ins === true && card.open;
  useEffect(() => {
    if (!withStandIns) return;
    standIns.list().then(
      ({ data }) => setAbsent(data.filter(({ state, delegate }) => state === 'in_force' && delegate.id === me).map(({ person }) => person)),
      () => setAbsent([]),
    );
  }, [withStandIns, me]);

  /** Opens everything of the card as it is shown, which policy may want recorded. */
  const openEverything = async (open: boolean) => {
    setEverything(open);
    if (!open || card === null || openedView === card.view_digest) return;
    if (card.demands?.must_open !== true && card.break_glass?.must_open !== true) return;
    try {
      await api.opened(card);
      setOpenedView(card.view_digest);
    } catch (error) {
      setNotice({ kind: 'refused', text: (error as Error).message });
    }
  };

  /** Does it, shows the card as it is then, and says what came of it. */
  const act = async (call: () => Promise<unknown>, done: string) => {
    let said: { kind: 'done' | 'refused'; text: string } = { kind: 'done', text: done };
    try {
      await call();
    } catch (error) {
      said = { kind: 'refused', text: (error as Error).message };
    }
    await load();
    setNotice(said);
  };

  const decide = async (verdict: Verdict, given: Given) => {
    if (card === null) return;
    const intent = pressed.state === 'mine' && pressed.intent.used_at === null ? pressed.intent.id : null;
    const signed = async () => api.decide(card, verdict, given, await signDecision(id, verdict, intent), mail);
    await act(
      async () => {
        // The card says what was asked for at first; policy may ask for more by now.
        if (verdict === 'approve' && card.passkey_required === true) return signed();
        try {
          return await api.decide(card, verdict, given, null, mail);
        } catch (error) {
          if (error instanceof ApiError && error.code === 'step_up_required') return signed();
          if (mail !== null && error instanceof ApiError && (error.code === 'via_not_allowed' || error.code === 'mail_link_over')) {
            // What is pressed from now on is pressed in the inbox: a press of its own.
            setMail(null);
            window.history.replaceState(null, '', window.location.pathname);
            throw new Error(`${error.message} Nothing was decided. You are signed in: press again to decide in the inbox itself.`, { cause: error });
          }
          throw error;
        }
      },
      given.break_glass ? 'You broke the glass: it counts, and somebody else reviews it.' : verdict === 'approve' ? 'You approved it.' : 'You denied it.',
    );
  };

  const revoke = async () => {
    await act(() => api.revoke(id), 'You revoked the approval. The caller is told.');
  };

  const redrive = async (delivery: Delivery) => {
    await act(() => api.redrive(delivery.id), 'The callback goes again.');
  };

  if (problem !== null && card === null)
    return (
      <p className="problem" role="alert">
        {problem}
      </p>
    );
  if (card === null) return <p className="quiet">Loading…</p>;
  const redeemed = events.some(({ event }) => event === 'grant.redeemed');
  return (
    <>
      {problem === null ? null : (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <PressedNotice pressed={pressed} />
      {mail === null || !card.open ? null : <p className="quiet">You came from your mail, and a decision here is recorded so.</p>}
      <CardView card={card} everything={everything} onEverything={(open) => void openEverything(open)} />
      {card.hidden === null ? null : <MaskedValues request={id} />}
      {notice === null ? null : (
        <p className={`notice ${notice.kind}`} role="status">
          {notice.text}
        </p>
      )}
      {card.open && pressed.state !== 'refused' && pressed.state !== 'loading' ? (
        <DecisionBar
          card={card}
          onDecide={decide}
          said={pressed.state === 'mine' ? pressed.intent : null}
          absent={absent}
          groups={groups}
          opened={openedView === card.view_digest}
          onOpen={() => void openEverything(true)}
        />
      ) : null}
      <Exchange
        card={card}
        onAsk={(text) => act(() => api.ask(id, text), 'Your question is asked.')}
        onAnswer={(question, text) => act(() => api.answer(id, question, text), 'Answered.')}
        onPropose={(parameters, reason) => act(() => api.propose(id, parameters, reason), 'Your counter-proposal is made. Nothing of this request changes.')}
      />
      {card.status === 'approved' && !redeemed ? (
        <p className="after">
          It was not used yet.{' '}
          <button type="button" className="link" onClick={() => void revoke()}>
            Revoke the approval
          </button>
        </p>
      ) : null}
      <Explanation key={id} request={id} />
      <ChatPreviews key={`previews ${id}`} request={id} version={`${card.status} ${String(card.decisions.length)} ${String(events.length)}`} />
      <History events={events} deliveries={deliveries} onRedrive={administers ? (delivery) => void redrive(delivery) : null} />
    </>
  );
}
