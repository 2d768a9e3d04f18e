import { isAskedOf, PlatformError } from '@countersign/chat';
import { namedGroups } from '@countersign/core/policy';
import type { ActionRequestRecord, CardStore, ChatPlace, Clock, Entropy, RoutingStore } from '@countersign/core/ports';
import { epochMs, newId } from '@countersign/core/request';
import type { TurnContext } from 'botbuilder';
import type { TeamsBotConfig } from './config.js';
import type { IncomingActivity } from './incoming-activity.js';
import { readReference, referenceJson } from './reference.js';
import { isKnownService, worldwideServiceUrl } from './service-url.js';
import type { TeamsCalls, TeamsReference } from './teams-calls.js';
import { isShutOut } from './teams-errors.js';

export interface PlacesDeps {
  tenant: string;
  config: TeamsBotConfig;
  calls: Pick<TeamsCalls, 'createPersonal' | 'nameOf'>;
  cards: Pick<CardStore, 'rememberPlace' | 'places'>;
  routing: Pick<RoutingStore, 'reachable'>;
  clock: Clock;
  entropy: Entropy;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** How long a personal conversation that Teams refused to open is not asked for again, in milliseconds: the person may install the app meanwhile. */
const CLOSED_MS = 600_000;
const MOST_CLOSED = 10_000;

/** Conversations that the bot was installed or addressed in, and which of them get the card of a request. */
export function createPlaces(deps: PlacesDeps) {
  const { tenant, config, cards, routing } = deps;
  const tenants = new Set(config.tenantIds.map((id) => id.toLowerCase()));
  const now = (): number => epochMs(deps.clock.now());
  /** Accounts with which no conversation could be opened, and when. */
  const closed = new Map<string, number>();

  /** Whether the tenant's people count. */
  function isOurs(tenantId: string): boolean {
    return tenants.has(tenantId) || (tenants.size === 0 && config.auth === 'off');
  }

  const all = (): Promise<ChatPlace[]> => cards.places(tenant, 'teams');

  /** Remembers how to write there, with the serviceUrl of just now; `addressed`: a person spoke to the bot. */
  async function remember(activity: IncomingActivity, addressed: boolean): Promise<void> {
    const user = activity.kind === 'personal' ? activity.from.aadObjectId : null;
    if (activity.kind === 'personal' && user === null) return;
    if (user !== null) closed.delete(user);
    await heard(activity.place, activity.kind, { reference: referenceJson(activity.reference, false), user, name: nameIn(activity.called), addressed });
  }

  async function heard(place: string, kind: ChatPlace['kind'], what: Pick<ChatPlace, 'reference' | 'user' | 'name' | 'addressed'>): Promise<void> {
    const id = newId('pl', deps.clock.now(), deps.entropy.bytes(10));
    await cards.rememberPlace({ tenant, id, platform: 'teams', place, kind, ...what });
  }

  /** Asks Teams what a group or channel is called, where nobody has said it yet. A name is for people who look at a list: a fault is no matter. */
  async function learnName(context: TurnContext, activity: IncomingActivity): Promise<void> {
    if (activity.kind === 'personal' || activity.called !== null) return;
    const known = (await all()).find(({ place }) => place === activity.place);
    if (known === undefined || known.name !== null) return;
    try {
      const name = nameIn(await deps.calls.nameOf(context, activity));
      if (name !== null) await cards.rememberPlace({ ...known, name });
    } catch (error) {
      deps.log.warn({ err: error, place: activity.place }, 'what a conversation is called could not be read');
    }
  }

  /** The bot was removed: nothing is posted there until it is heard of again. What an administrator allowed stays allowed. */
  async function forget({ place }: Pick<IncomingActivity, 'place'>): Promise<void> {
    const known = (await all()).find((one) => one.place === place);
    if (known !== undefined) await cards.rememberPlace({ ...known, reference: { ...known.reference, removed: true } });
  }

  /** Runs a call to a place; where Teams says that the bot is not there any more, the place is forgotten until it is heard of again. */
  async function at<T>(place: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (isShutOut(error)) {
        deps.log.warn({ err: error, place }, 'nothing can be posted in a conversation; it gets no more cards until the bot hears from it');
        await forget({ place });
      }
      throw error;
    }
  }

  /** Where the card of a request goes: a personal chat, where its person may decide it; groups and channels that an administrator allowed. */
  async function of(request: ActionRequestRecord): Promise<string[]> {
    const open = (await all()).filter(isOpen);
    // Of many personal chats few are asked: those are looked for, not each of them.
    const asked = open.every(({ kind }) => kind !== 'personal') ? new Set<string>() : await accountsAsked(request);
    const isAsked = (place: ChatPlace): boolean => place.user !== null && asked.has(accountKey(readReference(place).tenantId, place.user));
    return open.filter((place) => mayShow(place) || (place.kind === 'personal' && isAsked(place))).map(({ place }) => place);
  }

