import { Calls } from "../embedded/attached.js";
import { watchConnections } from "./faults-connections.js";

/** Where a process dies: before, inside or after one of its commits, by its own hand. */
export interface DeathPoint {
  readonly at: "before" | "inside" | "after";
  /** At which commit, or the next one after it: of the file when this process owns it, else sent to the owner. */
  readonly commit: number;
  /** Of the owner, inside: after how many of its statements. */
  readonly statement: number;
  /** Asked when the time has come. */
  armed(): boolean;
}

/** Makes this process kill itself there, with no chance to tidy up. */
export function dieAt({ at, commit, statement, armed }: DeathPoint): void {
  let commits = 0;
  let statements = 0;
  const die = (here: DeathPoint["at"]): void => {
    if (here === at && commits >= commit && armed()) process.kill(process.pid, "SIGKILL");
  };
  watchConnections({
    exec(sql, exec) {
      if (sql === "BEGIN IMMEDIATE") {
        commits += 1;
        statements = 0;
        die("before");
      }
      exec(sql);
      if (sql === "COMMIT") die("after");
    },
    prepare(sql, prepare) {
      const made = prepare(sql);
      const run = made.run.bind(made);
      const counted: typeof made.run = (...params) => {
        const result = run(...params);
        statements += 1;
        if (statements === statement) die("inside");
        return result;
      };
      // The prototype's methods are read-only: a property of its own stands before them.
      return Object.defineProperty(made, "run", { value: counted });
    },
  });
  const { make } = Calls.prototype;
  Calls.prototype.make = async function (this: Calls, name, args) {
    if (name !== "commit") return await make.call(this, name, args);
    commits += 1;
    die("before");
    const answer = make.call(this, name, args);
    die("inside");
    const value = await answer;
    die("after");
    return value;
  };
}
