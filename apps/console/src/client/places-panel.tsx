import type { ChatPlaceView } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { call } from './api.js';
import { Moment } from './moments.js';

const PLATFORMS: Record<ChatPlaceView['platform'], string> = { slack: 'Slack', teams: 'Teams', email: 'Mail' };
const KINDS: Record<ChatPlaceView['kind'], string> = { personal: 'personal chat', group: 'group chat', channel: 'channel' };

/** The groups and channels that a bot was added to, and which of them get cards. Nothing where there is none. */
export function PlacesPanel({ act }: { act: (work: () => Promise<string>) => Promise<boolean> }) {
  const [places, setPlaces] = useState<ChatPlaceView[]>([]);
  const load = useCallback(async () => {
    const { data } = await call<{ data: ChatPlaceView[] }>('GET', '/v1/chat-places?limit=1000');
    setPlaces(data.filter(({ kind }) => kind !== 'personal'));
  }, []);
  useEffect(() => {
    // What could not be loaded is shown as nothing; the page's own notice tells of faults.
    load().catch(() => setPlaces([]));
  }, [load]);
  const decide = (place: ChatPlaceView, verb: 'allow' | 'disallow') =>
    void act(async () => {
      const answer = await call<ChatPlaceView | { pending: true }>('POST', `/v1/chat-places/${place.id}/${verb}`);
      await load();
      if ('pending' in answer) return 'Everybody there would see cards: it waits for the approval of somebody else.';
      return verb === 'allow' ? 'Cards are shown there from now on.' : 'No more cards are shown there. Those that stand there are still brought up to date.';
    });
  if (places.length === 0) return null;
  return (
    <>
      <h2>Conversations</h2>
      <p>Where the bot was added. Everybody in a conversation that is allowed sees what requests ask for; nobody may decide for being in it.</p>
      <ul className="passkeys">
        {places.map((place) => (
          <li key={place.id}>
            <strong>{place.name ?? `A ${KINDS[place.kind]} without a name`}</strong>
            <small>
              {PLATFORMS[place.platform]}, {KINDS[place.kind]} — {place.removed ? 'the bot was removed' : place.allowed ? 'gets cards' : 'gets no cards'}
              {place.decided_by === null ? '' : `, ${place.allowed ? 'allowed' : 'taken back'} by ${place.decided_by.name}`}, last heard{' '}
              <Moment at={place.last_heard_at} />
            </small>
            <span>
              <button type="button" className="link" onClick={() => decide(place, place.allowed ? 'disallow' : 'allow')}>
                {place.allowed ? 'Show no more cards' : 'Show cards here'}
              </button>
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
