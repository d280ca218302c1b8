import { appendFileSync, closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Calls } from "../embedded/attached.js";
import { aliveEveryMs } from "../embedded/members.js";
import { systemClock } from "../runtime/clock.js";
import type { Unit } from "../store/unit.js";
import { watchConnections } from "./faults-connections.js";

/** The file in the folder that names the process that is to freeze. */
export const freezeFile = "freeze";
/** The file in the folder with a line for every point at which a process has frozen, as JSON. */
export const frozenFile = "frozen";

/**
 * Makes the process that the folder's freeze file names stop itself (SIGSTOP) once at each point: before every statement
 * that a commit consists of, after its end, and before, while and after another process commits events for it.
 */
export function freezeAtEach(dir: string): void {
  const freeze = freezer(dir);
  freezeInCommits(freeze);
  freezeAroundCalls(freeze);
}

/** Stops this process at a point, once for each, while the folder's freeze file names it. */
export function freezer(dir: string): (point: string) => void {
  const met = new Set<string>();
  const armed = (): boolean => {
    const file = join(dir, freezeFile);
    return existsSync(file) && readFileSync(file, "utf8") === String(process.pid);
  };
  return (point) => {
    if (met.has(point) || !armed()) return;
    oneThread(join(dir, `freezing-${process.pid}`), () => {
      // Whoever woke this process meanwhile may want it to go on.
      if (!armed()) return;
      met.add(point);
      appendFileSync(join(dir, frozenFile), `${JSON.stringify({ pid: process.pid, point })}\n`);
      process.kill(process.pid, "SIGSTOP");
      // The signal may reach another thread first: nothing more is done here until all of them stand still.
      sleep(50);
    });
  };
}

/** Does `work` while no other thread of this process does any: each stop is for one point, and one signal wakes from it. */
function oneThread(lock: string, work: () => void): void {
  for (; ; sleep(1))
    try {
      closeSync(openSync(lock, "wx"));
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  try {
    work();
  } finally {
    rmSync(lock);
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function freezeInCommits(freeze: (point: string) => void): void {
  let within = false;
  watchConnections({
    exec(sql, exec) {
      if (sql === "BEGIN IMMEDIATE") within = true;
      if (within) freeze(sql);
      exec(sql);
      if (sql === "COMMIT") freeze("after COMMIT");
      if (sql === "COMMIT" || sql === "ROLLBACK") within = false;
    },
    prepare(sql, prepare) {
      const made = prepare(sql);
      const run = made.run.bind(made);
      const stopped: typeof made.run = (...params) => {
        if (within) freeze(sql);
        return run(...params);
      };
      // The prototype's methods are read-only: a property of its own stands before them.
      return Object.defineProperty(made, "run", { value: stopped });
    },
  });
}

function freezeAroundCalls(freeze: (point: string) => void): void {
  const { make } = Calls.prototype;
  Calls.prototype.make = async function (this: Calls, name, args) {
    const units = name === "commit" ? (args[0] as readonly Unit[]) : [];
    if (!units.some(({ claim }) => claim.type === "record")) return await make.call(this, name, args);
    freeze("before the call");
    const answer = make.call(this, name, args);
    freeze("in the call");
    const value = await answer;
    freeze("after the call");
    return value;
  };
}

/** Has other processes say oftener that they are alive, so that leases may be short. In this thread. */
export function aliveEvery(ms: number): void {
  const { after } = systemClock;
  systemClock.after = (waitMs, run) => after(waitMs === aliveEveryMs ? ms : waitMs, run);
}
