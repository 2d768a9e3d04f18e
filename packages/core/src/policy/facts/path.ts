import { z } from 'zod';
import { computed, inputPath, sorted, textsAt, Unreadable } from './inputs.js';
import { factKind } from './kinds.js';

const MAX_PATHS = 1_000;
const MAX_LENGTH = 4_096;

/** Folders that belong to the system, by the Filesystem Hierarchy Standard 3.0 and macOS. */
const SYSTEM =
  /^\/(?:bin|boot|dev|etc|lib\d*|libx?32|proc|root|run|sbin|sys|usr|var\/(?:lib|run|spool|log|cache)|System|Library|private\/(?:etc|var))(?:\/|$)|^\/$/;
/** Files that hold credentials, or that run at a later time. */
const SENSITIVE =
  /(?:^|\/)(?:\.ssh|\.aws|\.gnupg|\.kube|\.docker|\.azure|\.config\/gcloud|\.netrc|\.npmrc|\.pypirc|\.pgpass|\.git|\.env(?:\..*)?|\.bash(?:rc|_profile|_logout)|\.profile|\.zsh(?:rc|env|_profile)|authorized_keys|id_(?:rsa|ed25519|ecdsa|dsa)|shadow|sudoers(?:\.d)?|crontab|\.github\/workflows)(?:\/|$)/;

/** Where file paths lead: `facts.path`. */
export const path = factKind({
  options: z.strictObject({
    /** One path, or a list of them. */
    from: inputPath,
    /** The folder that relative paths begin in, and that `inside` speaks of. */
    root: z
      .string()
      .regex(/^\/(?:[^/\0]+\/?)*$/, 'root is an absolute path')
      .max(1024)
      .optional(),
  }),
  result: {
    members: {
      paths: { list: 'string' },
      absolute: 'bool',
      traversal: 'bool',
      inside: 'bool',
      system: 'bool',
      sensitive: 'bool',
      hidden: 'bool',
      names: { list: 'string' },
      extensions: { list: 'string' },
    },
  },
  paths: ({ from }) => [from],
  compute: ({ from, root }, read) =>
    computed(() => {
      const texts = textsAt(read, from, { count: MAX_PATHS, length: MAX_LENGTH }, 'the path');
      if (texts.length === 0) throw new Unreadable('there is no path in it');
      const base = root === undefined ? undefined : normalise(root).path;
      const all = texts.map((text) => normalise(check(text), base));
      const names = all.map(({ path }) => path.slice(path.lastIndexOf('/') + 1));
      return {
        value: {
          paths: sorted(all.map(({ path }) => path)),
          absolute: texts.some((text) => text.startsWith('/')),
          traversal: texts.some((text) => text.split('/').includes('..')),
          inside: base !== undefined && all.every(({ path }) => base === '/' || path.startsWith(`${base}/`)),
          // Case folds away on some file systems.
          system: all.some(({ path, climbs }) => climbs || SYSTEM.test(path) || SYSTEM.test(path.toLowerCase())),
          sensitive: all.some(({ path }) => SENSITIVE.test(path.toLowerCase())),
          hidden: all.some(({ path }) => path.split('/').some((part) => part.startsWith('.') && part !== '..' && part !== '.')),
          names: sorted(names),
          extensions: sorted(names.flatMap((name) => /.(\.[^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? [])),
        },
      };
    }),
});

/** Refuses what some programs read as another path. */
function check(text: string): string {
  if (text === '') throw new Unreadable('the path is empty');
  if (/[\u0000-\u001f\u007f\\]/.test(text)) throw new Unreadable('the path has backslashes or control characters, which programs treat differently');
  if (/^~|^[a-z][a-z0-9+.-]*:|^file:|%(?:2e|2f|5c|00)|\$[{(A-Za-z_]/i.test(text)) throw new Unreadable('the path has parts that some programs replace');
  // U+FF0E and the like become dots and slashes where names are normalised.
  const folded = text.normalize('NFKC');
  if (
    folded.split('/').length !== text.split('/').length ||
    folded.split('/').filter((part) => part === '..').length !== text.split('/').filter((part) => part === '..').length
  )
    throw new Unreadable('the path has characters that become dots or slashes');
  if (text.split('/').some((part) => /^\.{3,}$|^\s|\s$/.test(part) || (part.endsWith('.') && part !== '.' && part !== '..')))
    throw new Unreadable('a part of the path ends in dots or blanks, which some systems drop');
  return text;
}

/** Without `.`, `..` and empty parts. `climbs`: a relative path leaves the folder that it begins in. */
function normalise(text: string, base?: string): { path: string; climbs: boolean } {
  const absolute = text.startsWith('/');
  const parts: string[] = !absolute && base !== undefined ? base.split('/').filter((part) => part !== '') : [];
  const start = parts.length;
  const rooted = absolute || base !== undefined;
  let lowest = start;
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!rooted) parts.push(part);
    lowest = Math.min(lowest, parts.length);
  }
  const joined = parts.join('/');
  return { path: rooted ? `/${joined}` : joined === '' ? '.' : joined, climbs: !absolute && (base === undefined ? parts[0] === '..' : lowest < start) };
}
