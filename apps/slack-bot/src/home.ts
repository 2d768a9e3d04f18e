import { type ChatWorld, count, cut, FAULT_TEXT, type Home, homeOf, type LinkMode, oneLine, personOf, type PressDeps, time } from '@countersign/chat';
import type { Person } from '@countersign/core/ports';
import type { App, types } from '@slack/bolt';
import { actOf, button, linkTo, menuOf, OPEN_WHOLE } from './buttons.js';
import { linkButton, wordBlocks } from './private-words.js';
import type { Presser } from './pressed.js';
import { type Block, bold, divider, header, line, note, richText, run } from './rich-text.js';
import type { SlackCalls } from './slack-calls.js';
import type { SlackWorkspace } from './workspace.js';

export interface HomeDeps {
  world: ChatWorld;
  press: PressDeps;
  linkMode: LinkMode;
  call: SlackCalls;
  workspace: SlackWorkspace;
}

/** How many people's homes are remembered as looked at. */
const MOST_LOOKING = 2_000;

/** The app's home: what waits for one person, what they decided, who stands in. Drawn when it is opened, and after each press of theirs. */
export function listenForHome(
  app: App,
  deps: HomeDeps,
): {
  changedFor(presser: Presser): void;
  blocksOf(person: Person): Promise<Block[]>;
} {
  const { world, call } = deps;
  /** Who looked at it, in the order of looking. */
  const looking = new Map<string, Presser>();

  app.event('app_home_opened', async ({ event, body, context }) => {
    if (event.tab !== 'home') return;
    const presser = { user: event.user, teamId: context.teamId ?? body.team_id ?? null, enterpriseId: context.enterpriseId ?? null };
    looking.delete(presser.user);
    looking.set(presser.user, presser);
    for (const oldest of looking.keys()) {
      if (looking.size <= MOST_LOOKING) break;
      looking.delete(oldest);
    }
    if (event.view === undefined) await publish(presser.user, [richText(line(run('Loading…')))]).catch(() => {});
    await draw(presser);
  });

  async function draw(presser: Presser): Promise<void> {
    try {
      await publish(presser.user, await blocksFor(presser));
    } catch (error) {
      world.log.warn({ err: error, user: presser.user }, 'the app’s home could not be drawn');
      await publish(presser.user, wordBlocks(FAULT_TEXT)).catch(() => {});
    }
  }

  async function blocksFor(presser: Presser): Promise<Block[]> {
    const account = await deps.workspace.account(presser.user, presser);
    const found = await personOf(deps.press, { tenant: world.tenant, platform: 'slack', mode: deps.linkMode }, account);
    if (found.kind === 'refused') return [...wordBlocks(found.text), ...(found.link === undefined ? [] : [linkButton(found.link.label, found.link.url)])];
    return blocksOf(found.person);
  }

  async function blocksOf(person: Person): Promise<Block[]> {
    return homeBlocks(await homeOf(world, person), { publicUrl: world.publicUrl, notice: world.notice, now: world.flow.clock.now() });
  }

  async function publish(user_id: string, blocks: Block[]): Promise<void> {
    await call((client) => client.views.publish({ user_id, view: { type: 'home', blocks } }));
  }

  return {
    blocksOf,
    changedFor(presser) {
      const seen = looking.get(presser.user);
      if (seen !== undefined) void draw(seen);
    },
  };
}

/** Slack takes 100 blocks in a home, and 250 KB. */
const MOST_BLOCKS = 100;
const MOST_HEADLINE = 300;

/** A person's home. All of it fits, whatever it holds: what is left out is counted. */
export function homeBlocks(home: Home, { publicUrl, notice, now }: { publicUrl: string; notice: string | null; now: string }): Block[] {
  const total = home.waiting.length + home.more;
  const title = total === 0 ? 'Nothing waits for you' : total === 1 ? '1 request waits for you' : `${count(total)} requests wait for you`;
  const parts: { head: Block[]; rows: Block[][]; more?: number }[] = [
    {
      head: [header(title), ...(notice === null ? [] : [note(cut(notice, 500))]), ...togetherButton(home)],
      rows: home.waiting.map(waitingRow),
      more: home.more,
    },
    { head: titled('Questions to you'), rows: home.questions.map(questionRow) },
    { head: titled('Emergencies that you may review'), rows: home.reviews.map(reviewRow) },
    { head: titled('Away'), rows: absenceRows(home) },
    { head: titled('What you decided lately'), rows: home.decided.map(decidedRow) },
  ];
  const foot: Block[] = [
    note(`As of ${time(now)}. Type /countersign help for commands.`),
    { type: 'actions', elements: [linkTo('Open the web inbox', publicUrl)] },
  ];
  const blocks: Block[] = [];
  let left = MOST_BLOCKS - foot.length;
  for (const [index, { head, rows, more = 0 }] of parts.entries()) {
    if (rows.length === 0 && index > 0) continue;
    // Room for its head and for the word of what does not fit.
    let room = Math.min(left, SHARES[index] ?? left) - head.length - 1;
    if (room < 0) break;
    const shown: Block[][] = [];
    for (const row of rows) {
      if (row.length > room) break;
      room -= row.length;
      shown.push(row);
    }
    const rest = rows.length - shown.length + more;
    const part = [...head, ...shown.flat(), ...(rest === 0 ? [] : [note(`and ${count(rest)} more, in the web inbox`)])];
    left -= part.length;
    blocks.push(...part);
  }
  return [...blocks, ...foot];
}

