import { Agent, request } from 'undici';
import type { CallbackPolicy } from './address-guard.js';
import { guardedConnector, type GuardOptions } from './guarded-connector.js';

export interface GuardedGetOptions extends Omit<GuardOptions, 'connectTimeoutMs' | 'policy'> {
  /** What may be reached, when these hosts (with port) are trusted besides. */
  policyFor: (trusted: readonly string[]) => CallbackPolicy;
}

/** How much of a document is read at most. */
const MAX_BYTES = 1_048_576;
const CONNECT_TIMEOUT_MS = 5_000;

/** Reads documents that others name, through the guard that callbacks go through (I14): no redirect is followed, and no proxy of the environment used. */
export function createGuardedGet({ policyFor, ...options }: GuardedGetOptions): {
  text(url: string, how: { trusted: readonly string[]; signal: AbortSignal }): Promise<{ status: number; text: string }>;
  close(): Promise<void>;
} {
  // One per set of trusted hosts: a connection that one of them may use is nobody else's.
  const agents = new Map<string, Agent>();
  const agentFor = (trusted: readonly string[]): Agent => {
    const name = trusted.toSorted().join(' ');
    const agent =
      agents.get(name) ??
      new Agent({ connect: guardedConnector({ ...options, policy: policyFor(trusted), connectTimeoutMs: CONNECT_TIMEOUT_MS }), connections: 2 });
    agents.set(name, agent);
    return agent;
  };
  return {
    async text(url, { trusted, signal }) {
      const { statusCode, body } = await request(url, {
        dispatcher: agentFor(trusted),
        signal,
        headers: { accept: 'application/json', 'user-agent': 'Countersign' },
      });
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of body) {
        // undici's body yields Buffers while no encoding is set.
        const bytes = chunk as Buffer;
        length += bytes.length;
        if (length > MAX_BYTES) throw new Error(`The document has more than ${MAX_BYTES} bytes.`);
        chunks.push(bytes);
      }
      return { status: statusCode, text: Buffer.concat(chunks).toString('utf8') };
    },
    close: async () => void (await Promise.all([...agents.values()].map((agent) => agent.close()))),
  };
}
