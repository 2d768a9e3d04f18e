import type { Card, TimelineEvent, Verdict } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { api, type Delivery } from './api.js';
import { CardView } from './card-view.js';
import { onChange } from './changes.js';
import { DecisionBar } from './decision-bar.js';
import { History } from './history.js';

/** One request: its card, the two buttons while it waits, and what happened to it. */
export function RequestPage({ id, administers }: { id: string; administers: boolean }) {
  const [card, setCard] = useState<Card | null>(null);
  const [events, setEvents] = useState<TimelineEvent[]>([]);
  const [deliveries, setDeliveries] = useState<Delivery[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [notice, setNotice] = useState<{ kind: 'done' | 'refused'; text: string } | null>(null);

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
    await act(() => api.decide(card, verdict, reason), verdict === 'approve' ? 'You approved it.' : 'You denied it.');
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
      <CardView card={card} />
      {notice === null ? null : (
        <p className={`notice ${notice.kind}`} role="status">
          {notice.text}
        </p>
      )}
      {card.open ? <DecisionBar card={card} onDecide={decide} /> : null}
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
