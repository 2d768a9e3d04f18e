import type { Card, Verdict } from '@countersign/contracts';
import { useState } from 'react';

interface Props {
  card: Card;
  onDecide: (verdict: Verdict, reason: string) => Promise<void>;
  /** The reason that was given with the press in a chat that led here. */
  said?: string | null;
}

/** Approve and Deny: one press each. A reason is asked for where policy demands one, and offered with a denial. */
export function DecisionBar({ card, onDecide, said = null }: Props) {
  const [asking, setAsking] = useState<Verdict | null>(null);
  const [reason, setReason] = useState(said ?? '');
  const [busy, setBusy] = useState(false);

  const send = async (verdict: Verdict) => {
    setBusy(true);
    await onDecide(verdict, reason);
    setBusy(false);
    setAsking(null);
    setReason(said ?? '');
  };
  const press = (verdict: Verdict) => {
    if (verdict === 'deny' || (card.reason_required[verdict] && reason.trim() === '')) setAsking(verdict);
    else void send(verdict);
  };

  const approveWords = card.passkey_required === true ? 'Approve with passkey' : 'Approve';
  if (asking === null) {
    return (
      <div className="bar">
        <button type="button" className="approve" disabled={busy} onClick={() => press('approve')}>
          {approveWords}
        </button>
        <button type="button" className="deny" disabled={busy} onClick={() => press('deny')}>
          Deny
        </button>
      </div>
    );
  }
  const required = card.reason_required[asking];
  return (
    <form
      className="bar asking"
      onSubmit={(event) => {
        event.preventDefault();
        void send(asking);
      }}
    >
      <label>
        Reason{required ? '' : ' (may be left empty)'}
        <textarea autoFocus rows={2} maxLength={2000} value={reason} required={required} onChange={(event) => setReason(event.target.value)} />
      </label>
      <div>
        <button type="submit" className={asking} disabled={busy}>
          {asking === 'deny' ? 'Deny' : approveWords}
        </button>
        <button type="button" disabled={busy} onClick={() => setAsking(null)}>
          Back
        </button>
      </div>
    </form>
  );
}
