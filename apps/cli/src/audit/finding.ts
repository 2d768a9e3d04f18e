/** A row that is not what the ledger says, or that the ledger knows nothing of. */
export interface Finding {
  table: string;
  /** The row's key. */
  row: string;
  /** The column, or the columns of which one is wrong; null where it is the row as a whole. */
  column: string | null;
  /** What is wrong, as the rest of a sentence that begins with the row. */
  problem: string;
}

export function findingLine({ table, row, column, problem }: Finding): string {
  return `${table} ${row}${column === null ? '' : `, ${column}`}: ${problem}`;
}
