/** Whether `*` (any run of characters) and `?` (one of them) of a pattern can stand for a text. Linear in each star's part. */
export function matchesPattern(pattern: string, text: string): boolean {
  let [at, from, star, kept] = [0, 0, -1, 0];
  while (from < text.length) {
    const letter = pattern[at];
    if (letter === '*') {
      star = at++;
      kept = from;
    } else if (letter !== undefined && (letter === '?' || letter === text[from])) {
      at++;
      from++;
    } else if (star !== -1) {
      at = star + 1;
      from = ++kept;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
