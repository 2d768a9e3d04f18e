import type { ReactNode } from 'react';
import { type Block, Message } from 'slack-blocks-to-jsx';
import 'slack-blocks-to-jsx/dist/style.css';

/** A message as chat.postMessage takes it. */
export interface SlackCard {
  text: string;
  blocks: Block[];
}

/** A Slack message, drawn by slack-blocks-to-jsx. */
export default function SlackPreview({ card }: { card: SlackCard }) {
  const dark = window.matchMedia('(prefers-color-scheme: dark)').matches;
  return (
    <div className="preview slack" inert>
      <Message
        name="Countersign"
        logo="/mark.svg"
        theme={dark ? 'dark' : 'light'}
        blocks={card.blocks}
        hooks={{
          date: ownTime,
          emoji: ({ name, unicode }) =>
            unicode === undefined ? `:${name}:` : String.fromCodePoint(...unicode.split('-').map((code) => Number.parseInt(code, 16))),
          link: underlined,
        }}
      />
    </div>
  );
}

/** Nothing leads anywhere from a preview. */
function underlined({ children }: { children: ReactNode }) {
  return <u>{children}</u>;
}

/** The renderer has no dates in time zones; Slack's clients have. */
function ownTime({ timestamp, fallback }: { timestamp: string; fallback: string }) {
  const at = new Date(Number(timestamp) * 1_000);
  return Number.isNaN(at.getTime()) ? fallback : at.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
