import { postgresLog } from "millrace/postgres";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { handlesOn, units } from "./on-postgres.js";
import { withServers } from "./servers.js";

/** PostgreSQL is log and store. */
const handles = (round: Round) => handlesOn(round, (pool) => postgresLog({ pool }));

/** Handling a backlog on PostgreSQL alone, exactly once and in order per key. */
export const postgresBenchmark: Benchmark = {
  trials: { handles, units },
  run: (stage) =>
    withServers(["postgres"], async () => {
      const { handles: ours, units: plain } = await stage.alternate({ units, handles }, { rounds: 3 });
      return [
        figure({
          ...{ name: "postgres", unit: "events/s", value: ours.perSecond, ceiling: plain.perSecond },
          goal: { atLeast: 12_000 },
        }),
      ];
    }),
};
