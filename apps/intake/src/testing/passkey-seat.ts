import { SoftAuthenticator } from '@countersign/dev-env/soft-authenticator';
import type { ApiWorld, Name, Reply } from './api-world.js';

/** A browser in which a person has just signed in. */
export interface Seat {
  /** As it stands: a step-up changes it. */
  cookie: string;
  call(method: string, path: string, body?: unknown): Promise<Reply>;
}

export async function seat(world: ApiWorld, name: Name): Promise<Seat> {
  const { cookie } = await world.signIn(name);
  const made: Seat = {
    cookie,
    async call(method, path, body) {
      const headers = { cookie: made.cookie, origin: world.url, 'sec-fetch-site': 'same-origin' };
      const reply = await world.call(method, path, { ...(body === undefined ? {} : { body }), headers });
      const set = reply.headers['set-cookie']?.split(';')[0];
      if (set !== undefined) made.cookie = set;
      return reply;
    },
  };
  return made;
}

/** Enrols an authenticator of the person; throws where it is refused. */
export async function enrol(world: ApiWorld, at: Seat, key = new SoftAuthenticator(world.url)): Promise<{ key: SoftAuthenticator; id: string }> {
  const options = await at.call('POST', '/v1/passkeys/challenges');
  const enrolled = await at.call('POST', '/v1/passkeys', { name: 'Laptop', response: key.register(options.json) });
  if (enrolled.status !== 201) throw new Error(`not enrolled: ${options.text} ${enrolled.text}`);
  return { key, id: enrolled.json.id };
}

export const codeOf = ({ status, json }: Reply): { status: number; code: string } => ({ status, code: json?.code });
