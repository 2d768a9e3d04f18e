import { randomBytes } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { formatInstant } from '@countersign/core/request';
import { ANY_RIGHTS, createKey, makePersonalToken } from '@countersign/identity';
import { EnvelopeSealer, parseMasterKeyring } from '@countersign/keys';
import { openStore } from '@countersign/store';
import { root } from './running-server.js';

/** The example policy and directory, to be copied and changed. */
export const exampleFiles = path.join(root, 'apps', 'server', 'src', 'quickstart');

export const newMasterKey = (): string => `k1:${randomBytes(32).toString('base64')}`;

/** What an installation of its own names, in copies of its own: people, policy, loopback. */
export function ownFiles(folder: string): Record<string, string> {
  for (const name of ['policy.yaml', 'directory.yaml']) copyFileSync(path.join(exampleFiles, name), path.join(folder, name));
  return { HOST: '127.0.0.1', COUNTERSIGN_POLICY: path.join(folder, 'policy.yaml'), COUNTERSIGN_DIRECTORY: path.join(folder, 'directory.yaml') };
}

/** What callers and people of an installation hold; a quickstart makes it by itself. */
export interface Credentials {
  apiKey: string;
  webhookSecret: string;
  /** Personal tokens by first name. */
  tokens: Record<'dana' | 'alice' | 'bob' | 'carol' | 'olivia', string>;
}

/** Makes an API key of Dana's and a token for everybody, in the database of an installation that has started once. */
export async function makeCredentials(databaseUrl: string, masterKey: string): Promise<Credentials> {
  const store = openStore({ url: databaseUrl, connections: 2 });
  try {
    const world = {
      clock: { now: () => formatInstant(Date.now()) },
      entropy: { bytes: (length: number) => new Uint8Array(randomBytes(length)) },
      sealer: new EnvelopeSealer(parseMasterKeyring(masterKey)),
    };
    const people = await store.directory.list('default');
    const idOf = (name: string): string => {
      const person = people.find(({ email }) => email === `${name}@example.com`);
      if (person === undefined) throw new Error(`the directory has no ${name}`);
      return person.id;
    };
    const who = { tenant: 'default', by: 'test', via: 'cli' } as const;
    const wanted = { name: 'pipeline', owner: idOf('dana'), rights: ANY_RIGHTS, networks: [] };
    const made = await createKey({ ...world, callers: store.callers, directory: store.directory }, who, wanted);
    if (made.kind === 'invalid' || made.key === null) throw new Error('the API key could not be made');
    const token = async (name: string): Promise<string> => {
      const personal = makePersonalToken(world, {
        tenant: 'default',
        person_id: idOf(name),
        name: 'test',
        scopes: ['read', 'decide'],
        life_seconds: 3600,
        stepped_up_at: world.clock.now(),
      });
      await store.credentials.insertPersonalToken(personal.record);
      return personal.token;
    };
    return {
      apiKey: made.key,
      webhookSecret: made.webhook_secret,
      tokens: { dana: await token('dana'), alice: await token('alice'), bob: await token('bob'), carol: await token('carol'), olivia: await token('olivia') },
    };
  } finally {
    await store.close();
  }
}
