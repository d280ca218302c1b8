import { parentPort, workerData } from "node:worker_threads";
import { openPlain } from "./plain-sqlite.js";

const database = openPlain(workerData as string);

parentPort?.on("message", (request: "checkpoint" | "close") => {
  if (request === "checkpoint") {
    database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    parentPort?.postMessage("done");
    return;
  }
  database.close();
  parentPort?.close();
});
