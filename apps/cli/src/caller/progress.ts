import type { ActionRequest } from '@countersign/client';
import type { Terminal } from '../terminal.js';

/** Shows on standard error that somebody is waited for, and for how long: a moving line on a terminal, a line now and then elsewhere. */
export function showWaiting(terminal: Terminal, request: ActionRequest): { end(): void } {
  if (request.status !== 'pending') return { end: () => undefined };
  const groups = request.requirement?.stages.flatMap((stage) => stage.all.map(({ group }) => group)).join(', ') ?? 'people';
  terminal.err(`Waiting for ${groups} until ${request.expires_at}: ${request.url}`);
  const began = performance.now();
  const live = process.stderr.isTTY;
  const timer = setInterval(
    () => {
      const seconds = Math.round((performance.now() - began) / 1000);
      if (live) process.stderr.write(`\r  … ${seconds} s (Ctrl-C takes the request back) `);
      else terminal.err(`Still waiting, ${seconds} s.`);
    },
    live ? 1000 : 30_000,
  );
  return {
    end() {
      clearInterval(timer);
      if (live) process.stderr.write('\r\u001B[K');
    },
  };
}

/** A signal that Ctrl-C or a polite kill aborts, while it is listened to. */
export function interruption(): { signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return { signal: controller.signal, end: () => void process.off('SIGINT', stop).off('SIGTERM', stop) };
}

const AGAIN = { never: 'do not ask again', changed: 'ask again with changes', later: 'ask again later' } as const;

/** A request in a few lines. What came from others is shown as JSON text, so that no escape sequence reaches the terminal. */
export function describeRequest(request: ActionRequest): string {
  const { actor, outcome } = request;
  const lines = [
    `${request.id}  ${request.status}`,
    `  ${request.action} on ${shown(request.resource.type)} ${shown(request.resource.id)}`,
    `  by ${shown(actor.type)} ${shown(actor.id)}${actor.on_behalf_of === undefined ? '' : ` for ${shown(actor.on_behalf_of.id)}`}`,
    ...(request.reason === undefined ? [] : [`  why: ${shown(request.reason)}`]),
    ...(request.parameters === undefined ? [] : [`  parameters: ${shown(request.parameters)}`]),
    `  policy: ${shown(request.evaluation.explanation)}`,
    ...request.decisions.map(
      ({ person, verdict, via, reason, ask_again }) =>
        `  ${verdict}: ${shown(person.email)} via ${via}${reason === null ? '' : `, ${shown(reason)}`}${ask_again === undefined ? '' : ` (${AGAIN[ask_again]})`}`,
    ),
    ...(outcome === null ? [`  until ${request.expires_at}: ${request.url}`] : outcome.reason === null ? [] : [`  because: ${shown(outcome.reason)}`]),
    ...(request.redeemed_at === null ? [] : [`  used ${request.redeemed_at}${request.report == null ? '' : `, ${request.report.result}`}`]),
    `  action ${request.action_digest}`,
  ];
  return lines.join('\n');
}

/** Text without characters that move a cursor, hide, or turn text around. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
