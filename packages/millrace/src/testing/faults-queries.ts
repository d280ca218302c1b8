import pg from "pg";
import type { PgQuery, PgResult } from "../postgres/pool.js";
import type { Undo } from "./faults-connections.js";

/** Stands between the product and its connections to PostgreSQL. */
export type QueryWatch = (
  query: PgQuery,
  send: (query: PgQuery) => Promise<PgResult>,
  client: object,
) => Promise<PgResult>;

const watches: QueryWatch[] = [];
let substituted = false;

/** Has `watch` see what is sent over all connections from now on in this thread. The last to come sees it first. */
export function watchQueries(watch: QueryWatch): Undo {
  if (!substituted) substitute();
  watches.push(watch);
  return () => void watches.splice(watches.indexOf(watch), 1);
}

type Send = (this: object, ...args: unknown[]) => unknown;

function substitute(): void {
  substituted = true;
  const client = pg.Client.prototype as unknown as { query: Send };
  const { query } = client;
  client.query = function (this: object, ...args: unknown[]): unknown {
    const [asked] = args;
    // Only what the product asks: the driver's own questions have callbacks.
    if (args.length !== 1 || typeof asked !== "object" || asked === null || "submit" in asked)
      return query.apply(this, args);
    const through = (at: number, next: PgQuery): Promise<PgResult> => {
      const watch = watches[at];
      if (watch === undefined) return query.call(this, next) as Promise<PgResult>;
      return watch(next, (rest) => through(at - 1, rest), this);
    };
    return through(watches.length - 1, asked as PgQuery);
  };
}

/** How a group commit begins, as against other transactions. */
const beginning = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/** What a statement is to the transaction that its connection is in. */
export type Step = "begin" | "within" | "commit" | "outside";

/** Tells statements of group commits from others, by their connections. */
export class Transactions {
  readonly #within = new WeakSet<object>();

  /** Which part of a group commit this statement is. */
  step({ text }: PgQuery, client: object): Step {
    if (text.startsWith(beginning)) {
      this.#within.add(client);
      return "begin";
    }
    if (!this.#within.has(client)) return "outside";
    if (text !== "COMMIT" && text !== "ROLLBACK") return "within";
    this.#within.delete(client);
    return text === "COMMIT" ? "commit" : "outside";
  }
}

const usual = { leaseMs: 15_000, lockMs: 5_000, idleMs: 7_000 };

/** Leases of another length for processes and shards, and of what may keep others from them. */
export function serverLeasesOf(ms: number): Undo {
  return watchQueries((query, send) => {
    const { text, values = [] } = query;
    if (text.startsWith("BEGIN")) {
      const bounded = text
        .replace(`lock_timeout = ${usual.lockMs}`, `lock_timeout = ${Math.round(ms / 3)}`)
        .replace(`session_timeout = ${usual.idleMs}`, `session_timeout = ${Math.round(ms / 2)}`);
      return send({ ...query, text: bounded });
    }
    if (!/mr_members|mr_relay/.test(text) || !values.includes(usual.leaseMs)) return send(query);
    return send({ ...query, values: values.map((value) => (value === usual.leaseMs ? ms : value)) });
  });
}
