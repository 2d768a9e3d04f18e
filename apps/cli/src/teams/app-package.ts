import { readFile } from 'node:fs/promises';
import { strFromU8, strToU8, unzipSync, zipSync, type Zippable } from 'fflate';
import { CliError } from '../cli-error.js';
import { germanWords, type PackageFor, teamsManifest } from './manifest.js';

/** The drawings, and in SVG what they were drawn from; beside the sources and what is built of them. */
const ICONS = new URL('../../assets/teams/', import.meta.url);
/** Long ago, by every clock: the same package is the same bytes. ZIP knows no time before 1980, and takes that of the place. */
const MODIFIED = new Date(1980, 0, 1);

/** The package that Teams takes: manifest, words and icons at its top, and nothing else. */
export async function teamsPackage(what: PackageFor): Promise<Uint8Array> {
  const [color, outline] = await Promise.all(['color.png', 'outline.png'].map((name) => readFile(new URL(name, ICONS))));
  if (color === undefined || outline === undefined) throw new CliError('unusable', 'The icons are not there.');
  const json = (value: object): Uint8Array => strToU8(`${JSON.stringify(value, null, 2)}\n`);
  const files: Zippable = {
    'manifest.json': json(teamsManifest(what)),
    'de.json': json(germanWords()),
    // PNG is compressed already.
    'color.png': [new Uint8Array(color), { level: 0 }],
    'outline.png': [new Uint8Array(outline), { level: 0 }],
  };
  return zipSync(files, { level: 9, mtime: MODIFIED });
}

/** The manifest of a package; null where it is none. */
export function manifestIn(zip: Uint8Array): Record<string, unknown> | null {
  try {
    const { 'manifest.json': manifest } = unzipSync(zip, { filter: ({ name, originalSize }) => name === 'manifest.json' && originalSize < 1_000_000 });
    const read: unknown = manifest === undefined ? null : JSON.parse(strFromU8(manifest));
    // A JSON object's members are what they are.
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? (read as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
