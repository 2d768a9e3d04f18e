import { until } from './until.js';

/** A card counts from when it is recorded, an instant after the platform shows it: nobody presses so fast but a test. */
export async function posted(url: string, apiKey: string, request: string): Promise<void> {
  await until(async () => {
    const answer = await fetch(`${url}/v1/action-requests/${request}/events`, { headers: { authorization: `Bearer ${apiKey}` } });
    return (await answer.text()).includes('card.posted');
  }, 'the record of the card');
}
