import type { Card } from '@countersign/contracts';
import { renderToStaticMarkup } from 'react-dom/server';
import { CardView } from '../card-view.js';
import { DecisionBar } from '../decision-bar.js';

/** The HTML that the inbox shows of a request as its page opens: the card, and the two buttons while it waits. */
export function cardPage(card: Card): string {
  return renderToStaticMarkup(
    <>
      <CardView card={card} />
      {card.open ? <DecisionBar card={card} onDecide={() => Promise.resolve()} /> : null}
    </>,
  );
}
