import type { ChatLog } from '@countersign/chat';
import bolt, { type Logger } from '@slack/bolt';

/** Bolt's words in our log. Its messages hold no tokens, but payloads at debug level, which are not ours to keep. */
export function boltLogger(log: ChatLog, level: 'warn' | 'debug'): Logger {
  const text = (parts: unknown[]): string => parts.map((part) => (part instanceof Error ? part.message : String(part))).join(' ');
  return {
    debug: () => {},
    info: (...parts: unknown[]) => {
      log.debug({ from: 'bolt' }, text(parts));
    },
    warn: (...parts: unknown[]) => {
      log[level]({ from: 'bolt' }, text(parts));
    },
    error: (...parts: unknown[]) => {
      log[level]({ from: 'bolt' }, text(parts));
    },
    setLevel: () => {},
    getLevel: () => bolt.LogLevel.INFO,
    setName: () => {},
  };
}
