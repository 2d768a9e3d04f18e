import { ANY_RIGHTS, createKey, hashOf, makePersonalToken, makeSignInLink, openWebhookSecret } from '@countersign/identity';
import type { CallerStore, Clock, CredentialStore, DirectoryStore, Entropy, Person, Sealer } from '@countersign/core/ports';
import { type QuickstartFile, readQuickstart, writeQuickstart } from './files.js';

export interface SeedWorld {
  home: string;
  tenant: string;
  publicUrl: string;
  clock: Clock;
  entropy: Entropy;
  sealer: Sealer;
  credentials: CredentialStore;
  callers: CallerStore;
  directory: Pick<DirectoryStore, 'list' | 'people'>;
}

/** The person who owns the example agent and the example API key. */
const KEY_OWNER = 'dana@example.com';

/**
 * Gives the example people what they sign in with: the API key and the personal tokens of an earlier start as long as the
 * store knows them, and sign-in links that are new at each start.
 */
export async function seedQuickstart(world: SeedWorld): Promise<QuickstartFile> {
  const earlier = await readQuickstart(world.home);
  const people = (await world.directory.list(world.tenant)).filter((person) => person.active);
  const key = await apiKey(world, earlier, people);
  await world.credentials.voidSignInLinks(world.tenant);
  const entries: QuickstartFile['people'] = {};
  for (const person of people) {
    entries[person.email] = {
      token: await personalToken(world, earlier?.people[person.email]?.token, person),
      sign_in_url: await makeSignInLink(world, { tenant: world.tenant, person_id: person.id }),
    };
  }
  const content: QuickstartFile = { url: world.publicUrl, ...key, people: entries };
  await writeQuickstart(world.home, content);
  return content;
}

async function apiKey(
  world: SeedWorld,
  earlier: QuickstartFile | null,
  people: readonly Person[],
): Promise<Pick<QuickstartFile, 'api_key' | 'webhook_secret'>> {
  const kept = earlier === null ? null : await world.credentials.apiKeyByHash(hashOf(earlier.api_key));
  if (earlier !== null && kept !== null && kept.tenant === world.tenant && kept.revoked_at === null) {
    return { api_key: earlier.api_key, webhook_secret: await openWebhookSecret(world.sealer, kept) };
  }
  const owner = people.find((person) => person.email === KEY_OWNER) ?? people[0];
  if (owner === undefined) throw new Error('The example directory names nobody; give it people and start again.');
  const who = { tenant: world.tenant, by: 'quickstart', via: 'cli' } as const;
  const made = await createKey(world, who, { name: 'quickstart (any actor)', owner: owner.id, rights: ANY_RIGHTS, networks: [] });
  if (made.kind === 'invalid' || made.key === null) throw new Error('The example API key could not be made.');
  return { api_key: made.key, webhook_secret: made.webhook_secret };
}

async function personalToken(world: SeedWorld, earlier: string | undefined, person: Person): Promise<string> {
  const kept = earlier === undefined ? null : await world.credentials.personalTokenByHash(hashOf(earlier));
  if (earlier !== undefined && kept !== null && kept.person_id === person.id && kept.revoked_at === null) return earlier;
  const administers = person.roles.includes('administrator');
  const made = makePersonalToken(world, {
    tenant: world.tenant,
    person_id: person.id,
    name: 'quickstart',
    // A quickstart's people have nothing else to prove themselves with; the banner says that it is no boundary.
    stepped_up_at: world.clock.now(),
    scopes: administers ? ['read', 'decide', 'admin'] : ['read', 'decide'],
    life_seconds: null,
  });
  await world.credentials.insertPersonalToken(made.record);
  return made.token;
}
