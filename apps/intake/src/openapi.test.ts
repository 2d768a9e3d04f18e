import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiWorld, createApiWorld } from './testing/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
});
afterAll(() => world.close());

describe('openapi.json', () => {
  test('G3: is OpenAPI 3.1 by a validator that is not ours', async () => {
    const { status, json } = await world.call('GET', '/openapi.json');
    expect(status).toBe(200);
    const validator = new Validator();
    const result = await validator.validate(json);
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
    // Every reference leads somewhere; the validator resolves them, and throws for one that does not.
    expect(() => validator.resolveRefs()).not.toThrow();
  });
});
