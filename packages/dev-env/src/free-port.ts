import { createServer } from 'node:net';

/**
 * Below the ports that systems give out by themselves (from 32768 on Linux, from 49152 elsewhere), so that nobody's outgoing connection or
 * `listen(0)` takes a port between the look at it and its use; and in slices, so that no other suite of the run takes it either.
 */
const FIRST = 20_000;
const SLICE = 1_500;
const SLICES = 8;
const first = FIRST + (Number(process.env['JEST_WORKER_ID'] ?? 0) % SLICES) * SLICE;
let next = Math.floor(Math.random() * SLICE);

/** A TCP port of the loopback interface that was free a moment ago. This process is not given the same one soon again. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < SLICE; tries++) {
    const port = first + next;
    next = (next + 1) % SLICE;
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${first} on is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
