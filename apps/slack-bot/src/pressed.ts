import type { JsonObject } from '@countersign/contracts';
import type { BlockAction, GlobalShortcut, MessageShortcut, ViewSubmitAction } from '@slack/bolt';

/** What was pressed: a request's button, as Slack signed it. */
export interface Pressed {
  request_id: string;
  request_digest: string;
  subject: string | null;
  where: Where | null;
}

/** The message that carries the button; the app's home, a modal and a command have none. */
export interface Where {
  channel: string;
  ts: string;
  /** The first message of its thread, where it stands in one. */
  thread: string | null;
  /** Slack says that the app itself wrote it. */
  own: boolean;
}

/** A person at Slack, as the payload that Slack signed names them. */
export interface Presser {
  user: string;
  teamId: string | null;
  enterpriseId: string | null;
}

/** The button's request, and the message that it stands on; null where it is not of our making. */
export function pressedOf(body: BlockAction, value: JsonObject | null): Pressed | null {
  if (value === null) return null;
  const { container, message } = body;
  const { channel_id: channel, message_ts: ts, thread_ts: thread, is_ephemeral: ephemeral } = container;
  const where: Where | null =
    typeof channel === 'string' && typeof ts === 'string'
      ? {
          channel,
          ts,
          thread: typeof thread === 'string' ? thread : (message?.thread_ts ?? null),
          own: ephemeral === true || message?.app_id === body.api_app_id,
        }
      : null;
  return named(value, where);
}

/** What a modal of ours remembers of the press that opened it. */
export function pressedIn(metadata: JsonObject | null): Pressed | null {
  if (metadata === null) return null;
  const { channel, ts, thread, own } = metadata;
  const where: Where | null =
    typeof channel === 'string' && typeof ts === 'string' ? { channel, ts, thread: typeof thread === 'string' ? thread : null, own: own === true } : null;
  return named(metadata, where);
}

/** The same for a modal to remember: ids alone. */
export function remembered({ request_id, request_digest, subject, where }: Pressed): JsonObject {
  return { request_id, request_digest, ...(subject === null ? {} : { subject }), ...where };
}

function named({ request_id, request_digest, subject }: JsonObject, where: Where | null): Pressed | null {
  return typeof request_id === 'string' && typeof request_digest === 'string'
    ? { request_id, request_digest, subject: typeof subject === 'string' ? subject : null, where }
    : null;
}

/** Both the workspace of the payload and the one of its user must be ours: of two that differ, the foreign one counts. */
export function presserOf(body: BlockAction | ViewSubmitAction | GlobalShortcut | MessageShortcut): Presser {
  const enterpriseId = body.enterprise?.id ?? body.team?.enterprise_id ?? null;
  // Slack names no workspace where the app is installed in a whole Grid alone; then the Grid is named.
  const nowhere = (body.team?.id ?? null) === null && enterpriseId === null;
  const teams = [body.team?.id, body.user.team_id].filter((team) => team !== undefined && team !== null);
  return { user: body.user.id, teamId: nowhere || new Set(teams).size !== 1 ? null : (teams[0] ?? null), enterpriseId };
}

/** An action's time stamp, `seconds.micros`, as an instant. */
export function instantOf(ts: string | undefined): string | null {
  const ms = Number(ts) * 1_000;
  return Number.isFinite(ms) && ms > 0 && ms < 253_402_300_800_000 ? new Date(ms).toISOString() : null;
}

/** What a button or a modal of ours carries, or null where it is not of our making. */
export function readObject(source: string | undefined): JsonObject | null {
  try {
    const parsed: unknown = JSON.parse(source ?? '');
    // Checked to be an object; what JSON.parse gives holds JSON alone.
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as JsonObject) : null;
  } catch {
    return null;
  }
}
