import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { resolve } from "node:path";
import { readAddress } from "../admin/address.js";
import type { Admin } from "../admin/admin.js";
import { remoteAdmin } from "../admin/client.js";
import type { AggregateDefinition } from "../aggregate/definition.js";
import { Failure, isFailure } from "../failure/failure.js";
import type { EngineHalves } from "../main/engine-halves.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import type { Inspect } from "../store/inspect.js";

/** Which app a command is about, and how long its process may take to answer. */
export interface Target {
  readonly dir: string;
  readonly timeout: string;
  /** Loads the app's aggregates, for a command that folds their states where no process does. */
  aggregates?(): Promise<readonly AggregateDefinition[]>;
}

/** Asks the running process; when none answers, reads what is stored. */
export async function reading<T>(target: Target, read: (admin: Admin) => Promise<T>): Promise<T> {
  const remote = await find(target);
  if (remote !== undefined) {
    try {
      return await read(remote);
    } catch (error) {
      // The address is left from a process that was killed.
      if (!isFailure(error, "PROCESS_MISSING")) throw error;
    }
  }
  return readingStored(target, read);
}

/** Reads what is stored, also beside a process that writes it: on the servers that the environment names, or else the folder's file. */
export async function readingStored<T>(target: Target, read: (admin: Admin) => Promise<T>): Promise<T> {
  const { fileAdmin } = await import("../admin/file.js");
  const dir = resolve(target.dir);
  return await inspecting(target, async (inspect, stored) => {
    const aggregates = await target.aggregates?.();
    const there = stored === "file" || existsSync(dir) ? dir : undefined;
    return await read(fileAdmin({ inspect, dir: there, stored, aggregates, now: () => Date.now() }));
  });
}

/** Looks into what is stored by itself. */
export async function inspecting<T>(
  target: Target,
  look: (inspect: Inspect, stored: "file" | "servers") => Promise<T>,
): Promise<T> {
  if (namesServers()) return await inspectingServers(target, look);
  const { openReadOnly } = await import("../embedded/read-only.js");
  const { inspect, close } = openReadOnly(resolve(target.dir));
  try {
    return await look(inspect, "file");
  } finally {
    close();
  }
}

function namesServers(): boolean {
  return [process.env.MILLRACE_STORE, process.env.MILLRACE_LOG].some((address) => (address?.trim() ?? "") !== "");
}

async function inspectingServers<T>(
  target: Target,
  look: (inspect: Inspect, stored: "servers") => Promise<T>,
): Promise<T> {
  const { halvesFromEnv } = await import("../main/engine-from-env.js");
  const { lookAtServers } = await import("../main/server-sight.js");
  const halves = halvesFromEnv(process.env) as EngineHalves;
  const { inspect, close } = await lookAtServers(halves, target.timeout as Duration);
  try {
    return await look(inspect, "servers");
  } finally {
    await close();
  }
}

/**
 * Asks the running process, which alone can act.
 *
 * @throws {Failure} PROCESS_MISSING when none runs.
 */
export async function acting<T>(target: Target, act: (admin: Admin) => Promise<T>): Promise<T> {
  const remote = await find(target);
  if (remote === undefined) {
    throw new Failure(
      "PROCESS_MISSING",
      `no process runs on ${resolve(target.dir)}; start it first: millrace start${namesServers() ? ", or go to a machine where one runs" : ""}`,
    );
  }
  return act(remote);
}

async function find(target: Target): Promise<Admin | undefined> {
  const timeoutMs = durationMs(target.timeout as Duration, "--timeout");
  const address = await readAddress(resolve(target.dir));
  return address === undefined ? undefined : remoteAdmin(address, { timeoutMs });
}

/** Who acts, for the audit record. */
export function actor(): string {
  return `cli:${userInfo().username}`;
}
