import { isAskedOf } from '@countersign/chat';
import type { ActionRequestRecord, CardStore, ChatPlace, DirectoryStore } from '@countersign/core/ports';
import type { TeamsBotConfig } from './config.js';
import type { IncomingActivity } from './incoming-activity.js';
import { readReference, referenceJson } from './reference.js';
import { isKnownService } from './service-url.js';
import type { TeamsReference } from './teams-calls.js';

export interface PlacesDeps {
  tenant: string;
  config: TeamsBotConfig;
  cards: Pick<CardStore, 'rememberPlace' | 'places'>;
  directory: Pick<DirectoryStore, 'personByAccount'>;
}

/** Conversations that the bot was installed or addressed in, and which of them get the card of a request. */
export function createPlaces({ tenant, config, cards, directory }: PlacesDeps) {
  const tenants = new Set(config.tenantIds.map((id) => id.toLowerCase()));

  /** Whether the tenant's people count. */
  function isOurs(tenantId: string): boolean {
    return tenants.has(tenantId) || (tenants.size === 0 && config.auth === 'off');
  }

  /** Remembers how to write there, with the serviceUrl of just now; `addressed`: a person spoke to the bot. */
  async function remember(activity: IncomingActivity, addressed: boolean): Promise<void> {
    const user = activity.kind === 'personal' ? activity.from.aadObjectId : null;
    if (activity.kind === 'personal' && user === null) return;
    await cards.rememberPlace({ ...placeOf(activity, user), reference: referenceJson(activity.reference, false), allowed: addressed && config.openPlaces });
  }

  /** The bot was removed: nothing is posted there until it is heard of again. What an administrator allowed stays allowed. */
  async function forget(activity: IncomingActivity): Promise<void> {
    const known = (await cards.places(tenant, 'teams')).find(({ place }) => place === activity.place);
    if (known !== undefined) await cards.rememberPlace({ ...known, reference: { ...known.reference, removed: true }, allowed: false });
  }

  function placeOf(activity: IncomingActivity, user: string | null): Pick<ChatPlace, 'tenant' | 'platform' | 'place' | 'kind' | 'user'> {
    return { tenant, platform: 'teams', place: activity.place, kind: activity.kind, user };
  }

  /** Where the card of a request goes: a personal chat, where its person may decide it; groups and channels that an administrator allowed. */
  async function of(request: ActionRequestRecord): Promise<string[]> {
    const known = await cards.places(tenant, 'teams');
    const wanted = await Promise.all(known.map((place) => wants(place, request)));
    return known.filter((_, index) => wanted[index] === true).map(({ place }) => place);
  }

  async function wants(place: ChatPlace, request: ActionRequestRecord): Promise<boolean> {
    const { removed, tenantId, serviceUrl } = readReference(place);
    if (removed || !isOurs(tenantId) || !isKnownService(serviceUrl, config)) return false;
    if (place.allowed && (place.kind !== 'personal' || config.openPlaces)) return true;
    if (place.kind !== 'personal' || place.user === null) return false;
    const person = await directory.personByAccount({ tenant, platform: 'teams', workspace: tenantId, user: place.user });
    return person !== null && isAskedOf(request, person);
  }

  /** How to write to a place; null where it is not known (any more), or its address is not one that we call. */
  async function reference(place: string): Promise<TeamsReference | null> {
    const known = (await cards.places(tenant, 'teams')).find((one) => one.place === place);
    if (known === undefined) return null;
    const found = readReference(known);
    return isKnownService(found.serviceUrl, config) ? found : null;
  }

  /** The personal chat of an account; null where the bot was not installed for it. */
  async function personalOf(user: string): Promise<TeamsReference | null> {
    const known = (await cards.places(tenant, 'teams')).find((one) => one.kind === 'personal' && one.user === user);
    return known === undefined ? null : reference(known.place);
  }

  async function isAllowed(place: string): Promise<boolean> {
    return (await cards.places(tenant, 'teams')).some((one) => one.place === place && one.allowed);
  }

  return { isOurs, remember, forget, of, reference, personalOf, isAllowed };
}

export type Places = ReturnType<typeof createPlaces>;
