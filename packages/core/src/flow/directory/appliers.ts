import type { JsonObject } from '@countersign/contracts';
import type { ScimStore, ScimTokenRecord } from '../../ports.js';
import { base64url, fromBase64url } from '../../request/index.js';
import type { ApprovedChange, Appliers } from '../config-change.js';
import { loneLeaf } from '../lone-leaf.js';
import { type AdministrationRefusal, type AgentBody, changePerson, type PersonChange, saveAgent } from './administration.js';
import type { RecordWorld } from './record.js';
import type { DirectoryWorld } from './scim-users.js';

/** How changes of the directory that a second person has approved are put into effect. Each may be repeated: it says what shall be. */
export function directoryAppliers(world: DirectoryWorld & { scim: Pick<ScimStore, 'insertToken'> }): Appliers {
  const done = (outcome: { kind: 'changed' } | AdministrationRefusal) =>
    outcome.kind === 'changed' ? ({ kind: 'applied' } as const) : ({ kind: 'failed', detail: refusalText(outcome) } as const);
  return {
    // Payloads are sealed by those who propose, and authenticated with their place: their shape is ours.
    'person.change': async ({ tenant, payload, proposed_by }) => {
      const { id, change } = payload as { id: string; change: JsonObject & PersonChange };
      return done(await changePerson(world, tenant, proposed_by.id, id, change));
    },
    'agent.save': async ({ tenant, payload, proposed_by }) => {
      const { id, agent } = payload as { id: string; agent: AgentBody & JsonObject };
      return done(await saveAgent(world, tenant, proposed_by.id, id, agent));
    },
    'scim_token.create': async (change) => {
      await insertScimToken(world, scimTokenOf(change));
      return { kind: 'applied' };
    },
  };
}

/** Why a change of the directory is not made, in a sentence. */
export function refusalText(refusal: AdministrationRefusal): string {
  switch (refusal.kind) {
    case 'unknown':
      return 'There is nobody and nothing of this id.';
    case 'owned':
      return `The directory's ${refusal.source} says ${refusal.what}: change it there.`;
    case 'last_administrator':
      return 'Nobody would be left who administers. Make somebody else an administrator first.';
    case 'no_owner':
      return `There is no such ${refusal.what}.`;
  }
}

/** Keeps a SCIM client's token, with its leaf. */
export async function insertScimToken(world: RecordWorld & { scim: Pick<ScimStore, 'insertToken'> }, token: ScimTokenRecord): Promise<void> {
  const { tenant, id, name, created_by, expires_at } = token;
  const at = world.clock.now();
  const leaf = await loneLeaf(world, {
    tenant,
    event: 'scim_token.created',
    subject: `scim_token:${id}`,
    at,
    facts: { expires_at },
    details: { name, by: created_by },
  });
  await world.scim.insertToken(token, leaf);
}

/** Ends a token at once. False where it is unknown or over. */
export async function revokeScimToken(world: RecordWorld & { scim: Pick<ScimStore, 'revokeToken'> }, tenant: string, id: string, by: string): Promise<boolean> {
  const at = world.clock.now();
  return world.scim.revokeToken(
    tenant,
    id,
    await loneLeaf(world, { tenant, event: 'scim_token.revoked', subject: `scim_token:${id}`, at, facts: {}, details: { by } }),
  );
}

/** A token as the payload of a change: its hash as text. */
export function scimTokenPayload({ hash, ...token }: ScimTokenRecord): JsonObject {
  return { ...token, hash: base64url(hash) };
}

function scimTokenOf({ payload, tenant }: ApprovedChange): ScimTokenRecord {
  const { hash, ...token } = payload as Omit<ScimTokenRecord, 'hash'> & { hash: string };
  return { ...token, tenant, hash: fromBase64url(hash) };
}
