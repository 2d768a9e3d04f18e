import type { FreezeBody, FreezeScope, FreezeView } from '@countersign/contracts';
import { type FlowDeps, type FreezeDeps, freezeView, liftFreeze, placeFreeze } from '@countersign/core/flow';
import type { Clock, FreezeRecord, Person } from '@countersign/core/ports';
import { epochMs, makeVisible } from '@countersign/core/request';
import { personOf } from './account.js';
import { count, cut, oneLine, time } from './card-words.js';
import type { AccountFacts } from './platform.js';
import type { PressDeps } from './press.js';

/** What somebody wants who spoke to the bot. */
export type ChatCommand =
  | { kind: 'freeze'; body: FreezeBody }
  | { kind: 'unfreeze'; id: string; reason: string | null }
  | { kind: 'freezes' }
  | { kind: 'help' }
  /** It was meant for us, and cannot be done as it stands. `why` is for the person. */
  | { kind: 'unclear'; why: string };

export interface CommandDeps extends Pick<PressDeps, 'tenant' | 'platform' | 'linkMode' | 'directory' | 'links'> {
  freezes: FreezeDeps & Pick<FlowDeps, 'publicUrl'>;
  /** What a person writes before the words of a command on this platform, with a space at its end; empty: nothing. */
  spoken: string;
  log: { error(fields: object, message: string): void };
}

/** Words for whoever spoke, and for one reader the link that makes good what was refused. */
export interface CommandAnswer {
  text: string;
  link?: { label: string; url: string };
}

/**
 * Reads the words of a command: `freeze everything|actor ID|caller ID|action PATTERN [reason]`, `unfreeze ID [reason]`, `freezes`, `help`.
 * Null where the first word is none of ours. Platforms undo their own marks before.
 */
export function readCommand(text: string): ChatCommand | null {
  const [, verb = '', rest = ''] = /^\s*(\S+)\s*([^]*)$/u.exec(text) ?? [];
  switch (verb.toLowerCase()) {
    case 'freeze':
      return readFreeze(rest);
    case 'unfreeze':
      return readUnfreeze(rest);
    case 'freezes':
      return { kind: 'freezes' };
    case 'help':
      return { kind: 'help' };
    default:
      return null;
  }
}

/**
 * Does what a command says, for the person behind the account and by the same rules as the API. Never throws: a fault is told, with another
 * road to the same end. `account` is asked only where somebody has to be known.
 */
export async function handleCommand(deps: CommandDeps, command: ChatCommand, account: () => Promise<AccountFacts>): Promise<CommandAnswer> {
  if (command.kind === 'help') return { text: helpText(deps.spoken) };
  if (command.kind === 'unclear') return { text: `${command.why} Nothing was changed.\n\n${helpText(deps.spoken)}` };
  let known: Awaited<ReturnType<typeof personOf>>;
  try {
    known = await personOf(deps, { tenant: deps.tenant, platform: deps.platform, mode: deps.linkMode }, await account());
  } catch (error) {
    deps.log.error({ err: error }, 'whose command it is could not be found out');
    return { text: `Something failed on our side, so ${NOTHING[command.kind]}. ${OTHER_ROAD}` };
  }
  if (known.kind === 'refused') {
    return { text: `${sentence(NOTHING[command.kind])} ${known.text}`, ...(known.link === undefined ? {} : { link: known.link }) };
  }
  try {
    return { text: await done(deps, command, known.person) };
  } catch (error) {
    deps.log.error({ err: error }, 'a command failed');
    // The commit may have been made and its answer lost.
    const text =
      command.kind === 'freezes'
        ? `Something failed on our side, so ${NOTHING.freezes}.`
        : `Something failed on our side, and it is not known whether it was done. Look with: ${deps.spoken}freezes.`;
    return { text: `${text} ${OTHER_ROAD}` };
  }
}

/**
 * Which commands were done already. Platforms sign what they send, and a thief may send it again as it stands: what has been here is not done
 * twice. Each process knows its own; what it forgets is too old by the platform's signature.
 */
export function createOnce(clock: Clock): (key: string) => boolean {
  const seen = new Map<string, number>();
  return (key) => {
    const now = epochMs(clock.now());
    for (const [old, at] of seen) {
      if (seen.size < MOST_SEEN && now - at < SEEN_MS) break;
      seen.delete(old);
    }
    if (seen.has(key)) return false;
    seen.set(key, now);
    return true;
  };
}

/** Longer than a signature of either platform is taken, in milliseconds. */
const SEEN_MS = 2 * 60 * 60_000;
const MOST_SEEN = 10_000;

const NOTHING = { freeze: 'nothing was frozen', unfreeze: 'nothing was lifted', freezes: 'nothing can be listed' } as const;
const OTHER_ROAD = 'Use the command line instead: countersign freeze --everything --reason TEXT (or --actor, --caller, --action).';

const sentence = (words: string): string => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;

async function done(deps: CommandDeps, command: Exclude<ChatCommand, { kind: 'help' | 'unclear' }>, person: Person): Promise<string> {
  const { tenant, freezes: world, spoken } = deps;
  switch (command.kind) {
    case 'freeze': {
      const placed = await placeFreeze(world, { tenant, person }, command.body);
      if (placed.kind === 'not_allowed') return `${sentence(NOTHING.freeze)} ${placed.text}`;
      const { id, scope, reason } = placed.freeze;
      return [
        `Frozen: ${scopeText(scope)}. Nothing of it opens, is approved or is redeemed until somebody else lifts it.`,
        `It holds ${requests(placed.holds)} that could have run.`,
        `Freeze: ${id}`,
        `Reason: ${shown(reason, 1_000)}`,
        `A second person lifts it: ${spoken}unfreeze ${id}`,
      ].join('\n');
    }
    case 'unfreeze': {
      const lifted = await liftFreeze(world, { tenant, person }, command.id, command.reason);
      if (lifted.kind === 'not_allowed') return `${sentence(NOTHING.unfreeze)} ${lifted.text}`;
      return `Lifted: ${scopeText(lifted.freeze.scope)}, which ${shown(lifted.freeze.placed_by.name, 60)} froze.\nFreeze: ${lifted.freeze.id}`;
    }
    case 'freezes':
      return listText(await world.freezes.list(tenant, { open: true, limit: MOST_LISTED }), world);
  }
}

