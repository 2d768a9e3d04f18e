import { type Refusal, refuse, refusals } from '@countersign/core/decision';
import type { AccountLink, ChatAccount, DirectoryStore, LinkedAccount, Person } from '@countersign/core/ports';
import type { AccountLinks } from './account-links.js';
import type { AccountFacts } from '../platform.js';

/** How accounts come to belong to persons: by a link alone, or also by an address that the workspace's own sign-on enforces. */
export type LinkMode = 'proof' | 'email';

const platformWords: Record<ChatAccount['platform'], string> = { slack: 'Slack', teams: 'Teams' };

/** Somebody who is nobody yet, with the link that changes it. */
export type AccountRefusal = Refusal & { link?: { label: string; url: string } };

/** What the button beside a one-time link says. */
const LINK_BUTTON = 'Link this account';

/**
 * The person behind a chat account, or the refusal to show privately: bots, guests, outside and deactivated accounts
 * are nobody, and an unknown account gets a link that makes it somebody's (C5). The directory's row is read at the press.
 */
export async function personOf(
  world: { directory: Pick<DirectoryStore, 'people'>; links: AccountLinks },
  options: { tenant: string; platform: ChatAccount['platform']; mode: LinkMode },
  facts: AccountFacts,
): Promise<{ kind: 'person'; person: Person; how: AccountLink['how'] } | AccountRefusal> {
  const name = platformWords[options.platform];
  const trouble = accountTrouble(options.platform, facts);
  if (trouble !== null) return trouble;
  const account = { platform: options.platform, workspace: facts.workspace, user: facts.user };
  const linked = await world.links.find(account);
  const counts = (link: LinkedAccount, person: Person): boolean =>
    link.how !== 'email' || (options.mode === 'email' && facts.email !== null && facts.email.toLowerCase() === person.email.toLowerCase());
  if (linked !== null && counts(linked.link, linked.person)) return personOfLink(world.links, linked);
  const offer = async (words: string): Promise<AccountRefusal> => {
    const url = await world.links.startLink(account, facts.label ?? null);
    return { ...refuse('account_not_linked', words), link: { label: LINK_BUTTON, url } };
  };
  // What an address said counts while the operator vouches for addresses, and the address is the same.
  if (linked !== null)
    return offer(`This ${name} account was linked by an e-mail address that does not count any more, so nothing was decided. Link it again, by proof.`);
  const wanted = options.mode === 'email' ? (facts.email?.toLowerCase() ?? null) : null;
  const named = wanted === null ? undefined : (await world.directory.people(options.tenant, [wanted])).find((person) => person.email.toLowerCase() === wanted);
  if (named === undefined) {
    return offer(
      `This ${name} account belongs to nobody in the directory yet, so nothing was decided. Link it to yourself: the link works once, for ten minutes.`,
    );
  }
  if (!named.active) return refusals.accountInactive();
  if ((await world.links.linkByEmail(account, named)) === 'second')
    return refuse('account_not_linked', `You have another ${name} account here already. A second one is linked by an administrator.`);
  // Also where another press linked it a moment ago.
  const now = await world.links.find(account);
  return now === null ? refusals.accountNotLinked(name) : personOfLink(world.links, now);
}

/** Why an account is nobody, whoever it is linked to: bots, guests, outside and deactivated accounts. Null where it may be somebody. */
export function accountTrouble(platform: ChatAccount['platform'], facts: AccountFacts): Refusal | null {
  const name = platformWords[platform];
  if (facts.bot) return refuse('account_inactive', 'Bots and workflows do not decide. A person has to.');
  if (facts.external) return refuse('account_inactive', `This ${name} account belongs to another organisation; only members of this one decide.`);
  if (facts.guest) return refuse('account_inactive', `Guests of this ${name} do not decide. Ask a member who is an approver.`);
  if (!facts.active) return refuse('account_inactive', `This ${name} account is deactivated.`);
  return null;
}

function personOfLink(
  links: AccountLinks,
  { link, person }: { link: LinkedAccount; person: Person },
): { kind: 'person'; person: Person; how: AccountLink['how'] } | Refusal {
  if (!person.active) return refusals.accountInactive();
  const until = links.waitsUntil(link);
  if (until !== null) return refuse('too_early', `This account was linked a short while ago and decides from ${until} on. Until then decide in the web inbox.`);
  return { kind: 'person', person, how: link.how };
}
