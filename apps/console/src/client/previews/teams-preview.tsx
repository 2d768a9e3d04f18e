import { AdaptiveCard, HostConfig, SerializationContext, Versions } from 'adaptivecards';
import { useEffect, useRef } from 'react';
import { hostConfig } from './teams-host.js';

/** An Adaptive Card as JSON. */
export type TeamsCard = Record<string, unknown>;

/** A card as Teams is sent it, drawn by the official Adaptive Cards renderer at version 1.5 with Teams' measures and colours. */
export default function TeamsPreview({ card }: { card: TeamsCard }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const dark = window.matchMedia('(prefers-color-scheme: dark)').matches;
    const drawn = new AdaptiveCard();
    drawn.hostConfig = new HostConfig(hostConfig(dark));
    drawn.parse(card, new SerializationContext(Versions.v1_5));
    const element = drawn.render();
    place.current?.replaceChildren(...(element === undefined ? [] : [element]));
  }, [card]);
  return <div className="preview teams" ref={place} inert />;
}
