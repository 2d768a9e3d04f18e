import type { JsonObject } from '../wire/json.js';
import { jsonAnswer, type WireAnswer } from '../wire/wire-server.js';
import type { Tenancy } from './tenancy.js';

/** The part of Microsoft Graph that tells of a person's presence: GET /v1.0/users/{id}/presence, of an app that may read it. */
const PRESENCE = /^\/v1\.0\/users\/([^/]+)\/presence$/;

export const isGraph = (path: string): boolean => PRESENCE.test(path);

export function answerGraph(tenancy: Tenancy, presences: ReadonlyMap<string, JsonObject>, path: string): WireAnswer {
  const id = decodeURIComponent(PRESENCE.exec(path)?.[1] ?? '');
  const person = [...tenancy.people.values()].find(({ aadObjectId }) => aadObjectId === id);
  if (person === undefined) return jsonAnswer(404, { error: { code: 'NotFound', message: 'The user does not exist.' } });
  const presence = presences.get(person.key) ?? {
    availability: 'Available',
    activity: 'Available',
    outOfOfficeSettings: { message: null, isOutOfOffice: false },
  };
  return jsonAnswer(200, { '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#users/presence/$entity', id, ...presence });
}
