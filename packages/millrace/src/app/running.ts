import type { Consumer } from "../consumer/consumer.js";
import type { Change } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { Running } from "./app.js";
import type { Builds } from "./builds.js";
import { consumerStatus } from "./consumer-status.js";
import type { JobRunner } from "./job-runner.js";
import type { AppPlan } from "./plan.js";

/** What the parts around the app may see of it. */
export function runningOf(
  seen: Pick<Running, "engine" | "services" | "clock" | "logger"> & { readonly plan: AppPlan },
  consumers: readonly Consumer[],
  { jobs, builds }: { readonly jobs: JobRunner; readonly builds: Builds },
): Running {
  const { plan, ...rest } = seen;
  const here = new Set(consumers.map(({ name }) => name));
  return {
    ...rest,
    contracts: plan.contracts,
    elsewhere: plan.consumers.map(({ name }) => name).filter((name) => !here.has(name)),
    consumers: () => consumers.map(consumerStatus),
    lanesChanged: async (lanes) => {
      for (const consumer of consumers)
        await consumer.lanesChanged(
          lanes.filter((changed) => changed.consumer === consumer.name).map((changed) => changed.lane),
        );
    },
    changed: async (change) => {
      if (change.jobs === true) jobs.wake();
      if (change.builds === true) await builds.look();
      await toldOf(consumers, change);
    },
    forget: (name) =>
      consumers
        .find((consumer) => consumer.name === name)
        ?.stop(new Failure("POSITION_MISSING", `${name} was forgotten by an operator; restart to register it anew`)),
  };
}

/** Tells consumers what changed behind their backs. */
export async function toldOf(consumers: readonly Consumer[], change: Change): Promise<void> {
  await Promise.all(consumers.map((consumer) => consumer.changed(change)));
}
