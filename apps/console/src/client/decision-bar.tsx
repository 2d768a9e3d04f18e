import type { AskAgain, Card, StepUpIntentView, Verdict } from '@countersign/contracts';
import { useState } from 'react';
import { type Alike, AlikeFields, firstAlike } from './alike-fields.js';

/** What a decision comes with, besides its verdict. */
export interface Given {
  reason: string;
  ticket: string;
  acknowledged: string[];
  /** The id of the person in whose stead; null: in one's own name. */
  delegate_for: string | null;
  break_glass: boolean;
  /** With a denial, where it was chosen. */
  ask_again: AskAgain | null;
  /** Others like it are approved with it; null: this one alone. */
  alike: Alike | null;
}

/** Somebody in whose stead one may decide. */
export interface Absent {
  id: string;
  name: string;
}

interface Props {
  card: Card;
  onDecide: (verdict: Verdict, given: Given) => Promise<void>;
  /** What was entered with the press in a chat that led here: nobody enters it twice. */
  said?: Pick<StepUpIntentView, 'verdict' | 'reason' | 'ticket' | 'acknowledged' | 'break_glass' | 'delegate_for'> | null;
  /** Who named this person as stand-in, for now. */
  absent?: readonly Absent[];
  /** The groups that the person is in. */
  groups?: readonly string[];
  /** Whether everything was opened, where policy wants that; and what opens it. */
  opened?: boolean;
  onOpen?: () => void;
}

type Asking = Verdict | 'break_glass' | 'alike';
type Demands = NonNullable<Card['demands']>;
const NOTHING: Demands = { tickets: [], acknowledge: [], must_open: false };

/** Approve and Deny: one press each. What policy demands with it is asked for first: a reason, a ticket, words, a look at everything. */
export function DecisionBar({ card, onDecide, said = null, absent = [], groups = [], opened = false, onOpen }: Props) {
  const [asking, setAsking] = useState<Asking | null>(said?.break_glass === true ? 'break_glass' : null);
  const [reason, setReason] = useState(said?.reason ?? '');
  const [ticket, setTicket] = useState(said?.ticket ?? '');
  const [words, setWords] = useState<string[]>(said?.acknowledged ?? []);
  const [standIn, setStandIn] = useState(said?.delegate_for?.id ?? '');
  const [alike, setAlike] = useState<Alike | null>(null);
  const [again, setAgain] = useState<AskAgain | ''>('');
  const [busy, setBusy] = useState(false);

  const demands = asking === 'deny' ? NOTHING : asking === 'break_glass' ? (card.break_glass ?? NOTHING) : (card.demands ?? NOTHING);
  const mayBreak = card.break_glass !== undefined && groups.includes(card.break_glass.group);
  const standIns = card.stand_ins === true ? absent : [];

  const send = async (what: Asking) => {
    setBusy(true);
    await onDecide(what === 'deny' ? 'deny' : 'approve', {
      reason,
      ticket: what === 'deny' ? '' : ticket,
      acknowledged: what === 'deny' ? [] : words,
      delegate_for: what === 'break_glass' || standIn === '' ? null : standIn,
      break_glass: what === 'break_glass',
      ask_again: what === 'deny' && again !== '' ? again : null,
      alike: what === 'alike' ? alike : null,
    });
    setBusy(false);
    setAsking(null);
    setReason(said?.reason ?? '');
    setTicket('');
    setWords([]);
    setAgain('');
  };
  const press = (verdict: Verdict) => {
    const { tickets, acknowledge, must_open } = verdict === 'deny' ? NOTHING : (card.demands ?? NOTHING);
    const more = tickets.length > 0 || acknowledge.length > 0 || (must_open && !opened) || standIns.length > 0;
    if (verdict === 'deny' || more || (card.reason_required[verdict] && reason.trim() === '')) setAsking(verdict);
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
        {card.alike === undefined ? null : (
          <button
            type="button"
            disabled={busy}
            onClick={() => {
              setAlike(firstAlike(card));
              setAsking('alike');
            }}
          >
            Approve others like it too…
          </button>
        )}
        {mayBreak ? (
          <button type="button" className="glass" disabled={busy} onClick={() => setAsking('break_glass')}>
            Break the glass…
          </button>
        ) : null}
      </div>
    );
  }
  const required = asking === 'break_glass' || card.reason_required[asking === 'alike' ? 'approve' : asking];
  const toOpen = demands.must_open && !opened;
  return (
    <form
      className="bar asking"
      onSubmit={(event) => {
        event.preventDefault();
        void send(asking);
      }}
    >
      {asking === 'break_glass' ? (
        <p className="warning">In an emergency alone: it passes without the usual people, everybody is told, and somebody else reviews it.</p>
      ) : null}
      {asking === 'alike' && alike !== null ? <AlikeFields card={card} alike={alike} onChange={setAlike} /> : null}
      {toOpen ? (
        <p>
          Policy wants you to have seen everything first.{' '}
          <button type="button" className="link" onClick={onOpen}>
            Open everything
          </button>
        </p>
      ) : null}
      {demands.tickets.length === 0 ? null : (
        <label>
          Ticket, like {demands.tickets.join(' and ')}
          <input type="text" maxLength={256} value={ticket} required onChange={(event) => setTicket(event.target.value)} />
        </label>
      )}
      {demands.acknowledge.map((text) => (
        <label className="words" key={text}>
          <input
            type="checkbox"
            required
            checked={words.includes(text)}
            onChange={(event) => setWords(event.target.checked ? [...words, text] : words.filter((other) => other !== text))}
          />{' '}
          {text}
        </label>
      ))}
      {asking !== 'break_glass' && standIns.length > 0 ? (
        <label>
          Decide for
          <select value={standIn} onChange={(event) => setStandIn(event.target.value)}>
            <option value="">myself</option>
            {standIns.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}, who is away
              </option>
            ))}
          </select>
        </label>
      ) : null}
      {asking === 'deny' ? (
        <label>
          May it be asked again?
          <select value={again} onChange={(event) => setAgain(event.target.value as AskAgain | '' /* its options */)}>
            <option value="">say nothing of it</option>
            <option value="never">No</option>
            <option value="changed">Yes, with changes</option>
            <option value="later">Yes, later</option>
          </select>
        </label>
      ) : null}
      <label>
        Reason{required ? '' : ' (may be left empty)'}
        <textarea autoFocus rows={2} maxLength={2000} value={reason} required={required} onChange={(event) => setReason(event.target.value)} />
      </label>
      <div>
        <button type="submit" className={asking === 'deny' ? 'deny' : 'approve'} disabled={busy || toOpen}>
          {asking === 'deny' ? 'Deny' : asking === 'break_glass' ? 'Break the glass' : approveWords}
        </button>
        <button type="button" disabled={busy} onClick={() => setAsking(null)}>
          Back
        </button>
      </div>
    </form>
  );
}
