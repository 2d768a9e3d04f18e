import { compileCanonical } from '@countersign/core/policy';
import type { DirectoryNow } from '@countersign/core/ports';
import type { Store } from '@countersign/store';
import { type Check, fail, ok, warn } from './check.js';

/** A SCIM token is told of so long before it ends, in milliseconds: 30 days. */
const SOON_MS = 30 * 24 * 3_600_000;

/** Whether there is somebody for everything: who administers, who approves, who answers for agents; and SCIM tokens that end. */
export async function directoryChecks(
  { directory, policies, scim }: Pick<Store, 'directory' | 'policies' | 'scim'>,
  tenant: string,
  now: number,
): Promise<Check[]> {
  const seen = await directory.look(tenant, { all: true });
  const active = await policies.active(tenant);
  const canonical = active === null ? null : await policies.canonical(tenant, active.digest);
  const compiled = canonical === null ? null : compileCanonical(canonical);
  const tokens = await scim.tokens(tenant);
  return [
    administratorCheck(seen),
    ...(compiled?.ok === true ? [approverCheck(seen, compiled.bundle), ...namedPeopleCheck(seen, compiled.bundle)] : []),
    agentCheck(seen),
    ...tokens
      .filter(({ revoked_at, expires_at }) => revoked_at === null && expires_at !== null && Date.parse(expires_at) < now + SOON_MS)
      .map(({ name, expires_at }) =>
        warn('SCIM token', `"${name}" ends at ${expires_at}`, 'Make a new one (countersign scim-token create), give it to the client, and end this one.'),
      ),
  ];
}

function administratorCheck({ people }: DirectoryNow): Check {
  const name = 'administrators';
  const humans = new Set(people.filter((person) => person.active && person.roles.includes('administrator')).map(({ human }) => human));
  if (humans.size === 0) return fail(name, 'nobody is one', 'Give somebody the role administrator in the directory file.');
  if (humans.size === 1)
    return warn(name, 'there is one: nobody else looks at changes of the configuration', 'Make a second person an administrator; four eyes begin then.');
  return ok(name, `${humans.size}; changes of the configuration need two of them`);
}

function approverCheck({ people, groups }: DirectoryNow, bundle: { groups: string[]; expandGroups(groups: readonly string[]): string[] }): Check {
  const name = 'approvers';
  const active = new Set(people.filter((person) => person.active).map(({ id }) => id));
  const living = groups.filter(({ members }) => members.some((id) => active.has(id))).map((group) => group.name);
  const filled = new Set([...living, ...bundle.expandGroups(living)]);
  const empty = bundle.groups.filter((group) => !group.startsWith('role:') && !filled.has(group));
  return empty.length === 0
    ? ok(name, 'every group that policy names has somebody active in it')
    : warn(
        name,
        `nobody active is in ${empty.join(', ')}, which policy names`,
        'Mend the name in the policy or the directory: what needs that group can only expire.',
      );
}

/** Only where policy names somebody, by channel or on call. */
function namedPeopleCheck({ people }: DirectoryNow, bundle: { people: readonly string[] }): Check[] {
  if (bundle.people.length === 0) return [];
  const name = 'people whom policy names';
  const known = new Set(people.filter((person) => person.active).flatMap(({ email, aliases }) => [email, ...aliases].map((each) => each.toLowerCase())));
  const strangers = bundle.people.filter((person) => !known.has(person.toLowerCase()));
  return [
    strangers.length === 0
      ? ok(name, 'the directory has each of them')
      : warn(
          name,
          `nobody active has the address ${strangers.join(', ')}`,
          'Mend the address in the policy or the directory: cards for them go to the standing place.',
        ),
  ];
}

function agentCheck({ people, groups, agents }: DirectoryNow): Check {
  const name = 'agents';
  const active = new Set(people.filter((person) => person.active).map(({ id }) => id));
  const filled = new Set(groups.filter(({ members }) => members.some((id) => active.has(id))).map((group) => group.name));
  const orphans = agents.filter(
    (agent) => agent.active && !(agent.owner !== null && active.has(agent.owner)) && !(agent.owner_group !== null && filled.has(agent.owner_group)),
  );
  return orphans.length === 0
    ? ok(name, `${agents.filter((agent) => agent.active).length}, each with somebody who answers for it`)
    : warn(name, `nobody active answers for ${orphans.map(({ id }) => id).join(', ')}`, 'Name another owner, or say active: false.');
}
