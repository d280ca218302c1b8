import { MessageChannel, Worker } from "node:worker_threads";
import { Failure } from "../failure/failure.js";
import type { Logger } from "../runtime/logger.js";
import type { HostOrders, HostSays } from "./host-worker.js";
import { type FromOwner, portWire, type ToOwner, type Wire } from "./wire.js";

/** The owner's writer in a thread of its own. */
export interface Host {
  readonly wire: Wire<ToOwner, FromOwner>;
  /** Ends the thread; resolves when the file is closed. */
  close(): Promise<void>;
}

/**
 * Starts the writer of a file that this process owns. When it breaks down, its wire ends.
 *
 * @throws {Failure} STORE_UNAVAILABLE when the thread cannot open the file.
 */
export async function startHost(owned: Omit<HostOrders, "port">, logger: Logger): Promise<Host> {
  const { port1: here, port2: port } = new MessageChannel();
  const workerData: HostOrders = { ...owned, port };
  const worker = new Worker(new URL("./host-worker.js", import.meta.url), { workerData, transferList: [port] });
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    worker.on("message", (said: HostSays) => {
      if (said.type === "log") logger[said.level](said.fields, said.message);
      else resolve();
    });
    worker.once("error", (cause) => {
      logger.error({ err: cause }, "the thread that writes the file broke down");
      reject(new Failure("STORE_UNAVAILABLE", `${owned.file}: its writer broke down; see the cause`, { cause }));
    });
    void exited.then(() => {
      reject(new Failure("STORE_UNAVAILABLE", `${owned.file}: its writer ended`));
      here.close();
    });
  });
  return {
    wire: portWire<ToOwner, FromOwner>(here),
    async close() {
      worker.postMessage("close");
      await exited;
    },
  };
}
