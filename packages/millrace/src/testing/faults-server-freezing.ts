import type { PgQuery } from "../postgres/pool.js";
import { freezer } from "./faults-freezing.js";
import { Transactions, watchQueries } from "./faults-queries.js";

/** A statement in a few words: a point at which a process may stop. */
function pointOf({ name, text }: PgQuery): string {
  return name ?? text.replace(/\s+/g, " ").slice(0, 60);
}

/** Has the process that the folder's freeze file names stop before each statement of its commits, while COMMIT is on its way, and after its answer. */
export function freezeAtEachStep(dir: string): void {
  const freeze = freezer(dir);
  const transactions = new Transactions();
  watchQueries(async (query, send, client) => {
    const step = transactions.step(query, client);
    if (step === "outside") return send(query);
    freeze(pointOf(query));
    const answer = send(query);
    if (step === "commit") freeze("during COMMIT");
    const result = await answer;
    if (step === "commit") freeze("after COMMIT");
    return result;
  });
}
