import { Failure } from "../failure/failure.js";
import type { ConsumerView } from "../store/inspect.js";
import { actOf, type Live } from "./acts.js";
import type { ActArgs, ActReport, Admin } from "./admin.js";

/** The acts on consumers that keep them. */
export type ConsumerActs = Pick<Admin, "pause" | "resume">;

/** Acts of operators on the consumers of a running app. */
export function consumerActsOf(live: Live): ConsumerActs {
  const { operate } = live.running.engine;
  const turn = async (args: ActArgs & { readonly consumer: string }, verb: "pause" | "resume"): Promise<ActReport> => {
    const act = actOf(live, args);
    const { consumer, dryRun = false } = args;
    const view = await consumerView(live, consumer);
    const report = { dryRun, keys: view.parked + view.dead, unchanged: [] };
    const matched = (view.paused === undefined) === (verb === "pause") ? 1 : 0;
    if (dryRun) return { ...report, matched, changed: 0 };
    const { changed } = await operate[verb](consumer, act);
    await live.running.changed({ pauses: true });
    return { ...report, matched, changed };
  };
  return { pause: (args) => turn(args, "pause"), resume: (args) => turn(args, "resume") };
}

/** @throws {Failure} NOT_FOUND */
export async function consumerView(live: Live, consumer: string): Promise<ConsumerView> {
  const views = await live.running.engine.inspect.consumers(live.running.clock.now());
  const view = views.find((candidate) => candidate.consumer === consumer);
  if (view !== undefined) return view;
  throw new Failure("NOT_FOUND", `no consumer is registered as ${JSON.stringify(consumer)}; see millrace consumers ls`);
}
