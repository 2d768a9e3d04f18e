import { randomBytes } from 'node:crypto';
import { array, isObject, text, type JsonObject } from '../wire/json.js';
import { viewComplaints } from './block-kit.js';
import { SlackRefusal } from './refusal.js';
import { TRIGGER_LIFE_MS, withIds, type SlackView, type Trigger, type Workspace } from './workspace.js';

/** Opens a modal for the person whose press made the trigger; what was open is gone. */
export function openView(workspace: Workspace, triggerId: string, view: unknown): SlackView {
  const trigger = exchange(workspace, triggerId);
  const opened = makeView(workspace, view, undefined);
  workspace.stacks.set(trigger.userId, [opened]);
  return opened;
}

/** Lays a modal on the one in which the person pressed. A stack is three deep at most. */
export function pushView(workspace: Workspace, triggerId: string, view: unknown): SlackView {
  const trigger = exchange(workspace, triggerId);
  return pushFor(workspace, trigger.userId, view);
}

export function pushFor(workspace: Workspace, userId: string, view: unknown): SlackView {
  const stack = workspace.stacks.get(userId) ?? [];
  if (stack.length === 0) throw new SlackRefusal('not_found');
  if (stack.length >= 3) throw new SlackRefusal('push_limit_reached');
  const pushed = makeView(workspace, view, stack.at(-1));
  workspace.stacks.set(userId, [...stack, pushed]);
  return pushed;
}

/** Puts another content into an open modal; `hash`, where given, must be that of the version to be replaced. */
export function updateView(
  workspace: Workspace,
  which: { viewId?: string | undefined; externalId?: string | undefined; hash?: string | undefined },
  view: unknown,
): SlackView {
  for (const [userId, stack] of workspace.stacks) {
    const index = stack.findIndex((one) => (which.viewId === undefined ? one.external_id === which.externalId : one.id === which.viewId));
    const old = stack[index];
    if (old === undefined) continue;
    if (which.hash !== undefined && which.hash !== old.hash) throw new SlackRefusal('hash_conflict');
    const made = makeView(workspace, view, undefined);
    const updated = { ...made, id: old.id, root_view_id: old.root_view_id, previous_view_id: old.previous_view_id };
    workspace.stacks.set(userId, stack.with(index, updated));
    return updated;
  }
  throw new SlackRefusal('not_found');
}

/** Draws the app's home for one person; `hash`, where given, must be that of the version to be replaced. */
export function publishView(workspace: Workspace, userId: string, view: unknown, hash: string | undefined): SlackView {
  if (!isObject(view) || view['type'] !== 'home') throw new SlackRefusal('invalid_arguments', ['must be one of: home [json-pointer:/view/type]']);
  if (!workspace.users.has(userId)) throw new SlackRefusal('user_not_found');
  const old = workspace.homes.get(userId);
  if (hash !== undefined && old !== undefined && hash !== old.hash) throw new SlackRefusal('hash_conflict');
  const made = makeView(workspace, view, undefined);
  const published = old === undefined ? made : { ...made, id: old.id, root_view_id: old.id };
  workspace.homes.set(userId, published);
  return published;
}

function exchange(workspace: Workspace, triggerId: string): Trigger {
  const trigger = workspace.triggers.get(triggerId);
  if (trigger === undefined) throw new SlackRefusal('invalid_trigger_id');
  if (trigger.used) throw new SlackRefusal('exchanged_trigger_id');
  if (workspace.now() - trigger.issuedAt > TRIGGER_LIFE_MS) throw new SlackRefusal('expired_trigger_id');
  trigger.used = true;
  return trigger;
}

function makeView(workspace: Workspace, view: unknown, under: SlackView | undefined): SlackView {
  if (!isObject(view)) throw new SlackRefusal('invalid_arguments', ['missing required field: view']);
  if (JSON.stringify(view).length > 250_000) throw new SlackRefusal('view_too_large');
  const complaints = viewComplaints(view);
  if (complaints.length > 0) throw new SlackRefusal('invalid_arguments', complaints);
  const id = workspace.nextId('V');
  return {
    id,
    team_id: workspace.team.id,
    type: text(view['type']) ?? 'modal',
    title: part(view['title']) ?? {},
    submit: part(view['submit']),
    close: part(view['close']),
    blocks: withIds(array(view['blocks']), () => randomBytes(3).toString('base64url')),
    private_metadata: text(view['private_metadata']) ?? '',
    callback_id: text(view['callback_id']) ?? '',
    external_id: text(view['external_id']) ?? '',
    state: { values: {} },
    hash: `${String(Math.floor(workspace.now() / 1_000))}.${randomBytes(4).toString('hex')}`,
    clear_on_close: view['clear_on_close'] === true,
    notify_on_close: view['notify_on_close'] === true,
    root_view_id: under?.root_view_id ?? id,
    previous_view_id: under?.id ?? null,
    app_id: workspace.team.appId,
    bot_id: workspace.team.botId,
  };
}

function part(value: unknown): JsonObject | null {
  return isObject(value) ? value : null;
}
