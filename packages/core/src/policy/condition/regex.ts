import { RE2JS } from '@bufbuild/re2';

const MAX_PATTERN = 256;
/** Instructions of the compiled program: `(a{1,50}){1,20}` is legal and linear, but with 2,000 per character of input. */
const MAX_PROGRAM = 400;

export interface Regex {
  test(text: string): boolean;
  /** The steps that one character can cost at most. */
  readonly size: number;
}

/** Compiles an RE2 pattern, which runs in time linear in the text; a string says why it cannot be used. */
export function compileRegex(pattern: string): Regex | string {
  if (pattern.length > MAX_PATTERN) return `a regular expression has at most ${MAX_PATTERN} characters`;
  try {
    const compiled = RE2JS.compile(pattern);
    const size = compiled.re2Input.prog.numInst();
    return size > MAX_PROGRAM ? 'the regular expression repeats too much' : { test: (text) => compiled.test(text), size };
  } catch (fault) {
    return `the regular expression cannot be used: ${fault instanceof Error ? fault.message : 'it is not RE2'}`;
  }
}
