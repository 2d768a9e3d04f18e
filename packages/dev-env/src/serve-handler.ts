import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Serves what a bot mounts on a loopback port, as the service's HTTP server does. `handler` is asked for at each request, since a test may exchange its bot. */
export async function serveHandler(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    handler(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
