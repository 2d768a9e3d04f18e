import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';

/** The part of Microsoft's own parser and renderer (npm adaptivecards) that is used. */
interface AdaptiveCards {
  AdaptiveCard: new () => {
    hostConfig: object;
    parse(json: unknown, context: object): void;
    validateProperties(): { validationEvents: readonly { message: string }[] };
  };
  SerializationContext: new (version: unknown) => { readonly eventCount: number; getEventAt(index: number): { readonly message: string } };
  HostConfig: new (settings: object) => object;
  Versions: { readonly v1_5: unknown };
}

let loaded: AdaptiveCards | undefined;

/** Its modules are written for browsers alone, its bundle asks for no page while it only parses. */
function official(): AdaptiveCards {
  if (loaded !== undefined) return loaded;
  const file = createRequire(import.meta.url).resolve('adaptivecards/dist/adaptivecards.js');
  const module = { exports: {} };
  const window = {};
  runInNewContext(readFileSync(file, 'utf8'), { module, exports: module.exports, window, self: window, navigator: {}, console });
  // The bundle exports what its types say.
  loaded = module.exports as AdaptiveCards;
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
