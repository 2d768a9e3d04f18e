import { type ChatWorld, commandDepsOf, createChatActions, createStoredOnce, type LinkMode, pressDepsOf } from '@countersign/chat';
import type { App } from '@slack/bolt';
import { listenForCommands } from './commands.js';
import { listenForHome } from './home.js';
import { listen } from './interactions.js';
import { listenForShortcuts } from './shortcuts.js';
import type { SlackCalls } from './slack-calls.js';
import { createTell } from './tell.js';
import type { SlackWorkspace } from './workspace.js';

export interface SurfaceDeps {
  world: ChatWorld;
  linkMode: LinkMode;
  call: SlackCalls;
  workspace: SlackWorkspace;
  /** Asks for the cards to be brought up to date; does not wait. */
  refresh(): void;
  /** How long a press may take until its person is told that it is worked on, in milliseconds; absent: one second. */
  workingAfterMs?: number | undefined;
}

/** All that people see and press at Slack besides the cards themselves. */
export function listenToPeople(app: App, { world, linkMode, call, workspace, refresh, workingAfterMs = 1_000 }: SurfaceDeps): void {
  const { tenant, card, log, store, requests } = world;
  const { clock } = world.flow;
  const press = pressDepsOf(world, 'slack', linkMode);
  const once = createStoredOnce(world, 'slack');
  const home = listenForHome(app, { world, press, linkMode, call, workspace });
  const interactions = listen(app, {
    press,
    actions: createChatActions(world, 'slack', linkMode),
    cards: store.cards,
    notices: store.notices,
    requests,
    tenant,
    card,
    call,
    workspace,
    clock,
    once,
    tell: createTell(call, log),
    homeFor: home.blocksOf,
    changedFor: home.changedFor,
    refresh,
    workingAfterMs,
    log,
  });
  listenForShortcuts(app, interactions);
  listenForCommands(app, { command: commandDepsOf(world, 'slack', linkMode, '/countersign '), call, workspace, clock, once, log });
}
