/** One statement, as the driver takes it. */
export interface PgQuery {
  readonly text: string;
  /** A Buffer goes as it is, in PostgreSQL's binary form. */
  readonly values?: unknown[];
  /** A statement of this name is compiled once for each connection. */
  readonly name?: string;
  readonly rowMode?: "array";
  readonly types?: { getTypeParser(oid: number, format?: string): (value: string) => unknown };
}

/** What the driver answers. */
export interface PgResult {
  readonly rows: unknown[];
  readonly rowCount: number | null;
  readonly command: string;
}

/** A connection of a pool, as far as Millrace uses it. */
export interface PgClient {
  query(query: PgQuery): Promise<PgResult>;
  /** Gives it back to its pool; with an error or true, it is closed instead. */
  release(error?: Error | boolean): void;
  /** "error" tells an Error, "notification" a {@link PgNotice}. */
  on(event: "error" | "notification", heard: (value: never) => void): unknown;
  removeListener(event: string, heard: () => void): unknown;
}

/** What LISTEN brings. */
export interface PgNotice {
  readonly channel: string;
  readonly payload?: string;
}

/** A pool of connections: that of the package `pg` is one. */
export interface PgPool {
  connect(): Promise<PgClient>;
  on(event: "error", heard: (error: Error) => void): unknown;
  /** Tells a new connection before whoever waits for one has it. */
  on(event: "connect", heard: (client: PgClient) => void): unknown;
  removeListener(event: string, heard: (client: PgClient) => void): unknown;
}

const ignore = () => {};

/**
 * Hears what the pool's connections say when they are lost, and does nothing: the statement under way fails, and the next
 * connection is another. Without an ear it would end the process, also when a connection is lost while it is being handed out.
 * Returns what ends the hearing.
 */
export function hearLosses(pool: PgPool): () => void {
  const hear = (client: PgClient) => void client.on("error", ignore);
  pool.on("error", ignore);
  pool.on("connect", hear);
  return () => {
    pool.removeListener("error", ignore);
    pool.removeListener("connect", hear);
  };
}
