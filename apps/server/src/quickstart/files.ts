import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The example files as shipped: beside the sources, also for the built server. */
const examples = fileURLToPath(new URL('../../src/quickstart/', import.meta.url));

/** Where a quickstart's policy and directory lie; written from the examples at the first start, the user's own from then on. */
export async function exampleFiles(home: string): Promise<{ policy: string; directory: string }> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const place = async (name: string): Promise<string> => {
    const target = path.join(home, name);
    if (!existsSync(target)) await copyFile(path.join(examples, name), target);
    return target;
  };
  return { policy: await place('policy.yaml'), directory: await place('directory.yaml') };
}

/** What `$COUNTERSIGN_HOME/quickstart.json` says; it holds secrets and is readable by its owner alone. */
export interface QuickstartFile {
  url: string;
  api_key: string;
  webhook_secret: string;
  people: Record<string, { token: string; sign_in_url: string }>;
}

export const quickstartFile = (home: string): string => path.join(home, 'quickstart.json');

/** The file of an earlier start; null when there is none or it cannot be used. */
export async function readQuickstart(home: string): Promise<QuickstartFile | null> {
  try {
    // Written by writeQuickstart alone; each secret in it is held against the store before it is used again.
    const parsed = JSON.parse(await readFile(quickstartFile(home), 'utf8')) as QuickstartFile;
    return typeof parsed.api_key === 'string' && typeof parsed.people === 'object' ? parsed : null;
  } catch {
    return null;
  }
}

/** Written beside and moved into place, so that a reader never sees half of it. */
export async function writeQuickstart(home: string, content: QuickstartFile): Promise<void> {
  const target = quickstartFile(home);
  const draft = `${target}.new`;
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, target);
}
