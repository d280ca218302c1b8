import { chmodSync, renameSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { MemberWire } from "./attached.js";
import type { FarBell, Members } from "./members.js";
import { socketOf } from "./owner.js";
import { formatVersion } from "./schema.js";
import { type FailureText, type FromOwner, failureOf, socketWire, type ToOwner, wireVersion } from "./wire.js";

/** The owner's ear for other processes. */
export interface Listening {
  close(): Promise<void>;
}

/** Lets other processes of this user take part in the file. Only to be called by its owner. */
export async function listenFor(dir: string, members: Pick<Members, "admit">, logger: Logger): Promise<Listening> {
  const path = socketOf(dir);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    members.admit(socketWire<FromOwner, ToOwner>(socket));
  });
  // What a killed owner left; nobody else listens there, as the lock is ours.
  if (process.platform !== "win32") rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new Failure("STORE_UNAVAILABLE", `${path}: cannot listen for other processes; see the cause`, { cause })),
    );
    server.listen(path, resolve);
  });
  if (process.platform !== "win32") chmodSync(path, 0o600);
  server.on("error", (error) => logger.error({ err: error }, "other processes cannot join any more"));
  server.unref();
  const inode = () => statSync(path, { throwIfNoEntry: false })?.ino;
  const ours = inode();
  return {
    async close() {
      // Closing removes whatever has this path by now: another owner's socket is put out of the way.
      const others = inode() !== ours && inode() !== undefined;
      if (others) renameSync(path, `${path}.kept`);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if (others) renameSync(`${path}.kept`, path);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Who joins, and what becomes of what the owner says. */
export interface Joining {
  readonly member: string;
  readonly clock: Clock;
  answered(message: Extract<FromOwner, { type: "answer" | "failure" }>): void;
  rang(bell: FarBell): void;
  /** The owner at the other end has gone: it had let this process in, also if that was after {@link greet} had given up. */
  ended(wire: MemberWire): void;
}

const welcomeWithinMs = 5_000;

/**
 * Joins the owner of a folder; undefined when nobody listens there, or nobody answers in time.
 *
 * @throws {Failure} STORE_FORMAT when the owner writes another format, or runs another version of these messages.
 */
export async function joinOwner(dir: string, joining: Joining): Promise<MemberWire | undefined> {
  const socket = await connected(socketOf(dir));
  if (socket === undefined) return undefined;
  return await greet(socketWire<ToOwner, FromOwner>(socket), joining, join(dir, "millrace.db"));
}

/** Says hello over a connection, and waits to be let in. The file is named when it is refused. */
export async function greet(wire: MemberWire, joining: Joining, file: string): Promise<MemberWire | undefined> {
  let joined = false;
  const said = await new Promise<FailureText | boolean>((resolve) => {
    const cancel = joining.clock.after(welcomeWithinMs, () => resolve(false));
    wire.listen(
      (message) => {
        if (message.type === "bell") joining.rang(message.bell as FarBell);
        else if (message.type === "answer" || message.type === "failure") joining.answered(message);
        else {
          cancel();
          joined = message.type === "welcome";
          resolve(message.type === "welcome" ? true : message.failure);
        }
      },
      () => {
        cancel();
        resolve(false);
        if (joined) joining.ended(wire);
      },
    );
    const { member } = joining;
    wire.send({ type: "hello", wire: wireVersion, format: formatVersion, member, pid: process.pid });
  });
  if (said === true) return wire;
  wire.close();
  if (said === false) return undefined;
  throw failureOf({ ...said, message: `${file}: ${said.message}` });
}

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const refused = () => resolve(undefined);
    socket.once("error", refused);
    socket.once("connect", () => {
      socket.off("error", refused);
      resolve(socket);
    });
  });
}
