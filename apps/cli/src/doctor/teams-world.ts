import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '@countersign/service';
import { openStore } from '@countersign/store';
import { messageOf } from '../cli-error.js';
import { findDatabase } from '../home.js';
import { manifestIn } from '../teams/app-package.js';
import { PACKAGE_VERSION, teamsManifest } from '../teams/manifest.js';
import type { Terminal } from '../terminal.js';
import { type Check, fail, ok, warn } from './check.js';

const TENANT = 'default';

/** What the service has learned: the conversations that the bot is in, and whose accounts are whose. */
export async function teamsWorldChecks(config: Config, terminal: Terminal): Promise<Check[]> {
  const name = 'Teams places';
  try {
    const database = await findDatabase(terminal, {
      home: config.home,
      databaseUrl: config.database.kind === 'external' ? config.database.url.reveal() : undefined,
    });
    if (database === null) return [warn(name, `the database of ${config.home} does not run, so they are not known`, 'Start Countersign, then run this again.')];
    const store = openStore({ url: database.url, connections: 1 });
    try {
      return [await placesCheck(store), await accountsCheck(store)];
    } finally {
      await store.close();
    }
  } catch (error) {
    return [fail(name, messageOf(error), 'Check DATABASE_URL, and that the migrations of this release were run.')];
  }
}

async function placesCheck({ chatPlaces }: Pick<ReturnType<typeof openStore>, 'chatPlaces'>): Promise<Check> {
  const name = 'Teams places';
  const known = (await chatPlaces.list(TENANT, { limit: 1000 })).filter(({ platform }) => platform === 'teams');
  const there = known.filter(({ reference }) => reference['removed'] !== true);
  const shared = there.filter(({ kind }) => kind !== 'personal');
  const allowed = shared.filter((place) => place.allowed);
  const gone = known.filter(({ reference, allowed: was }) => was && reference['removed'] === true);
  const says = `${count(shared.length, 'group or channel', 'groups and channels')}, ${String(allowed.length)} of them allowed, and ${count(there.length - shared.length, 'personal chat', 'personal chats')}`;
  if (there.length === 0)
    return warn(
      name,
      'the bot was never heard of',
      'Upload the package (countersign teams package), add the app in Teams and write to it once (docs/teams.md).',
    );
  if (gone.length > 0) return warn(name, `${says}; removed from ${gone.map(nameOf).join(', ')}`, 'Add the app there again, or countersign teams disallow it.');
  if (allowed.length === 0 && there.length === shared.length)
    return warn(name, says, `Nobody sees a card: countersign teams allow ${nameOf(shared[0])}, or let approvers add the app for themselves.`);
  return ok(name, says);
}

async function accountsCheck({ chatLinks }: Pick<ReturnType<typeof openStore>, 'chatLinks'>): Promise<Check> {
  const linked = (await chatLinks.links(TENANT, null)).filter(({ platform }) => platform === 'teams');
  const people = new Set(linked.map(({ person_id }) => person_id)).size;
  return people === 0
    ? warn(
        'Teams accounts',
        'nobody has linked one, so nobody can decide there',
        'Write to the bot in a personal chat: it answers with a link (docs/teams.md).',
      )
    : ok('Teams accounts', `${count(people, 'person has', 'people have')} one`);
}

/** Whether a package is what would be made now; nothing where there is none and none was named. */
export async function packageCheck({ teams, http }: Config, terminal: Terminal, named: string | undefined): Promise<Check[]> {
  const name = 'Teams package';
  const file = path.resolve(terminal.cwd, named ?? 'countersign-teams.zip');
  const bytes = await readFile(file).catch(() => null);
  if (bytes === null) return named === undefined ? [] : [fail(name, `${file} cannot be read`, 'Make it: countersign teams package.')];
  const manifest = manifestIn(bytes);
  if (manifest === null) return [fail(name, `${file} is no package`, 'Make it anew: countersign teams package.')];
  const wanted = teamsManifest({ appId: teams?.appId?.toLowerCase() ?? '', publicUrl: http.publicUrl });
  const differs = Object.keys({ ...wanted, ...manifest }).filter(
    (member) => member !== 'developer' && JSON.stringify(manifest[member]) !== JSON.stringify(wanted[member]),
  );
  return [
    differs.length === 0
      ? ok(name, `${file} is what would be made now (${PACKAGE_VERSION})`)
      : warn(name, `${file} is older or for another bot: ${differs.join(', ')} differ`, 'Make it anew with countersign teams package, and upload it again.'),
  ];
}

const nameOf = (place: { id: string; name: string | null } | undefined): string => place?.name ?? place?.id ?? '';
const count = (number: number, one: string, many: string): string => `${String(number)} ${number === 1 ? one : many}`;
