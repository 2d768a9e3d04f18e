/** What waits, for the sweep and the metrics. */

/** How much is waiting; one statement, for the sweeper and the metrics. */
export interface Backlog {
  due_requests: number;
  /** Reminders, escalations and the like that are due. */
  due_timers: number;
  due_deliveries: number;
  unplaced_leaves: number;
  due_cards: Record<string, number>;
  /** By platform, as cards are: what people have yet to be told. */
  due_notices: Record<string, number>;
  /** The next instant at which a pending request expires or a delivery is due; null when nothing waits. */
  next_due_at: string | null;
}

export interface SweepStore {
  backlog(): Promise<Backlog>;
  /**
   * Removes what nobody needs any more: notices and where they were told, digests, and what people opened or snoozed of settled requests, each
   * 90 days old. The ledger keeps what happened.
   */
  clean(): Promise<void>;
  /** The database's clock. */
  now(): Promise<string>;
}
