import type { StepUpIntentView } from '@countersign/contracts';
import { useEffect, useState } from 'react';
import { intentOf } from './passkey-ceremonies.js';

/** What the address says of a press in a chat: `#step-up`, or `#step-up/<id>` where one is waiting. It carries no right. */
export function stepUpIn(hash: string): { intent: string | null } | null {
  const found = /^#step-up(?:\/([0-9a-f-]{36}))?$/.exec(hash);
  return found === null ? null : { intent: found[1] ?? null };
}

export type PressedInChat =
  | { state: 'none' }
  | { state: 'loading' }
  | { state: 'mine'; intent: StepUpIntentView }
  /** Somebody else's, or over: why, in words. */
  | { state: 'refused'; text: string };

/** The press that led here, where it is this person's own. */
export function usePressedInChat(request: string): PressedInChat {
  const [pressed, setPressed] = useState<PressedInChat>(() => (stepUpIn(window.location.hash)?.intent == null ? { state: 'none' } : { state: 'loading' }));
  useEffect(() => {
    const id = stepUpIn(window.location.hash)?.intent;
    if (id == null) return;
    intentOf(id).then(
      (intent) => setPressed(intent.action_request === request ? { state: 'mine', intent } : { state: 'refused', text: 'This link is of another request.' }),
      (error: unknown) => setPressed({ state: 'refused', text: (error as Error).message }),
    );
  }, [request]);
  return pressed;
}

const platforms: Record<string, string> = { slack: 'Slack', teams: 'Teams', web: 'the browser', api: 'the API', email: 'your mail' };

/** Says what was pressed, and that nothing is decided yet. */
export function PressedNotice({ pressed }: { pressed: PressedInChat }) {
  if (pressed.state === 'none' || pressed.state === 'loading') return null;
  if (pressed.state === 'refused')
    return (
      <p className="problem" role="alert">
        {pressed.text}
      </p>
    );
  const { verdict, via, used_at, reason, ticket, acknowledged = [], break_glass, delegate_for } = pressed.intent;
  const what = break_glass === true ? 'Break the glass' : verdict === 'approve' ? 'Approve' : 'Deny';
  const given = [
    ...(delegate_for === undefined ? [] : [`in ${delegate_for.name}'s stead`]),
    ...(reason === null ? [] : [`with the reason “${reason}”`]),
    ...(ticket === undefined ? [] : [`with the ticket “${ticket}”`]),
    ...(acknowledged.length === 0 ? [] : [`having confirmed: ${acknowledged.map((text) => `“${text}”`).join(', ')}`]),
  ];
  if (used_at !== null) return <p className="notice done">What you pressed in {platforms[via]} was signed with your passkey.</p>;
  return (
    <p className="notice pressed">
      You pressed {what} in {platforms[via]}
      {given.length === 0 ? '' : ` ${given.join(', ')}`}. Nothing is decided yet: read what will run, and confirm with your passkey below.
    </p>
  );
}
