/** Why a command could not do what it was asked, for programs. */
export type CliErrorCode =
  /** The command line is wrong. */
  | 'usage'
  /** Something that the command needs is not there, does not answer or cannot be read. Nothing was judged. */
  | 'unusable'
  /** The command was understood and refuses: what it was asked to do would be wrong. */
  | 'refused';

/** The one error class of the command. The message is one clear line for the person at the terminal. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    readonly code: CliErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

export const EXIT = { fine: 0, wrong: 1, usage: 2 } as const;

/** What an error says. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}

/** Whether an error of the system has that code: `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
