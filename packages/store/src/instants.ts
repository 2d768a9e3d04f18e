/** PostgreSQL's and JavaScript's dates to our one form. */
export function instant(value: Date | string): string {
  return (typeof value === 'string' ? new Date(value) : value).toISOString();
}

export function instantOrNull(value: Date | string | null): string | null {
  return value === null ? null : instant(value);
}
