import { writeSync } from "node:fs";
import type { DeathPoint } from "./faults-death.js";
import { Transactions, watchQueries } from "./faults-queries.js";

/** Makes this process kill itself around one of its commits to PostgreSQL, with no chance to tidy up. */
export function dieAtServer({ at, commit, statement, armed }: DeathPoint): void {
  const transactions = new Transactions();
  let commits = 0;
  let statements = 0;
  const die = (here: DeathPoint["at"]): void => {
    if (here === at && commits >= commit && armed()) process.kill(process.pid, "SIGKILL");
  };
  watchQueries(async (query, send, client) => {
    const step = transactions.step(query, client);
    if (step === "begin") {
      commits += 1;
      statements = 0;
      die("before");
    }
    const answer = send(query);
    // It is on its way, and nobody will hear the answer.
    if (step === "commit") die("inside");
    const result = await answer;
    if (step === "commit") die("after");
    if (step === "within") {
      statements += 1;
      if (statements === statement) die("inside");
    }
    return result;
  });
}

/** Makes this process kill itself at its nth statement to PostgreSQL: an odd one is not sent, of an even one the answer is not heard. */
export function dieAtQuery(nth: number): void {
  let queries = 0;
  const die = (text: string): void => {
    writeSync(1, `dies at ${text.replace(/\s+/g, " ").slice(0, 60)}\n`);
    process.kill(process.pid, "SIGKILL");
    // The signal may reach another thread first.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000);
  };
  watchQueries(async (query, send) => {
    queries += 1;
    const dies = queries === nth;
    if (dies && nth % 2 === 1) die(query.text);
    const result = await send(query);
    if (dies) die(`the answer of ${query.text}`);
    return result;
  });
}
