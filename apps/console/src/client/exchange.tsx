import type { Card, JsonValue } from '@countersign/contracts';
import { useState } from 'react';
import { Moment } from './moments.js';

interface Props {
  card: Card;
  onAsk: (text: string) => Promise<void>;
  onAnswer: (question: string, text: string) => Promise<void>;
  onPropose: (parameters: { [path: string]: JsonValue }, reason: string) => Promise<void>;
}

/** What approvers and requesters say to each other before the decision. */
export function Exchange({ card, onAsk, onAnswer, onPropose }: Props) {
  const { questions = [], proposals = [], counter = [] } = card;
  if (!card.open && questions.length === 0 && proposals.length === 0) return null;
  return (
    <section className="panel exchange" aria-labelledby="exchange">
      <h2 id="exchange">Questions</h2>
      {questions.map((question) => (
        <div className="question" key={question.id}>
          <p>
            <strong>{question.name}</strong>: {question.text}{' '}
            <small>
              <Moment at={question.at} />
            </small>
          </p>
          {question.answer !== null ? (
            <p className="answer">
              <strong>{question.answer.by}</strong>: {question.answer.text}
            </p>
          ) : card.open ? (
            <Say label="Answer" hint="as who asked for the action" onSay={(text) => onAnswer(question.id, text)} />
          ) : null}
        </div>
      ))}
      {proposals.map(({ id, name, text, reason, accepted_as }) => (
        <p className="question" key={id}>
          <strong>{name}</strong> would rather see {text}
          {reason === null ? '' : `: ${reason}`}
          {accepted_as === null ? '' : '. It was taken: '}
          {accepted_as === null ? null : <a href={`/requests/${accepted_as}`}>the new request</a>}
        </p>
      ))}
      {card.open ? <Say label="Ask a question" hint="to whoever wants the action" onSay={onAsk} /> : null}
      {card.open && counter.length > 0 ? <Propose paths={counter} onPropose={onPropose} /> : null}
    </section>
  );
}

/** A button that opens a field to write in. */
function Say({ label, hint, onSay }: { label: string; hint: string; onSay: (text: string) => Promise<void> }) {
  const [text, setText] = useState<string | null>(null);
  if (text === null)
    return (
      <p>
        <button type="button" className="link" onClick={() => setText('')}>
          {label}
        </button>
      </p>
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void onSay(text).then(() => setText(null));
      }}
    >
      <label>
        {label}, {hint}
        <textarea autoFocus rows={2} maxLength={2000} required value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      <button type="submit">Send</button>
    </form>
  );
}

function Propose({ paths, onPropose }: { paths: readonly string[]; onPropose: Props['onPropose'] }) {
  const [path, setPath] = useState(paths[0] ?? '');
  const [value, setValue] = useState('');
  const [reason, setReason] = useState('');
  const [open, setOpen] = useState(false);
  if (!open)
    return (
      <p>
        <button type="button" className="link" onClick={() => setOpen(true)}>
          Propose other values
        </button>
      </p>
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void onPropose({ [path]: valueOf(value) }, reason).then(() => setOpen(false));
      }}
    >
      <label>
        Parameter
        <select value={path} onChange={(event) => setPath(event.target.value)}>
          {paths.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        Value
        <input type="text" required value={value} onChange={(event) => setValue(event.target.value)} />
      </label>
      <label>
        Why (may be left empty)
        <input type="text" maxLength={2000} value={reason} onChange={(event) => setReason(event.target.value)} />
      </label>
      <button type="submit">Propose</button>
    </form>
  );
}

/** JSON where it is JSON, else the text itself: 100 is a number, "100" is text. */
function valueOf(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
