import { createPace, type PaceTimer, PlatformError, type Urgency } from '@countersign/chat';
import { slackTokenContext } from '@countersign/core/flow';
import type { Clock, Sealer, SlackInstallation, SlackInstallStore } from '@countersign/core/ports';
import { fromUtf8 } from '@countersign/core/request';
import type { Logger } from '@slack/bolt';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { SlackBotConfig } from './config.js';
import { createSlackCalls, createWebClient, type SlackCalls } from './slack-calls.js';
import { placeOf } from './places.js';
import { createWorkspace, type SlackWorkspace } from './workspace.js';

/** The app in one workspace, or in a whole Enterprise Grid. */
export interface Seat {
  /** T… or E…, which stands before its channels (`T123/C456`); null for the operator's own token, whose channels stand alone. */
  id: string | null;
  /** What administrators installed; null for the operator's own token. */
  installation: SlackInstallation | null;
  calls(urgency: Urgency): SlackCalls;
  workspace: SlackWorkspace;
}

/** What a payload that Slack signed says of where it comes from. */
export interface PayloadSource {
  teamId: string | null;
  enterpriseId: string | null;
  /** The app that it was sent to. */
  appId: string | null;
}

export interface InstallationsDeps {
  config: SlackBotConfig;
  tenant: string;
  store: Pick<SlackInstallStore, 'list'>;
  sealer: Sealer;
  clock: Clock;
  logger: Logger;
  timer?: PaceTimer | undefined;
}

/** How old the list of installations may be when somebody asks for one that is not on it, in milliseconds. */
const LIST_LIFE_MS = 1_000;

/**
 * Where the app is installed: by the operator's own token, by OAuth, or both. Each place has a client of its own, all of them one pace. The
 * list is kept in memory, so that no interaction waits for the database to be acknowledged.
 */
