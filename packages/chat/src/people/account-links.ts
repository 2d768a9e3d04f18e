import { CHAT_LINK_SECONDS, linkCodeHash, linkTokenHash, loneLeaf, newLinkCode } from '@countersign/core/flow';
import type { ChatAccount, ChatLinkStore, Clock, Entropy, LinkedAccount, Person, Sealer } from '@countersign/core/ports';
import { addSeconds, base64url, isInstant } from '@countersign/core/request';
import { PlatformError } from '../errors.js';

/** Which person a chat account is, and how it becomes one's. Both bots use it; what is proved is proved in the browser. */
export interface AccountLinks {
  find(account: ChatAccount): Promise<{ link: LinkedAccount; person: Person } | null>;
  /**
   * A one-time link for the account, to be told to it alone. Whoever opens it signs in, and then proves that the account is theirs too, so
   * that a link that was passed on links nothing.
   */
  startLink(account: ChatAccount, label: string | null): Promise<string>;
  /** Links by an address that the workspace's own sign-on enforces. */
  linkByEmail(account: ChatAccount, person: Person): Promise<'linked' | 'taken' | 'second'>;
  /** Until when a link may not decide yet; null: it may. */
  waitsUntil(link: LinkedAccount): string | null;
  /** Sends the codes that people in the browser wait for. `send` writes to the account alone, and throws PlatformError. */
  sendCodes(platform: ChatAccount['platform'], send: (account: ChatAccount, text: string) => Promise<void>): Promise<void>;
}

export interface AccountLinksWorld {
  tenant: string;
  links: ChatLinkStore;
  clock: Clock;
  entropy: Entropy;
  sealer: Sealer;
  /** Without a slash at its end. */
  publicUrl: string;
  /** How long a newly linked account waits until it may decide, in seconds. What the directory or an administrator names does not wait. */
  cooldownSeconds: number;
}

export function createAccountLinks(world: AccountLinksWorld): AccountLinks {
  const { tenant, links, clock, entropy } = world;
  return {
    find: ({ platform, workspace, user }) => links.account({ tenant, platform, workspace, user }),
    async startLink({ platform, workspace, user }, label) {
      const token = base64url(entropy.bytes(32));
      const expires_at = addSeconds(clock.now(), CHAT_LINK_SECONDS);
      await links.startLink({ hash: linkTokenHash(token), tenant, platform, workspace, user, label: label === null ? null : label.slice(0, 200), expires_at });
      return `${world.publicUrl}/link#${token}`;
    },
    async linkByEmail({ platform, workspace, user }, person) {
      const leaf = await loneLeaf(world, {
        tenant,
        event: 'account.linked',
        subject: person.id,
        at: clock.now(),
        facts: { kind: 'chat', platform, how: 'email' },
        details: { person: person.id, workspace, user },
      });
      return links.linkAccount({ tenant, platform, workspace, user, person_id: person.id, how: 'email' }, leaf);
    },
    waitsUntil({ how, linked_at }) {
      if (world.cooldownSeconds === 0 || how === 'directory' || how === 'administrator' || !isInstant(linked_at)) return null;
      const until = addSeconds(linked_at, world.cooldownSeconds);
      return until > clock.now() ? until : null;
    },
    async sendCodes(platform, send) {
      for (;;) {
        const code = newLinkCode(entropy);
        const task = await links.takeCodeTask(tenant, platform, linkCodeHash(code));
        if (task === null) return;
        try {
          await send({ platform, workspace: task.workspace, user: task.user }, codeText(task.person, code));
        } catch (error) {
          // Where there is no way to the account another try finds none either: the person asks again once there is.
          if (!(error instanceof PlatformError) || error.code !== 'gone') await links.returnCodeTask(task.hash);
          throw error;
        }
      }
    },
  };
}

function codeText({ name, email }: Person, code: string): string {
  return (
    `${name} (${email}) signed in to Countersign and wants to make this chat account theirs. If that is you, enter ${code} in your browser; ` +
    'it works for ten minutes. If it is not you, do nothing, and give the code to nobody: whoever enters it decides in your name here.'
  );
}
