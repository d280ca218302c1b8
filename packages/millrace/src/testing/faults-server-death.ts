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
