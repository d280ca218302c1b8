import pg from "pg";
import type { PgClient, PgPool, PgQuery } from "./pool.js";

/** A pool whose clients share connections of the server from one transaction to the next, as with a proxy that pools transactions. */
export class TransactionPool implements PgPool {
  readonly #free: pg.Client[];
  readonly #waiting: ((client: pg.Client) => void)[] = [];

  constructor(connections: readonly pg.Client[]) {
    this.#free = [...connections];
  }

  async connect(): Promise<PgClient> {
    let held: pg.Client | undefined;
    const query = async (asked: PgQuery) => {
      const client = held ?? (await this.#take());
      const text = asked.text.trimStart().toUpperCase();
      if (text.startsWith("BEGIN")) held = client;
      try {
        return await client.query(asked as never);
      } finally {
        if (text.startsWith("COMMIT") || text.startsWith("ROLLBACK")) held = undefined;
        if (held === undefined) this.#give(client);
      }
    };
    return { query, release: () => {}, on: () => {}, removeListener: () => {} } as unknown as PgClient;
  }

  on(): void {}

  removeListener(): void {}

  /** The one that has been idle longest. */
  async #take(): Promise<pg.Client> {
    return this.#free.shift() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(client: pg.Client): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(client);
    else next(client);
  }
}

/** So many connections of their own to a database. */
export async function connections(url: string, count: number): Promise<pg.Client[]> {
  const clients = Array.from({ length: count }, () => new pg.Client({ connectionString: url }));
  for (const client of clients) await client.connect();
  return clients;
}
