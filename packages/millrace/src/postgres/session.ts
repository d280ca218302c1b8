import type { PgClient, PgPool, PgResult } from "./pool.js";

/** A statement that is compiled once for each connection, by its name. */
export interface Prepared {
  readonly name: string;
  readonly text: string;
}

/** A row, as its columns in order. */
export type Row = readonly unknown[];

// Object identifiers of types: pg_type.dat in PostgreSQL's sources.
const numbers = new Set([20, 21, 23, 26, 700, 701, 1700, 5069]);
const boolean = 16;
const bytes = 17;

/** Values as Millrace has them, whatever parsers the pool's owner has set: whole numbers are numbers, all else is text. */
const types = {
  getTypeParser(oid: number): (value: string) => unknown {
    if (numbers.has(oid)) return Number;
    if (oid === boolean) return (value) => value === "t";
    if (oid === bytes) return (value) => Buffer.from(value.slice(2), "hex");
    return (value) => value;
  },
};

/** Statements over one connection. */
export class Session {
  readonly client: PgClient;

  constructor(client: PgClient) {
    this.client = client;
  }

  /** The rows of a statement. */
  async rows(statement: Prepared | string, ...values: unknown[]): Promise<readonly Row[]> {
    return (await this.run(statement, values)).rows as Row[];
  }

  /** The first row of a statement. */
  async row(statement: Prepared | string, ...values: unknown[]): Promise<Row | undefined> {
    return (await this.rows(statement, ...values))[0];
  }

  /** The rows of a statement that runs seldom, by the names of their columns; `T` says what they are, in the words of schema.ts. */
  async objects<T>(text: string, ...values: unknown[]): Promise<T[]> {
    return (await this.client.query({ text, values, types })).rows as T[];
  }

  /** How many rows a statement changed. */
  async changes(statement: Prepared | string, ...values: unknown[]): Promise<number> {
    return (await this.run(statement, values)).rowCount ?? 0;
  }

  run(statement: Prepared | string, values: unknown[] = []): Promise<PgResult> {
    if (typeof statement === "string") return this.client.query({ text: statement, values, rowMode: "array", types });
    const { name, text } = statement;
    return this.client.query({ name, text, values, rowMode: "array", types });
  }

  /** Several statements without parameters, in one go. */
  async script(text: string): Promise<void> {
    await this.client.query({ text });
  }
}

const ignore = () => {};

/** Runs `work` with a connection of the pool. A connection that failed is closed rather than given back. */
export async function withSession<T>(pool: PgPool, work: (session: Session) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  // A connection that is lost while it is ours says so in the statement under way; without an ear it would end the process.
  client.on("error", ignore);
  let failed: Error | boolean = false;
  try {
    return await work(new Session(client));
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    client.removeListener("error", ignore);
    client.release(failed);
  }
}

/** Runs `work` in a transaction of its own. */
export async function transact<T>(pool: PgPool, work: (session: Session) => Promise<T>): Promise<T> {
  return withSession(pool, (session) => inTransaction(session, () => work(session)));
}

/**
 * How long a transaction may wait for its process, in ms: half a lease, and less. What a stopped process has locked is free
 * before others take over from it.
 */
export const idleMsMax = 7_000;

/** Runs `work` in a transaction of a connection that is in none. */
export async function inTransaction<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.script(`BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${idleMsMax}`);
  try {
    const result = await work();
    await session.script("COMMIT");
    return result;
  } catch (error) {
    // When the connection is gone, so is the transaction.
    await session.script("ROLLBACK").catch(ignore);
    throw error;
  }
}
