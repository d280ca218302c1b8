import type { NewRecord } from "../log/log.js";

/** The right to send one shard's events: one process at a time has it. */
export interface OutboxLease {
  /** A service: its commits leave their events in a shard of its own. */
  readonly shard: string;
  /** How often the shard was taken over. Whoever has an older one is fenced. */
  readonly epoch: number;
}

/**
 * Events to send, in order. A page belongs to a window whose bounds are on disk before it is handed out: a successor is
 * handed the same events in the same order.
 */
export interface OutboxPage {
  readonly records: readonly NewRecord[];
  /** Where the page ends; opaque. */
  readonly through: number;
  /** Nothing more is known to wait behind this page. */
  readonly last: boolean;
}

/** What waits to be sent. `oldest` is when the oldest of them was committed (ms since the epoch). */
export interface OutboxBacklog {
  readonly shard: string;
  readonly records: number;
  readonly oldest: number | undefined;
}

/** Events that commits have left to be sent to the log, as their relay sees them. */
export interface Outbox {
  shards(): Promise<readonly string[]>;
  /** Takes the shard under a new epoch; undefined while another process has it. */
  lease(shard: string): Promise<OutboxLease | undefined>;
  /**
   * Keeps a lease that is not used otherwise.
   *
   * @throws {Failure} FENCED when another process has taken it.
   */
  renew(lease: OutboxLease): Promise<void>;
  /** At most `limit` events behind what was sent. The same ones until `sent` says otherwise. */
  next(lease: OutboxLease, limit: number): Promise<OutboxPage>;
  /**
   * The log has acknowledged the page.
   *
   * @throws {Failure} FENCED when another process has taken the lease: it sends the page again, and consumers drop the copies.
   */
  sent(lease: OutboxLease, page: OutboxPage): Promise<void>;
  release(lease: OutboxLease): Promise<void>;
  backlog(): Promise<readonly OutboxBacklog[]>;
  /** Calls `heard` with the shards that commits have left events in, of this process and of others. */
  onCommitted(heard: (shards: readonly string[]) => void): () => void;
}