/** How many freezes are read for one list. */
const MOST_LISTED = 200;
/** What one answer holds: the text of a section at Slack has 3,000 characters. */
const MOST_TEXT = 2_800;

function listText(found: readonly FreezeRecord[], { clock, publicUrl }: Pick<FlowDeps, 'clock' | 'publicUrl'>): string {
  const now = clock.now();
  const open = found.map((freeze) => freezeView(freeze, now)).filter(({ state }) => state === 'in_force');
  if (open.length === 0) return 'Nothing is frozen.';
  const lines: string[] = [];
  let room = MOST_TEXT;
  for (const freeze of open) {
    const line = lineOf(freeze);
    room -= line.length + 1;
    if (room < 0) break;
    lines.push(line);
  }
  const left = open.length - lines.length;
  if (left > 0) lines.push(`and ${count(left)} more: ${publicUrl}`);
  return lines.join('\n');
}

function lineOf({ id, scope, reason, placed_by, placed_at, expires_at }: FreezeView): string {
  const end = expires_at === null ? '' : `, until ${time(expires_at)}`;
  return `${id}: ${scopeText(scope)} (${shown(placed_by.name, 60)}, ${time(placed_at)}${end}): ${shown(reason, 150)}`;
}

const requests = (holds: number): string => (holds === 0 ? 'no request' : holds === 1 ? '1 request' : `${count(holds)} requests`);

function scopeText(scope: FreezeScope): string {
  if ('everything' in scope) return 'everything';
  const named = (['actor', 'caller', 'action'] as const).flatMap((member) => (scope[member] === undefined ? [] : [`${member} ${shown(scope[member], 128)}`]));
  return named.join(', ');
}

/** Text of somebody else in a line of ours: all that is in it can be seen, and no line of it looks like one of ours. */
function shown(text: string, limit: number): string {
  const visible = oneLine(makeVisible(text).text);
  return visible.length <= limit ? visible : `${cut(visible, limit)}…`;
}

function readFreeze(words: string): ChatCommand {
  const [what = '', rest] = split(words);
  const member = what.toLowerCase();
  if (member === 'everything') return { kind: 'freeze', body: { scope: { everything: true }, reason: reasonIn(rest) ?? NO_REASON } };
  if (member !== 'actor' && member !== 'caller' && member !== 'action') {
    return { kind: 'unclear', why: 'Say what to freeze: everything, actor ID, caller ID, or action PATTERN.' };
  }
  const [written = '', after] = split(rest);
  const named = written.replaceAll(/^[`"'“”„‘’]+|[`"'“”„‘’,;]+$/gu, '');
  if (named === '') return { kind: 'unclear', why: `Say which ${member} to freeze.` };
  // A freeze of what the eye does not see, or of a platform's mark, would hold nothing.
  if (/[<>\0]|\p{Cs}/u.test(named) || makeVisible(named).found.length > 0) {
    return { kind: 'unclear', why: `Write the ${member} letter by letter: it holds a mention, a link or characters that cannot be seen.` };
  }
  if (named.length > MOST_NAMED[member]) return { kind: 'unclear', why: `The ${member} may have ${String(MOST_NAMED[member])} characters.` };
  return { kind: 'freeze', body: { scope: { [member]: named }, reason: reasonIn(after) ?? NO_REASON } };
}

/** As the contract has it (contracts/src/freeze.ts). */
const MOST_NAMED = { actor: 320, caller: 256, action: 128 } as const;
const MOST_REASON = 2_000;

/** Nobody is asked for words before an emergency stop. */
const NO_REASON = 'No reason was given.';

function readUnfreeze(words: string): ChatCommand {
  const [written = '', rest] = split(words);
  const [id] = /fz_[0-9a-f-]{36}/.exec(written) ?? [];
  if (id === undefined) return { kind: 'unclear', why: 'Name the freeze: fz_…; "freezes" lists them.' };
  return { kind: 'unfreeze', id, reason: reasonIn(rest) };
}

/** The first word, and what follows it as it was written. */
function split(words: string): [string | undefined, string] {
  const [, first, rest = ''] = /^\s*(\S+)([^]*)$/u.exec(words) ?? [];
  return [first, rest];
}

function reasonIn(words: string): string | null {
  const plain = words.trim().replace(/^(?:because|reason:?|[-–—:,])(?:\s+|$)/i, '');
  // What PostgreSQL does not store.
  const storable = plain.replaceAll(/\p{Cs}|\0/gu, '\ufffd');
  return storable === '' ? null : cut(storable, MOST_REASON);
}

function helpText(spoken: string): string {
  return [
    `${spoken}freeze everything [reason]: nothing opens, is approved or is redeemed, until a second person lifts it`,
    `${spoken}freeze actor ID [reason]: whoever acts, or on whose behalf`,
    `${spoken}freeze caller ID [reason]: an API key, key_…`,
    `${spoken}freeze action PATTERN [reason]: * is any run of characters, iam.*`,
    `${spoken}unfreeze ID [reason]: lift a freeze that somebody else placed`,
    `${spoken}freezes: what is frozen`,
    `${spoken}help: these words`,
  ].join('\n');
}
