import type { ChatAccount, Person } from '@countersign/core/ports';
import { type AccountRefusal, type LinkMode, personOf } from '../people/account.js';
import { sentence, split, type Unclear } from './command-words.js';
import { doFreeze, type FreezeCommand, type FreezeCommandDeps, NOT_FROZEN, readFreeze, readUnfreeze } from './commands-freeze.js';
import { doPeople, NOT_DONE, type PeopleCommand, peopleHelp, readPeople, type Speaker } from './commands-people.js';
import type { Home } from './home.js';
import type { AccountFacts } from '../platform.js';
import { type PressDeps } from '../press.js';
import { type ChatWorld, pressDepsOf } from '../world.js';

/** What somebody wants who spoke to the bot. */
export type ChatCommand =
  | FreezeCommand
  | PeopleCommand
  | { kind: 'help' }
  /** It was meant for us, and cannot be done as it stands. `why` is for the person. */
  | Unclear;

export interface CommandDeps extends Pick<PressDeps, 'tenant' | 'platform' | 'linkMode' | 'directory' | 'links'>, FreezeCommandDeps {
  /** What the commands about people stand on. */
  world: ChatWorld;
  /** The account that a mention in the platform's own spelling names, where the platform does not spell its id; null where it names none. */
  mentioned?: Speaker['mentioned'];
  log: { error(fields: object, message: string): void };
}

/** Words for whoever spoke, and for one reader the link that makes good what was refused. */
export interface CommandAnswer {
  text: string;
  link?: { label: string; url: string };
  /** What the words tell of, as a model: for platforms that draw rows with buttons. */
  home?: Home;
}

/** What commands on one platform take. */
export function commandDepsOf(
  world: ChatWorld,
  platform: ChatAccount['platform'],
  linkMode: LinkMode,
  spoken: string,
  mentioned?: Speaker['mentioned'],
): CommandDeps {
  const { tenant, directory, links } = pressDepsOf(world, platform, linkMode);
  return { tenant, platform, linkMode, directory, links, world, freezes: world.freezes, spoken, mentioned, log: world.log };
}

/**
 * Reads the words of a command: `waiting`, `decided`, `away until WHEN[, WHO stands in][ because …]`, `back`, `who ID`,
 * `freeze everything|actor ID|caller ID|action PATTERN [reason]`, `unfreeze ID [reason]`, `freezes`, `help`.
 * Null where the first word is none of ours. Platforms undo their own marks before, mentions excepted.
 */
export function readCommand(text: string): ChatCommand | null {
  const [written = '', rest] = split(text);
  const verb = written.toLowerCase();
  switch (verb) {
    case 'freeze':
      return readFreeze(rest);
    case 'unfreeze':
      return readUnfreeze(rest);
    case 'freezes':
      return { kind: 'freezes' };
    case 'help':
      return { kind: 'help' };
    default:
      return readPeople(verb, rest);
  }
}

/**
 * Does what a command says, for the person behind the account and by the same rules as the API. Never throws: a fault is told, with another
 * road to the same end. `account` is asked only where somebody has to be known.
 */
export async function handleCommand(deps: CommandDeps, command: ChatCommand, account: () => Promise<AccountFacts>): Promise<CommandAnswer> {
  if (command.kind === 'help') return { text: helpText(deps.spoken) };
  if (command.kind === 'unclear') return { text: `${command.why} Nothing was changed.\n\n${helpText(deps.spoken)}` };
  let facts: AccountFacts;
  let known: { kind: 'person'; person: Person } | AccountRefusal;
  try {
    facts = await account();
    known = await personOf(deps, { tenant: deps.tenant, platform: deps.platform, mode: deps.linkMode }, facts);
  } catch (error) {
    deps.log.error({ err: error }, 'whose command it is could not be found out');
    return { text: `Something failed on our side, so ${NOTHING[command.kind]}. ${otherRoad(deps, command)}` };
  }
  if (known.kind === 'refused') {
    return { text: `${sentence(NOTHING[command.kind])} ${known.text}`, ...(known.link === undefined ? {} : { link: known.link }) };
  }
  try {
    return await done(deps, command, { person: known.person, facts });
  } catch (error) {
    deps.log.error({ err: error }, 'a command failed');
    return { text: `${faultText(deps, command)} ${otherRoad(deps, command)}` };
  }
}

type Doable = Exclude<ChatCommand, { kind: 'help' | 'unclear' }>;

const NOTHING = { ...NOT_FROZEN, ...NOT_DONE } as const;

async function done(deps: CommandDeps, command: Doable, { person, facts }: { person: Person; facts: AccountFacts }): Promise<CommandAnswer> {
  switch (command.kind) {
    case 'freeze':
    case 'unfreeze':
    case 'freezes':
      return { text: await doFreeze(deps, command, person) };
    default: {
      const { world, platform, spoken, mentioned } = deps;
      return doPeople({ world, platform, spoken, person, facts, mentioned }, command);
    }
  }
}

/** The commit may have been made and its answer lost. */
function faultText({ spoken }: CommandDeps, { kind }: Doable): string {
  const unknown = 'Something failed on our side, and it is not known whether it was done.';
  switch (kind) {
    case 'freeze':
    case 'unfreeze':
      return `${unknown} Look with: ${spoken}freezes.`;
    case 'away':
    case 'back':
      return `${unknown} Look with: ${spoken}waiting.`;
    default:
      return `Something failed on our side, so ${NOTHING[kind]}.`;
  }
}

function otherRoad({ world }: CommandDeps, { kind }: Doable): string {
  return kind === 'freeze' || kind === 'unfreeze' || kind === 'freezes'
    ? 'Use the command line instead: countersign freeze --everything --reason TEXT (or --actor, --caller, --action).'
    : `Use the web inbox instead: ${world.publicUrl}`;
}

function helpText(spoken: string): string {
  return [
    ...peopleHelp(spoken),
    `${spoken}freeze everything [reason]: nothing opens, is approved or is redeemed, until a second person lifts it`,
    `${spoken}freeze actor ID [reason]: whoever acts, or on whose behalf`,
    `${spoken}freeze caller ID [reason]: an API key, key_…`,
    `${spoken}freeze action PATTERN [reason]: * is any run of characters, iam.*`,
    `${spoken}unfreeze ID [reason]: lift a freeze that somebody else placed`,
    `${spoken}freezes: what is frozen`,
    `${spoken}help: these words`,
  ].join('\n');
}
