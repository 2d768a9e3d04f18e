import { type Refusal, refuse, refusals } from '@countersign/core/decision';
import type { DirectoryStore, Person, PlatformName } from '@countersign/core/ports';
import type { AccountFacts } from './platform.js';

/** How accounts come to belong to persons: by a link alone, or also by an address that the workspace's own sign-on enforces. */
export type LinkMode = 'proof' | 'email';

const platformWords: Record<PlatformName, string> = { slack: 'Slack', teams: 'Teams' };

/**
 * The person behind a chat account, or the refusal to show privately: bots, guests, outside and deactivated accounts
 * are nobody, and an unknown account is told what to do (C5). The directory's row is read at the press.
 */
export async function personOf(
  directory: Pick<DirectoryStore, 'personByAccount' | 'people' | 'link'>,
  options: { tenant: string; platform: PlatformName; mode: LinkMode },
  facts: AccountFacts,
): Promise<{ kind: 'person'; person: Person } | Refusal> {
  const name = platformWords[options.platform];
  if (facts.bot) return refuse('account_inactive', 'Bots and workflows do not decide. A person has to.');
  if (facts.external) return refuse('account_inactive', `This ${name} account belongs to another organisation; only members of this one decide.`);
  if (facts.guest) return refuse('account_inactive', `Guests of this ${name} do not decide. Ask a member who is an approver.`);
  if (!facts.active) return refuse('account_inactive', `This ${name} account is deactivated.`);
  const account = { platform: options.platform, workspace: facts.workspace, user: facts.user };
  const linked = await directory.personByAccount({ tenant: options.tenant, ...account });
  if (linked !== null) return linked.active ? { kind: 'person', person: linked } : refusals.accountInactive();
  if (options.mode !== 'email' || facts.email === null) return refusals.accountNotLinked(name);
  const wanted = facts.email.toLowerCase();
  const named = (await directory.people(options.tenant, [wanted])).find((person) => person.email.toLowerCase() === wanted);
  if (named === undefined) return refusals.accountNotLinked(name);
  if (!named.active) return refusals.accountInactive();
  await directory.link(options.tenant, account, named.id, 'email');
  return { kind: 'person', person: named };
}
