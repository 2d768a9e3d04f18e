import type { Card, TimelineEvent, Verdict } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { api, ApiError, type Delivery } from './api.js';
import { CardView } from './card-view.js';
import { onChange } from './changes.js';
import { DecisionBar } from './decision-bar.js';
import { History } from './history.js';
import { MaskedValues } from './masked-values.js';
import { signDecision } from './passkey-ceremonies.js';
import { PressedNotice, usePressedInChat } from './step-up.js';

/** One request: its card, the two buttons while it waits, and what happened to it. */
export function RequestPage({ id, administers }: { id: string; administers: boolean }) {
  const [card, setCard] = useState<Card | null>(null);
  const [events, setEvents] = useState<TimelineEvent[]>([]);
  const [deliveries, setDeliveries] = useState<Delivery[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [notice, setNotice] = useState<{ kind: 'done' | 'refused'; text: string } | null>(null);

  const pressed = usePressedInChat(id);

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

  const decide = async (verdict: Verdict, reason: string) => {
    if (card === null) return;
    const intent = pressed.state === 'mine' && pressed.intent.used_at === null ? pressed.intent.id : null;
    const signed = async () => api.decide(card, verdict, reason, await signDecision(id, verdict, intent));
    await act(
      async () => {
        // The card says what was asked for at first; policy may ask for more by now.
        if (verdict === 'approve' && card.passkey_required === true) return signed();
        try {
          return await api.decide(card, verdict, reason);
        } catch (error) {
          if (error instanceof ApiError && error.code === 'step_up_required') return signed();
          throw error;
        }
      },
      verdict === 'approve' ? 'You approved it.' : 'You denied it.',
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
      <CardView card={card} />
      {card.hidden === null ? null : <MaskedValues request={id} />}
      {notice === null ? null : (
        <p className={`notice ${notice.kind}`} role="status">
          {notice.text}
        </p>
      )}
      {card.open && pressed.state !== 'refused' && pressed.state !== 'loading' ? (
        <DecisionBar card={card} onDecide={decide} said={pressed.state === 'mine' ? pressed.intent.reason : null} />
      ) : null}
      {card.status === 'approved' && !redeemed ? (
        <p className="after">
          It was not used yet.{' '}
          <button type="button" className="link" onClick={() => void revoke()}>
            Revoke the approval
          </button>
        </p>
      ) : null}
      <History events={events} deliveries={deliveries} onRedrive={administers ? (delivery) => void redrive(delivery) : null} />
    </>
  );
}