export function createInstallations({ config, tenant, store, sealer, clock, logger, timer }: InstallationsDeps) {
  const pace = createPace(timer);
  const scope = new AsyncLocalStorage<PayloadSource>();
  const home = config.botToken === null ? null : seatOf(null, () => Promise.resolve(config.botToken ?? ''));
  let seats = new Map<string, Seat>();
  let listedAt: number | null = null;
  let listing: Promise<void> | null = null;

  function seatOf(installation: SlackInstallation | null, token: () => Promise<string>): Seat {
    const name = installation?.id ?? 'home';
    let opened: Promise<string> | null = null;
    const clients = new Map<Urgency, SlackCalls>();
    const calls = (urgency: Urgency): SlackCalls => {
      const made = clients.get(urgency);
      if (made !== undefined) return made;
      const later: SlackCalls = async (call) => {
        // A token that did not open is tried again at the next call.
        opened ??= token().catch((error: unknown) => {
          opened = null;
          throw new PlatformError('refused', `The token of ${name} cannot be opened with the master key`, { cause: error });
        });
        const paced = createSlackCalls(createWebClient(await opened, config, logger, { pace, workspace: name, urgency }));
        clients.set(urgency, paced);
        return paced(call);
      };
      return later;
    };
    return { id: installation?.id ?? null, installation, calls, workspace: createWorkspace(calls('answer'), clock, installation) };
  }

  /** Reads the list again. What stands in it as it was keeps its client and what is known of its people. */
  async function refresh(): Promise<void> {
    listing ??= (async () => {
      const rows = await store.list(tenant);
      seats = new Map(
        rows.map((row) => {
          const known = seats.get(row.id);
          const same = known?.installation?.token_digest === row.token_digest && known.installation.installed_at === row.installed_at;
          return [row.id, same ? known : seatOf(row, async () => fromUtf8(await sealer.open(slackTokenContext(row), row.sealed_token)))];
        }),
      );
      listedAt = performance.now();
    })().finally(() => {
      listing = null;
    });
    return listing;
  }

  /** Where names without a workspace mean: the operator's token, the workspace of SLACK_CHANNEL, or the only one. */
  const standard = (): Seat | null =>
    home ?? seats.get(placeOf(config.channel ?? '').team ?? '') ?? (seats.size === 1 ? ([...seats.values()][0] ?? null) : null);

  /** The seat for a workspace or Grid, as far as the list knows. The operator's own token is of whatever is not on it. */
  function listed({ teamId, enterpriseId }: Pick<PayloadSource, 'teamId' | 'enterpriseId'>): Seat | null {
    const ofTeam = teamId === null ? undefined : seats.get(teamId);
    const ofGrid = enterpriseId === null ? undefined : seats.get(enterpriseId);
    return ofTeam ?? ofGrid ?? home;
  }

  /** The seat that a payload belongs to. @throws PlatformError `refused` where the app is not installed there */
  async function of(source: PayloadSource): Promise<Seat> {
    if (listed(source) === null && (listedAt === null || performance.now() - listedAt > LIST_LIFE_MS)) await refresh();
    const seat = listed(source);
    if (seat === null) throw new PlatformError('refused', `The app is not installed in ${source.teamId ?? source.enterpriseId ?? 'that workspace'}`);
    return seat;
  }

  /** The seat where an account of this workspace or Grid reads; null where the app is not. */
  async function at(workspace: string): Promise<Seat | null> {
    const named = (): Seat | undefined => seats.get(workspace) ?? [...seats.values()].find(({ installation }) => installation?.enterprise_id === workspace);
    if (named() === undefined && home === null && listedAt === null) await refresh();
    const found = named();
    if (found !== undefined || home === null) return found ?? null;
    const { teamId, enterpriseId } = await home.workspace.self();
    return workspace === teamId || workspace === enterpriseId ? home : null;
  }

  /**
   * The seat that stands before a place (`T123/C456`), or the first one where none does. A workspace of a Grid whose whole is installed is
   * known by asking Slack.
   */
  async function before(team: string | null): Promise<Seat> {
    if (team === null && home !== null) return home;
    if (listedAt === null) await refresh();
    if (team === null) {
      const seat = standard();
      if (seat !== null) return seat;
      throw seats.size === 0
        ? new PlatformError('refused', 'The Slack app is installed nowhere: countersign slack install-link makes a link for an administrator')
        : new PlatformError('refused', 'The Slack app is installed in several workspaces: channels need theirs before them, as in T0123456789/approvals');
    }
    const seat = seats.get(team);
    if (seat !== undefined) return seat;
    if (home !== null) {
      const { teamId, enterpriseId } = await home.workspace.self();
      if (team === teamId || team === enterpriseId) return home;
    }
    for (const grid of seats.values()) if (grid.installation?.enterprise_install === true && (await grid.workspace.teams()).includes(team)) return grid;
    throw new PlatformError('gone', `The Slack app is not installed in ${team}: countersign slack install-link makes a link for an administrator`);
  }

  /**
   * Whether the operator's own configuration names the workspace: it has their token, or their SLACK_CHANNEL. For those alone they can vouch that
   * its sign-on enforces addresses; what an administrator installed besides is anybody's, who may give an account whatever address.
   */
  async function isNamed(seat: Seat): Promise<boolean> {
    if (seat.id === null) return true;
    if (config.linkMode === 'proof') return false;
    const { team } = placeOf(config.channel ?? '');
    if (team === null || team === seat.id) return team !== null;
    return seat.installation?.enterprise_install === true && (await seat.workspace.teams()).includes(team);
  }

  return {
    home,
    refresh,
    listed,
    of,
    at,
    before,
    isNamed,
    /** All seats that there are now. */
    all: (): Seat[] => [...(home === null ? [] : [home]), ...seats.values()],
    /** Whether the app is certainly not where a payload says that it comes from. */
    isForeign: (source: PayloadSource): boolean => listedAt !== null && listed(source) === null,
    /** Runs what a payload asks for, with `call` and `workspace` being those of where it comes from. */
    within: <T>(source: PayloadSource, work: () => Promise<T>): Promise<T> => scope.run(source, work),
    /** The seat of the payload under way; outside of one, that of names without a workspace. */
    current(): Promise<Seat> {
      const source = scope.getStore();
      return source === undefined ? before(null) : of(source);
    },
    /** What the payload under way says of itself. */
    source: (): PayloadSource | undefined => scope.getStore(),
  };
}

export type Installations = ReturnType<typeof createInstallations>;
