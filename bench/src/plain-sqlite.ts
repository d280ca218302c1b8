import { createRequire } from "node:module";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { DatabaseSyncInstance as Database } from "@photostructure/sqlite";

type Sqlite = typeof import("@photostructure/sqlite");

// The same library as the engine on the same Node, or the comparison would be one of libraries.
const builtIn = Number(process.versions.node.split(".")[0]) >= 24;
const sqlite = createRequire(import.meta.url)(builtIn ? "node:sqlite" : "@photostructure/sqlite") as Sqlite;

/** A connection as durable as the engine's: a commit returns after `fdatasync`, checkpoints run when asked for. */
export function openPlain(file: string): Database {
  const database = new sqlite.DatabaseSync(file);
  database.exec("PRAGMA busy_timeout = 5000");
  database.exec("PRAGMA page_size = 8192");
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec("PRAGMA wal_autocheckpoint = 0");
  database.exec("PRAGMA journal_size_limit = 67108864");
  database.exec("PRAGMA cache_size = -32000");
  return database;
}

const checkpointBytes = 8 * 1024 * 1024;

/**
 * Group commit, as plainly as it can be done: what came up in one turn of the event loop shares one transaction, and
 * checkpoints run in a worker after every 8 MiB.
 */
export class PlainGroups<Item> {
  readonly database: Database;
  readonly #apply: (item: Item) => void;
  readonly #itemBytes: number;
  readonly #worker: Worker;
  #group: { readonly item: Item; readonly stored: () => void }[] = [];
  #written = 0;
  #checkpointing = false;

  constructor(options: {
    readonly dir: string;
    readonly schema: string;
    /** What an item adds to the write-ahead log, roughly. */
    readonly itemBytes: number;
    /** Prepares the statements; what it returns stores one item inside the transaction. */
    readonly prepare: (database: Database) => (item: Item) => void;
  }) {
    const file = join(options.dir, "plain.db");
    this.database = openPlain(file);
    this.database.exec(options.schema);
    this.#apply = options.prepare(this.database);
    this.#itemBytes = options.itemBytes;
    this.#worker = new Worker(new URL("./plain-checkpoint-worker.js", import.meta.url), { workerData: file });
    this.#worker.on("message", () => {
      this.#checkpointing = false;
    });
  }

  /** Resolves when the item is on disk. */
  add(item: Item): Promise<void> {
    return new Promise((stored) => {
      this.#group.push({ item, stored });
      if (this.#group.length === 1) setImmediate(() => this.#commit());
    });
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.postMessage("close");
    await ended;
    this.database.close();
  }

  #commit(): void {
    const group = this.#group;
    this.#group = [];
    this.database.exec("BEGIN IMMEDIATE");
    for (const { item } of group) this.#apply(item);
    this.database.exec("COMMIT");
    for (const { stored } of group) stored();
    this.#written += group.length * this.#itemBytes;
    if (this.#written < checkpointBytes || this.#checkpointing) return;
    this.#written = 0;
    this.#checkpointing = true;
    this.#worker.postMessage("checkpoint");
  }
}