  /** The accounts of everybody whom the request asks. */
  async function accountsAsked(request: ActionRequestRecord): Promise<Set<string>> {
    const { requirement } = request;
    const named = requirement === null ? [] : await routing.reachable(tenant, { groups: namedGroups(requirement), people: [] });
    const accounts = named.filter(({ person }) => isAskedOf(request, person)).flatMap((one) => one.accounts);
    return new Set(accounts.flatMap(({ platform, workspace, user }) => (platform === 'teams' ? [accountKey(workspace, user)] : [])));
  }

  /** Whether the bot may write there at all: it is there still, in a tenant of ours, at an address of Teams'. */
  function isOpen(place: ChatPlace): boolean {
    const { removed, tenantId, serviceUrl } = readReference(place);
    return !removed && isOurs(tenantId) && isKnownService(serviceUrl, config);
  }

  /** Whether the place gets cards as such: an administrator's word, or in a quickstart without authentication that the bot was spoken to there. */
  function mayShow({ kind, allowed, addressed }: ChatPlace): boolean {
    return (config.openPlaces && addressed) || (kind !== 'personal' && allowed);
  }

  /** The group or channel that a policy's words mean: our id, Teams' own, or a name that only one allowed place has; null where there is none. */
  async function named(words: string): Promise<string | null> {
    const open = (await all()).filter((place) => place.kind !== 'personal' && isOpen(place) && mayShow(place));
    const exact = open.find(({ id, place }) => id === words || place === words);
    if (exact !== undefined) return exact.place;
    const wanted = fold(words);
    const whole = open.filter(({ name }) => name !== null && fold(name) === wanted);
    const last = whole.length > 0 ? whole : open.filter(({ name }) => name !== null && fold(name.split(' / ').at(-1) ?? '') === wanted);
    // A name that two have names neither.
    return last.length === 1 ? (last[0]?.place ?? null) : null;
  }

  /** How to write to a place; null where it is not known (any more), or its address is not one that we call. */
  async function reference(place: string): Promise<TeamsReference | null> {
    const known = (await all()).find((one) => one.place === place);
    if (known === undefined) return null;
    const found = readReference(known);
    return isKnownService(found.serviceUrl, config) ? found : null;
  }

  /** The personal chat of an account; null where the bot was not installed for it, or was removed. */
  async function personalOf(user: string): Promise<TeamsReference | null> {
    const known = (await all()).find((one) => one.kind === 'personal' && one.user === user && isOpen(one));
    return known === undefined ? null : readReference(known);
  }

  /**
   * The personal chat of an account, opened where the bot has not met the person: Teams lets it be where the app is installed for them, in
   * a team that they are in, or by an administrator. Null where it is not.
   */
  async function openPersonal({ workspace, user }: { workspace: string; user: string }): Promise<TeamsReference | null> {
    const met = await personalOf(user);
    if (met !== null) return met;
    const tenantId = workspace.toLowerCase();
    if (!isOurs(tenantId) || now() - (closed.get(user) ?? -CLOSED_MS) < CLOSED_MS) return null;
    const from = await road(tenantId);
    if (from === null) return null;
    try {
      const id = await deps.calls.createPersonal(from, tenantId, user);
      const opened = { ...from, conversation: { id, conversationType: 'personal', isGroup: false, name: '', tenantId } };
      await heard(id, 'personal', { reference: referenceJson(opened, false), user, name: null, addressed: false });
      return opened;
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'gone') throw error;
      // Many have not installed the app, and nobody has to.
      deps.log.info({ err: error, user }, 'a person cannot be written to in Teams');
      if (closed.size >= MOST_CLOSED) closed.clear();
      closed.set(user, now());
      return null;
    }
  }

  /** By what a tenant is reached: as it was heard of last, or Teams' worldwide address. */
  async function road(tenantId: string): Promise<Pick<TeamsReference, 'bot' | 'serviceUrl'> | null> {
    const known = (await all()).map(readReference).filter((one) => one.tenantId === tenantId && isKnownService(one.serviceUrl, config));
    const heardOf = known.find(({ removed }) => !removed) ?? known[0];
    if (heardOf !== undefined) return heardOf;
    const serviceUrl = worldwideServiceUrl(config);
    return serviceUrl === null || config.appId === undefined ? null : { bot: { id: `28:${config.appId}`, name: '' }, serviceUrl };
  }

  async function isAllowed(place: string): Promise<boolean> {
    return (await all()).some((one) => one.place === place && one.allowed);
  }

  return { isOurs, remember, learnName, forget, at, of, named, reference, personalOf, openPersonal, isAllowed };
}

export type Places = ReturnType<typeof createPlaces>;

const accountKey = (tenantId: string, user: string): string => `${tenantId.toLowerCase()}|${user}`;

/** What others wrote: one line, and no more than a list shows. */
function nameIn(called: string | null): string | null {
  const name = (called ?? '')
    .replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, 200)
    .replace(/\p{Cs}$/u, '');
  return name === '' ? null : name;
}

/** As names are compared: #Approvals and approvals are the same. */
const fold = (name: string): string =>
  name
    .normalize('NFC')
    .trim()
    .replace(/^#/, '')
    .replaceAll(/\s*\/\s*/g, ' / ')
    .toLowerCase();
