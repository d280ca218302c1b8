import type { NewRecord } from "../log/log.js";

/** The right to send one shard's events: one process at a time has it. */
export interface OutboxLease {
  /** A service: its commits leave their events in a shard of its own. */
  readonly shard: string;
  /** How often the shard was taken over. Whoever has an older one is fenced. */
  readonly epoch: number;
}

/** The leases of one process, and those among them that others wait for. */
export interface OutboxLeases {
  readonly held: readonly OutboxLease[];
  readonly surplus: readonly OutboxLease[];
}

/**
 * Events to send, in order. A page belongs to a window whose bounds are on disk before it is handed out: a successor is
 * handed the same events in the same order.
 */
export interface OutboxPage {
  readonly records: readonly NewRecord[];
  /** Where the page ends; opaque. */
  readonly through: number;
  /** For how long the first of them had been waiting when it was read, by the store's clock. */
  readonly waitedMs: number;
}

/** How large a page may be. One event is in it whatever its size. */
export interface OutboxLimit {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** What waits to be sent, and for how long the oldest of it has, by the store's clock. */
export interface OutboxBacklog {
  readonly shard: string;
  readonly records: number;
  readonly waitedMs: number;
}

/** Events that commits have left to be sent to the log, as their relay sees them. */
export interface Outbox {
  /**
   * Keeps the leases of this process, takes what is free up to its fair share, and says which it has now. Asked every
   * second, it loses none while the store answers; of a process that has died, others have them after a lease.
   */
  leases(): Promise<OutboxLeases>;
  /** The events behind what was sent, the same ones until `sent` says otherwise; none when none was committed before the call. */
  next(lease: OutboxLease, limit: OutboxLimit): Promise<OutboxPage>;
  /**
   * The log has acknowledged the page.
   *
   * @throws {Failure} FENCED when another process has taken the lease: it sends the page again, and consumers drop the copies.
   */
  sent(lease: OutboxLease, page: OutboxPage): Promise<void>;
  /** Gives the lease back: others take it at once. */
  release(lease: OutboxLease): Promise<void>;
  /** Counted up to a bound. */
  backlog(lease: OutboxLease): Promise<OutboxBacklog>;
  /** Whether anything that was committed before the call may not have been noted as sent yet, whoever is to send it. */
  waiting(): Promise<boolean>;
  /** Calls `heard` with the shards that commits have left events in, of this process and of others. */
  onCommitted(heard: (shards: readonly string[]) => void): () => void;
}
