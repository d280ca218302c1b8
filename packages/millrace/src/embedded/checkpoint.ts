import { Worker } from "node:worker_threads";
import type { Logger } from "../runtime/logger.js";
import type { CheckpointReply, CheckpointRequest } from "./checkpoint-worker.js";
import { storeFailure } from "./errors.js";
import { first } from "./query.js";
import type { Database } from "./sqlite.js";

/** Moves committed pages from the write-ahead log into the file, away from the thread that commits. */
export interface Checkpointer {
  /** Counts what a commit has written to the write-ahead log, in bytes; a guess will do. Costs an addition. */
  committed(bytes: number): void;
  /** Waits for a checkpoint under way and ends the worker. To be called before the connection is closed. */
  close(): Promise<void>;
}

/** What a checkpointer needs. `database` is the connection that commits; it checkpoints too, between commits. */
export interface CheckpointOptions {
  readonly file: string;
  readonly database: Database;
  readonly logger: Logger;
  /** A checkpoint is asked for when this much was written since the last (default 8 MiB). */
  readonly askBytes?: number;
  /** A write-ahead log of more than this is checkpointed on this thread, so that it can begin anew (default 64 MiB). */
  readonly walBytesMax?: number;
  /** What the worker left uncopied, up to this much, is copied on this thread (default 4 MiB). */
  readonly restBytesMax?: number;
}

const mebibyte = 1024 * 1024;

/**
 * Checkpoints in a worker that starts at the first request. A checkpoint there cannot catch up with a thread that never
 * stops committing, and a log that is not caught up with never begins anew: past `walBytesMax` this thread does the
 * small rest itself. When the worker fails, this thread does it all.
 */
export function createCheckpointer(options: CheckpointOptions): Checkpointer {
  return new WorkerCheckpointer(options);
}

/** SQLite's answer to wal_checkpoint: frames in the log, and how many of them are in the file. */
interface CheckpointRow {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

class WorkerCheckpointer implements Checkpointer {
  readonly #options: CheckpointOptions;
  readonly #askBytes: number;
  readonly #walBytesMax: number;
  readonly #restBytesMax: number;
  readonly #pageBytes: number;
  #written = 0;
  #inFlight = false;
  #failed = false;
  #closed = false;
  #worker: Worker | undefined;

  constructor(options: CheckpointOptions) {
    this.#options = options;
    this.#askBytes = options.askBytes ?? 8 * mebibyte;
    this.#walBytesMax = options.walBytesMax ?? 64 * mebibyte;
    this.#restBytesMax = options.restBytesMax ?? 4 * mebibyte;
    this.#pageBytes = first<{ page_size: number }>(options.database, "PRAGMA page_size")?.page_size ?? 8_192;
  }

  committed(bytes: number): void {
    this.#written += bytes;
    if (this.#written >= this.#askBytes && !this.#inFlight && !this.#closed) this.#ask();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    if (worker === undefined || this.#failed) return;
    const ended = new Promise<void>((done) => worker.once("exit", () => done()));
    worker.ref();
    this.#send(worker, { type: "close" });
    await ended;
    this.#worker = undefined;
  }

  #ask(): void {
    this.#written = 0;
    if (this.#failed) {
      this.#checkpointHere();
      return;
    }
    this.#inFlight = true;
    this.#worker ??= this.#start();
    this.#send(this.#worker, { type: "checkpoint" });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./checkpoint-worker.js", import.meta.url), {
      workerData: { file: this.#options.file },
      name: "millrace-checkpoint",
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
    });
    worker.on("message", (reply: CheckpointReply) => this.#answered(reply));
    worker.on("error", (error) => this.#workerFailed(error));
    worker.on("exit", (code) => {
      if (!this.#closed) this.#workerFailed(new Error(`the worker ended with code ${code}`));
    });
    worker.unref();
    return worker;
  }

  #send(worker: Worker, request: CheckpointRequest): void {
    worker.postMessage(request);
  }

  #answered(reply: CheckpointReply): void {
    this.#inFlight = false;
    if (this.#closed) return;
    if (reply.type === "failed") {
      this.#options.logger.warn({ reason: reply.message }, "the worker could not make a checkpoint; this thread tries");
      this.#checkpointHere();
    } else if (this.#smallRest(reply) || reply.frames * this.#pageBytes > this.#walBytesMax) {
      this.#checkpointHere();
    }
    // What was written meanwhile may be the last for a long time.
    this.committed(0);
  }

  /**
   * While commits go on, the worker never gets to the end of the log, and a log that is not at its end is not begun anew:
   * it grows, and a growing file costs twice the flush. The last few pages are copied here, between two commits.
   */
  #smallRest(reply: { readonly frames: number; readonly checkpointed: number }): boolean {
    return (reply.frames - reply.checkpointed) * this.#pageBytes <= this.#restBytesMax;
  }

  #workerFailed(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    const waiting = this.#inFlight;
    this.#inFlight = false;
    this.#worker = undefined;
    this.#options.logger.warn(
      { reason: error.message },
      "the checkpoint worker failed; checkpoints run between commits",
    );
    if (waiting && !this.#closed) this.#checkpointHere();
  }

  /** PASSIVE waits for nobody. As nothing commits meanwhile, it gets to the log's end, unless a reader is in the way. */
  #checkpointHere(): void {
    const { database, logger } = this.#options;
    if (!database.isOpen || database.isTransaction) return;
    try {
      const row = first<CheckpointRow>(database, "PRAGMA wal_checkpoint(PASSIVE)");
      if (row !== undefined && row.checkpointed < row.log && row.log * this.#pageBytes > this.#walBytesMax)
        logger.warn(
          { walBytes: row.log * this.#pageBytes },
          "a long read keeps the write-ahead log from being emptied",
        );
    } catch (error) {
      logger.warn({ reason: storeFailure(error).message }, "a checkpoint failed; the next one tries again");
    }
  }
}
