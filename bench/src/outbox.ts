import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { roundDatabase, withServers } from "./servers.js";

/** The proof of order, as the tests run it with fewer events. */
const program = join(
  dirname(createRequire(import.meta.url).resolve("millrace/package.json")),
  "dist/testing/trial-order-process.js",
);

interface Verdict {
  readonly lost: number;
  readonly inversions: number;
}

interface Proof {
  readonly committed: number;
  readonly ms: number;
  readonly relays: number;
  readonly relay: Verdict;
  readonly naive: Readonly<Record<string, Verdict>>;
}

const writers = 24;

/** Transactions of every kind, a relay that is killed again and again, and three naive relays beside it. */
async function proof({ tiny, number }: Round) {
  const database = await roundDatabase();
  // The warm-up is a small one.
  const [events, kills, killMs] = tiny || number === 0 ? [4_000, 2, 400] : [1_000_000, 30, 4_000];
  const args = [program, database.url, ...[events, writers, kills, killMs].map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 24 });
  await database.drop();
  const { committed, ms, relays, relay, naive } = JSON.parse(stdout) as Proof;
  return {
    ...{ committed, perSecond: (committed / ms) * 1_000, kills: relays - 1 },
    ...{ lost: relay.lost, inversions: relay.inversions },
    lostById: naive["by id"]?.lost ?? 0,
    lostByTime: naive["by time"]?.lost ?? 0,
    invertedByTransaction: naive["by transaction and id"]?.inversions ?? 0,
  };
}

/** Whether the outbox loses events or inverts a key's, and what relays do that are written without thought. */
export const outboxBenchmark: Benchmark = {
  trials: { proof },
  run: (stage) =>
    withServers(["postgres"], async () => {
      const { proof: found } = await stage.alternate({ proof }, { rounds: 1 });
      const { committed } = found;
      const whole = (name: string, value: number) =>
        figure({ name, unit: "events", value, ceiling: committed, goal: { ratioAtLeast: 1 } });
      const wrong = (name: string, value: number) => figure({ name, unit: "events", value, goal: { atLeast: 1 } });
      return [
        whole("outbox.arrived", committed - found.lost),
        whole("outbox.in-order", committed - found.inversions),
        wrong("outbox.naive.lost-by-id", found.lostById),
        wrong("outbox.naive.lost-by-time", found.lostByTime),
        wrong("outbox.naive.inverted-by-transaction", found.invertedByTransaction),
        figure({ name: "outbox.kills", unit: "relays", value: found.kills }),
        figure({ name: "outbox.rate", unit: "events/s", value: found.perSecond }),
      ];
    }),
};
