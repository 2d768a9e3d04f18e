import type { SignInRefusalCode } from '@countersign/contracts';
import { hashOf, isSessionLive, type proveCallback } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';

type Proved = Extract<Awaited<ReturnType<typeof proveCallback>>, { kind: 'proved' }>;

/**
 * The browser came back from Sign in with Slack. It proves the chat end of a link where the session is the one that opened the link, and the
 * Slack account the one that the link was made for: whoever was sent somebody else's link proves an account of their own, and links nothing.
 */
export async function finishSlackProof(
  { credentials, chatLinks, flow }: IntakeDeps,
  { who, attempt }: Proved,
  sessionValue: string | null,
): Promise<'proved' | SignInRefusalCode> {
  const session = sessionValue === null ? null : await credentials.sessionByHash(hashOf(sessionValue));
  if (session === null || !isSessionLive(session, flow.clock.now())) return 'not_signed_in';
  const hash = attempt.link_hash;
  const opened = hash === null ? null : await chatLinks.openLink(hash, { tenant: session.tenant, person_id: session.person_id, session_id: session.id });
  if (hash === null || opened === null) return 'link_over';
  const { slack } = who.accounts;
  if (slack === null || opened.platform !== 'slack' || slack.user !== opened.user || !slack.workspaces.includes(opened.workspace)) return 'another_account';
  return (await chatLinks.proveLink(hash, { session_id: session.id }, 'slack_oidc')) ? 'proved' : 'link_over';
}
