import type { ChatPlatform, Messenger } from '@countersign/chat';
import { PlatformError } from '@countersign/chat';
import type { JsonObject } from '@countersign/contracts';
import type { CardStore, NoticeStore } from '@countersign/core/ports';
import { createBatchMessages } from './batch-messages.js';
import type { Installations, Seat } from './installations.js';
import { createMessenger } from './messenger.js';
import { placeOf, writtenPlace } from './places.js';
import { createPlatform } from './platform.js';
import type { SlackCalls } from './slack-calls.js';
import type { SlackWorkspace } from './workspace.js';

/*
 * One Slack made of many workspaces. What knows one workspace alone (platform.ts, messenger.ts, the interactions) stays so; here is said which
 * one is meant: by what stands before a place, by the `team` of a message's reference, or by where a payload came from.
 */

/** Cards, wherever the app is installed. */
export function platformEverywhere(installations: Installations, channel: string | null): ChatPlatform {
  const of = perSeat((seat) => ({
    cards: createPlatform(seat.calls('card'), seat.workspace, null),
    outcomes: createPlatform(seat.calls('outcome'), seat.workspace, null),
    batch: createBatchMessages(seat.calls('card')),
  }));
  return {
    name: 'slack',
    standing: async () => (channel === null ? [] : [await resolved(installations, channel)]),
    async post(place, card, key) {
      const { seat, local } = await seatAt(installations, place);
      return stamped(seat, await of(seat).cards.post(local, card, key));
    },
    async find(place, key) {
      const { seat, local } = await seatAt(installations, place);
      const ref = await of(seat).cards.find(local, key);
      return ref === null ? null : stamped(seat, ref);
    },
    async update(ref, card, key) {
      const platforms = of(await seatOfRef(installations, ref));
      await (card.open ? platforms.cards : platforms.outcomes).update(ref, card, key);
    },
    batch: {
      async post(place, message, key) {
        const { seat, local } = await seatAt(installations, place);
        return stamped(seat, await of(seat).batch.post(local, message, key));
      },
      async update(ref, message, key) {
        await of(await seatOfRef(installations, ref)).batch.update(ref, message, key);
      },
    },
  };
}

/** What is no card, wherever the app is installed. */
export function messengerEverywhere(installations: Installations): Messenger {
  const of = perSeat((seat) => createMessenger(seat.calls('notice'), seat.workspace));
  return {
    channel: (name) => resolved(installations, name),
    async direct(account) {
      const seat = await installations.at(account.workspace);
      const channel = seat === null ? null : await of(seat).direct(account);
      return seat === null || channel === null ? null : writtenPlace({ team: seat.id, channel });
    },
    async say(place, message, key) {
      const { seat, local } = await seatAt(installations, place);
      return stamped(seat, await of(seat).say(local, message, key));
    },
    async reply(ref, message, key) {
      const seat = await seatOfRef(installations, ref);
      return stamped(seat, await of(seat).reply(ref, message, key));
    },
    async find(where, key) {
      const { seat, within } =
        'ref' in where
          ? { seat: await seatOfRef(installations, where.ref), within: where }
          : await seatAt(installations, where.place).then(({ seat: at, local }) => ({ seat: at, within: { place: local } }));
      const found = (await of(seat).find?.(within, key)) ?? null;
      return found === null ? null : stamped(seat, found);
    },
  };
}

/** The Web API of the workspace where the payload under way came from. */
export function callsHere(installations: Installations): SlackCalls {
  return async (call) => (await installations.current()).calls('answer')(call);
}

/** That workspace. A payload for another app than ours is none of its people's. */
export function workspaceHere(installations: Installations): SlackWorkspace {
  const here = async (): Promise<SlackWorkspace> => (await installations.current()).workspace;
  return {
    self: async () => (await here()).self(),
    appId: async () => (await here()).appId(),
    knownAppId: () => null,
    teams: async () => (await here()).teams(),
    channelId: async (name, team) => (await here()).channelId(name, team),
    async account(user, from) {
      const seat = await installations.current();
      const { workspace } = seat;
      const named = installations.source()?.appId ?? null;
      const ours = await workspace.appId();
      if (named !== null && ours !== null && named !== ours) throw new PlatformError('refused', `The payload is for the app ${named}, and we are ${ours}`);
      const facts = await workspace.account(user, from);
      return facts.email === null || (await installations.isNamed(seat)) ? facts : { ...facts, email: null };
    },
    forget(user) {
      for (const { workspace } of installations.all()) workspace.forget(user);
    },
    forgetChannel(id) {
      for (const { workspace } of installations.all()) workspace.forgetChannel(id);
    },
  };
}

/** Posted cards as a payload may name them: those of the workspace where it came from. */
export function cardsHere(installations: Installations, cards: CardStore): CardStore {
  return {
    ...cards,
    async postedByRef(platform, ref) {
      const { id } = await installations.current();
      const posted = await cards.postedByRef(platform, id === null ? ref : { ...ref, team: id });
      // The store finds every reference that holds what was asked for; one with a workspace is none of the operator's own token.
      return posted !== null && (posted.ref?.['team'] ?? null) === id ? posted : null;
    },
  };
}

/** The same for messages that are no cards. */
export function noticesHere(installations: Installations, notices: NoticeStore): NoticeStore {
  return {
    ...notices,
    async toldByRef(platform, ref) {
      const { id } = await installations.current();
      return notices.toldByRef(platform, id === null ? ref : { ...ref, team: id });
    },
  };
}

async function resolved(installations: Installations, name: string): Promise<string> {
  const { team, channel } = placeOf(name);
  const seat = await installations.before(team);
  return writtenPlace({ team: seat.id, channel: await seat.workspace.channelId(channel, team) });
}

async function seatAt(installations: Installations, place: string): Promise<{ seat: Seat; local: string }> {
  const { team, channel } = placeOf(place);
  return { seat: await installations.before(team), local: channel };
}

function seatOfRef(installations: Installations, ref: JsonObject): Promise<Seat> {
  return installations.before(typeof ref['team'] === 'string' ? ref['team'] : null);
}

function stamped({ id }: Seat, ref: JsonObject): JsonObject {
  return id === null ? ref : { ...ref, team: id };
}

/** What is made once for each seat, and goes with it. */
function perSeat<T>(make: (seat: Seat) => T): (seat: Seat) => T {
  const made = new WeakMap<Seat, T>();
  return (seat) => {
    const known = made.get(seat) ?? make(seat);
    made.set(seat, known);
    return known;
  };
}