/** No list takes the room of all others: as many blocks as each may have. */
const SHARES = [60, 12, 12, 8, 14];

const titled = (text: string): Block[] => [divider, header(text)];

const words = (text: string, limit = MOST_HEADLINE): string => {
  const flat = oneLine(text);
  return flat.length <= limit ? flat : `${cut(flat, limit)}…`;
};

/** Instants of ours, in the reader's own time zone. */
const at = (instant: string): types.RichTextDate => ({
  type: 'date',
  timestamp: Math.floor(Date.parse(instant) / 1_000),
  format: '{date_short_pretty} at {time}',
  fallback: time(instant),
});

function waitingRow(request: Home['waiting'][number]): Block[] {
  const { request_id, request_digest, headline, url, expires_at, waiting_for, stead, demands, actions } = request;
  const value = { request_id, request_digest };
  const facts = [
    ...(waiting_for === null ? [] : [`needed: ${words(waiting_for, 200)}`]),
    ...(stead === null ? [] : [`in the stead of ${words(stead, 100)}`]),
    ...(demands ? ['approving asks for more than a press'] : []),
  ];
  return [
    richText(line(bold(words(headline)), run('\nDecide before '), at(expires_at), ...(facts.length === 0 ? [] : [run(`; ${facts.join('; ')}`)]))),
    menuOf(value, [button('Open', OPEN_WHOLE, value, 'primary'), linkTo('Open in browser', url)], actions),
  ];
}

/** Policy lets some be decided together: each is still ticked by itself. */
function togetherButton({ waiting }: Home): Block[] {
  const together = waiting.filter(({ bulk }) => bulk);
  const [first] = together;
  if (first === undefined || together.length < 2) return [];
  const subject = together.map(({ request_id }) => request_id).join(',');
  const { request_id, request_digest } = first;
  return [{ type: 'actions', elements: [button(`Decide ${count(together.length)} together`, actOf('bulk'), { request_id, request_digest, subject })] }];
}

function questionRow({ question_id, request_id, request_digest, headline, url, name, text }: Home['questions'][number]): Block[] {
  const value = { request_id, request_digest, subject: question_id };
  return [
    richText(line(bold(`${words(name, 100)} asks: `), run(words(text, 500)), run(`\n${words(headline)}`))),
    { type: 'actions', elements: [button('Answer the question', actOf('answer'), value, 'primary'), linkTo('Open in browser', url)] },
  ];
}

function reviewRow({ review_id, request_id, request_digest, headline, url, due_at }: Home['reviews'][number]): Block[] {
  const value = { request_id, request_digest };
  return [
    richText(line(bold(words(headline)), run('\nReview before '), at(due_at))),
    {
      type: 'actions',
      elements: [
        button('Review', actOf('review'), { ...value, subject: review_id }, 'primary'),
        button('Show everything', OPEN_WHOLE, value),
        linkTo('Open in browser', url),
      ],
    },
  ];
}

function absenceRows({ away, standing_in }: Home): Block[][] {
  const reason = (given: string | null) => (given === null ? '' : `: ${words(given, 200)}`);
  const from = (one: Home['away'][number]) => (one.state === 'to_come' ? [run(' from '), at(one.from)] : []);
  return [
    ...away.map((one) => [
      richText(
        line(
          bold(words(one.name, 100)),
          run(' stands in for you'),
          ...from(one),
          run(' until '),
          at(one.until),
          run(`${reason(one.reason)}. To end it: /countersign back`),
        ),
      ),
    ]),
    ...standing_in.map((one) => [
      richText(line(run('You stand in for '), bold(words(one.name, 100)), ...from(one), run(' until '), at(one.until), run(`${reason(one.reason)}.`))),
    ]),
  ];
}

function decidedRow({ headline, url, verdict, decided_at, status }: Home['decided'][number]): Block[] {
  const verb = verdict === 'approve' ? 'You approved' : 'You denied';
  return [richText(line(bold(verb), run(` (`), at(decided_at), run(`, it is ${status}): ${words(headline)} `), { type: 'link', url, text: 'Open' }))];
}
