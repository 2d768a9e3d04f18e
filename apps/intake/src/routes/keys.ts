import { rotatedKeySchema, rotateKeyBodySchema } from '@countersign/contracts';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { trouble } from '../problems.js';
import { administers } from '../visibility.js';

/** The signing keys, as administrators change them. */
export function keyRoutes({ rotateKey }: IntakeDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/keys/rotate',
      name: 'rotateKey',
      tag: 'Service',
      summary: 'Retire the key that signs and make its successor. Old public keys stay published',
      who: 'person',
      changes: true,
      body: rotateKeyBodySchema,
      answers: { 200: { description: 'Rotated. Of rotations at once one happens, and all are told of it', schema: rotatedKeySchema } },
      problems: ['forbidden'],
      async handle({ reader, body: { purpose } }) {
        if (!administers(reader)) return trouble('forbidden', 'Keys are rotated by administrators, by a session or a personal token with the scope "admin".');
        return { status: 200, json: await rotateKey(purpose, { tenant: reader.tenant, by: reader.person.id }) };
      },
    }),
  ];
}
