import { run } from '../run.js';

export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** Runs `countersign …` as in a terminal of its own. */
export async function countersign(args: readonly string[], at: { cwd: string; env?: Record<string, string>; stdin?: string | Uint8Array }): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await run(args, {
    env: at.env ?? {},
    cwd: at.cwd,
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    stdin: () => Promise.resolve(Buffer.from(at.stdin ?? '')),
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}
