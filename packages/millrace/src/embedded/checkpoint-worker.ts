import { parentPort, workerData } from "node:worker_threads";
import { first } from "./query.js";
import { type Database, openDatabase } from "./sqlite.js";

/** What the thread that commits asks for. */
export type CheckpointRequest = { readonly type: "checkpoint" } | { readonly type: "close" };

/** `frames` are in the write-ahead log, `checkpointed` of them in the file. */
export type CheckpointReply =
  | { readonly type: "done"; readonly frames: number; readonly checkpointed: number }
  | { readonly type: "failed"; readonly message: string };

const { file } = workerData as { readonly file: string };
const port = parentPort;
let database: Database | undefined;

const passesMax = 4;
const framesLeft = 64;

/** Passes follow each other while commits go on: each has only to copy what came in during the one before. */
function checkpoint(): CheckpointReply {
  try {
    database ??= open();
    let frames = 0;
    let checkpointed = 0;
    for (let pass = 0; pass < passesMax; pass += 1) {
      const row = first<{ log: number; checkpointed: number }>(database, "PRAGMA wal_checkpoint(PASSIVE)");
      frames = row?.log ?? 0;
      checkpointed = row?.checkpointed ?? 0;
      if (frames - checkpointed <= framesLeft) break;
    }
    return { type: "done", frames, checkpointed };
  } catch (error) {
    return { type: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}

/** A checkpoint copies pages past the cache: it needs none. */
function open(): Database {
  const opened = openDatabase(file);
  opened.exec("PRAGMA cache_size = 8");
  return opened;
}

port?.on("message", (request: CheckpointRequest) => {
  if (request.type === "checkpoint") {
    port.postMessage(checkpoint());
    return;
  }
  // Ends by itself once nothing is open: terminating a worker inside a statement aborts the process.
  database?.close();
  port.close();
});
