import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { now, rate } from "./load.js";
import { Sharing } from "./sharing.js";

/** How long each handler waits for somebody else's reply. */
const waitMs = 200;

/** A backlog of events whose handlers only wait, a thousand at a time in each process. */
async function sharing({ dir, tiny }: Round, processes: number) {
  const shared = await Sharing.start(dir, { processes, waitMs });
  const total = tiny ? 400 : 20_000;
  const start = now();
  await shared.handle(total);
  const { perSecond } = rate(start, total);
  await shared.close();
  return { perSecond };
}

const one = (round: Round) => sharing(round, 1);
const two = (round: Round) => sharing(round, 2);

/** Two processes on one file against one. */
export const scale: Benchmark = {
  trials: { one, two },
  async run(stage) {
    const measured = await stage.alternate({ one, two }, { rounds: 3 });
    const { one: alone, two: both } = measured;
    return [
      figure({
        name: "scale",
        value: both.perSecond,
        unit: "events/s",
        ceiling: alone.perSecond,
        goal: { ratioAtLeast: 1.8 },
      }),
    ];
  },
};
