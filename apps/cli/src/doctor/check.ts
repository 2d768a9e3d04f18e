/** What one look found. */
export interface Check {
  /** What was looked at, in a word or two. */
  name: string;
  status: 'ok' | 'warn' | 'fail';
  says: string;
  /** What to do; absent where there is nothing. */
  fix?: string;
}

export const ok = (name: string, says: string): Check => ({ name, status: 'ok', says });
export const warn = (name: string, says: string, fix: string): Check => ({ name, status: 'warn', says, fix });
export const fail = (name: string, says: string, fix: string): Check => ({ name, status: 'fail', says, fix });
