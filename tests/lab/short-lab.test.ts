import { describe, expect, jest, test } from '@jest/globals';
import { needs } from '@countersign/dev-env/needs';
import { runLab } from './lab.js';

/* The crash lab, short: what `npm run lab` does for as long as one likes. A failure names its seed; which fault meets what is up to the machine. */

jest.setTimeout(240_000);

const redisPath = needs('redis-server', 'I1–I12, I16: the crash lab with Redis, killed and flushed');

const lab = (redis: string | undefined, seed: number) => runLab({ seed, seconds: 8, requests: 48, connections: 6, redisPath: redis, say: () => {} });

describe('every invariant holds after kills, stops and hostile receivers', () => {
  (redisPath === undefined ? test.skip : test)('I1–I12, I16, I17: with the queue on Redis', async () => {
    const { violations, counts, faults } = await lab(redisPath, 11);
    expect(violations).toEqual([]);
    // It was about something.
    expect(counts['acknowledged']).toBe(48);
    expect(counts['deliveries delivered']).toBeGreaterThan(24);
    expect(faults).toMatchObject({ 'Redis FLUSHALL': expect.any(Number), 'Redis killed': expect.any(Number) });
    expect(Object.keys(faults).filter((name) => /^SIGKILL|^killed|^PostgreSQL/.test(name)).length).toBeGreaterThan(1);
  });
});
