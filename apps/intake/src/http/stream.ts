import { once } from 'node:events';
import { requestContext } from '@countersign/service';
import type { Request, Response } from 'express';
import type { EventSink } from './route.js';

/** Writes server-sent events (WHATWG HTML, section 9.2) until the work ends, the client goes or the service stops. */
export async function streamTo(work: (out: EventSink) => Promise<void>, request: Request, response: Response): Promise<void> {
  const { signal } = requestContext(request);
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    // Proxies of the nginx family would hold events back.
    'X-Accel-Buffering': 'no',
  });
  if (request.method === 'HEAD') return void response.end();
  response.write('retry: 3000\n\n');
  try {
    await work({
      signal,
      async send(event, data) {
        if (signal.aborted || response.destroyed) return;
        // A slow reader is waited for, so that nothing piles up in memory; when it goes, the signal ends the wait.
        if (!response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)) await once(response, 'drain', { signal }).catch(() => undefined);
      },
    });
  } finally {
    response.end();
  }
}
