import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { Core } from "./core.js";
import { prepareFile } from "./format.js";
import { Members } from "./members.js";
import { listenFor } from "./socket.js";
import { openDatabase } from "./sqlite.js";
import { type FromOwner, portWire, type ToOwner } from "./wire.js";

/** What the main thread hands over: the folder it owns, its end of the messages, and who was the owner before. */
export interface HostOrders {
  readonly dir: string;
  readonly file: string;
  readonly port: MessagePort;
  /** The main thread, as a member. */
  readonly member: string;
  readonly before: string | undefined;
}

/** What the worker says beside the members' messages. */
export type HostSays =
  | { readonly type: "ready" }
  | { readonly type: "log"; readonly level: LogLevel; readonly fields: object; readonly message: string };
type LogLevel = "debug" | "info" | "warn" | "error";

// The owner's writer, away from the main thread: a handler that spins there stops nobody's commits.

const { dir, file, port, member, before } = workerData as HostOrders;
const main = parentPort as MessagePort;
const say = (message: HostSays) => main.postMessage(message);
const logger = forwarding({});
const context = { clock: systemClock, random: systemRandom, logger };
const database = openDatabase(file);
const prepared = prepareFile(database, file, systemClock.now());
const reader = openDatabase(file, { readOnly: true });
const core = new Core({ file, database, reader, prepared, context });
core.bury(before);
const members = new Members(core, systemClock);
members.admit(portWire<FromOwner, ToOwner>(port));
const listening = await listenFor(dir, members, logger).catch((error: unknown) => {
  logger.warn({ err: error }, "other processes cannot take part in this file");
  return undefined;
});
main.on("message", async (message) => {
  if (message !== "close") return;
  await listening?.close();
  core.leave(member);
  members.close();
  reader.close();
  await core.close();
  main.close();
});
say({ type: "ready" });

/** Errors cross as what can be said of them. */
function forwarding(bound: object): Logger {
  const write = (level: LogLevel) => (fields: object, message: string) =>
    say({ type: "log", level, fields: plain({ ...bound, ...fields }), message });
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (fields) => forwarding({ ...bound, ...fields }),
  };
}

function plain(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? String(value.stack) : value]),
  );
}
