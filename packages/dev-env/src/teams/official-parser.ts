import type * as AdaptiveCards from 'adaptivecards';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';

let loaded: typeof AdaptiveCards | undefined;

/** Its modules are written for browsers alone, its bundle asks for no page while it only parses. */
function official(): typeof AdaptiveCards {
  if (loaded !== undefined) return loaded;
  const file = createRequire(import.meta.url).resolve('adaptivecards/dist/adaptivecards.js');
  const module = { exports: {} };
  const window = {};
  runInNewContext(readFileSync(file, 'utf8'), { module, exports: module.exports, window, self: window, navigator: {}, console });
  // The bundle exports what its types say.
  loaded = module.exports as typeof AdaptiveCards;
  return loaded;
}

/** What Microsoft's parser says against a card at version 1.5, the last that Teams shows. */
export function officialComplaints(card: unknown): string[] {
  const { AdaptiveCard, HostConfig, SerializationContext, Versions } = official();
  const context = new SerializationContext(Versions.v1_5);
  const parsed = new AdaptiveCard();
  // How many buttons there may be is said by the host: those of the second rank stand in a menu.
  parsed.hostConfig = new HostConfig({ actions: { maxActions: 1_000 } });
  parsed.parse(JSON.parse(JSON.stringify(card)), context);
  const parsing = Array.from({ length: context.eventCount }, (_, index) => context.getEventAt(index).message);
  return [...parsing, ...parsed.validateProperties().validationEvents.map(({ message }) => message)];
}
