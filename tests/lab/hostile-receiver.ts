import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Attempt } from '../support/callback-receiver.js';

export const MOODS = ['takes', 'fails', 'hangs', 'resets', 'garbage', 'drips', 'moves'] as const;
export type Mood = (typeof MOODS)[number];

/** A caller's side that writes down every attempt, whole, before it answers as its mood says. */
export interface HostileReceiver {
  url: string;
  /** `problem`: what the judge said of it as it came. */
  received: (Attempt & { mood: Mood; problem: string | null })[];
  mood(next: Mood): void;
  close(): Promise<void>;
}

export async function startHostileReceiver(judge: (attempt: Attempt) => string | null): Promise<HostileReceiver> {
  const received: HostileReceiver['received'] = [];
  let mood: Mood = 'takes';
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const attempt: Attempt = { path: request.url ?? '', headers: request.headers, body, json: JSON.parse(body) };
      received.push({ ...attempt, mood, problem: judge(attempt) });
      answer(response, mood);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    mood(next) {
      mood = next;
      // Whoever comes back has forgotten what it held.
      if (next === 'takes') server.closeAllConnections();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, mood: Mood): void {
  response.on('error', () => {});
  switch (mood) {
    case 'takes':
      response.writeHead(204).end();
      return;
    case 'fails':
      response.writeHead(500).end('no');
      return;
    case 'moves':
      response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
      return;
    case 'hangs':
      return;
    case 'resets':
      response.socket?.resetAndDestroy();
      return;
    case 'garbage':
      response.socket?.end('\u0000\u0001 not http at all\r\n\r\n');
      return;
    case 'drips': {
      // A status line that never comes to its end.
      const letters = [...'HTTP/1.1 200 OK\r\nx-a: b\r\n'];
      const timer = setInterval(() => {
        const letter = letters.shift();
        if (letter === undefined || response.socket?.destroyed !== false) clearInterval(timer);
        else response.socket.write(letter);
      }, 250);
      response.on('close', () => clearInterval(timer));
    }
  }
}
