/** How large a bundle may be. Far above what people write; low enough that a hostile file ends at once. */
export const MAX_FILES = 200;
/** UTF-16 units, all files together. */
export const MAX_BUNDLE_LENGTH = 2 * 1024 * 1024;
export const MAX_DEPTH = 24;
/** Tokens of one file, spaces included; a catalogue of 10,000 entries has 340,000 to 460,000. */
export const MAX_TOKENS = 480_000;
export const MAX_RULES = 2_000;
/** As many windows, too. */
export const MAX_LETS = 2_000;
export const MAX_CATALOGUE_ENTRIES = 10_000;
/** Of one action. */
export const MAX_PARAMETERS = 500;
export const MAX_TESTS = 5_000;
/** Bundles in force together. */
export const MAX_BUNDLES = 50;
/** Of these nobody looks for more: which of so many are told does not matter. */
export const MAX_FOUND = 1_000;
/** Members at the top of a file; the language has ten. */
export const MAX_TOP = 1_000;
/** More problems than these help nobody. */
export const MAX_PROBLEMS = 100;

/** Why a key can stand nowhere; undefined for every other key. */
export function unfitKey(key: string): string | undefined {
  if (key === '__proto__' || key === 'constructor' || key === 'prototype') return `the key "${key}" is refused everywhere`;
  return key.length > 256 ? 'a key is longer than 256 characters' : undefined;
}
