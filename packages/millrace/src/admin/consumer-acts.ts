import { Failure } from "../failure/failure.js";
import { viewOfConsumer } from "../store/builds.js";
import type { ConsumerView } from "../store/inspect.js";
import type { SeekTarget } from "../store/seek.js";
import { actOf, type Live } from "./acts.js";
import type { ActArgs, ActReport, Admin } from "./admin.js";

/** The acts on consumers that keep them. */
export type ConsumerActs = Pick<Admin, "pause" | "resume" | "seek">;

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
  return {
    pause: (args) => turn(args, "pause"),
    resume: (args) => turn(args, "resume"),
    async seek({ reason, actor, dryRun = false, mute = false, ...where }) {
      const act = actOf(live, { reason, actor, dryRun });
      refuseView(where.consumer, "be moved");
      const asked = { ...where, to: checkedTarget(where.to), mute };
      const positions = await live.running.engine.inspect.seekSteps(asked);
      const matched = positions.filter(({ from, to }) => from !== to).length;
      const keys = positions.reduce((sum, { waiting }) => sum + waiting, 0);
      if (dryRun) return { dryRun, matched, changed: 0, keys, positions };
      const { changed, lanes, job } = await operate.seek(asked, act);
      await live.running.changed({ lanes, amended: true, leases: true, timers: true });
      return { dryRun, matched, changed, keys, positions, ...(job === undefined ? {} : { job }) };
    },
  };
}

/**
 * Rows are the fold of all events, each once: moved or begun anew beside them, a projection would fold some twice, or never.
 *
 * @throws {Failure} CONFLICT when the consumer folds the rows of a projection.
 */
function refuseView(consumer: string, what: string): void {
  const projection = viewOfConsumer(consumer);
  if (projection === undefined) return;
  throw new Failure(
    "CONFLICT",
    `${consumer} is a projection and cannot ${what}: its rows would hold events twice, or lack them; build them once more: millrace projections rebuild ${projection}, or drop it`,
  );
}

function checkedTarget(to: SeekTarget): SeekTarget {
  const { type } = to;
  const given = type === "offset" ? to.offset : type === "time" ? to.at : 0;
  if (typeof given === "number") return to;
  throw new Failure("REQUEST_INVALID", `seek: to a ${type}, and which one is missing`);
}

/** @throws {Failure} NOT_FOUND */
async function consumerView(live: Live, consumer: string): Promise<ConsumerView> {
  const views = await live.running.engine.inspect.consumers(live.running.clock.now());
  const view = views.find((candidate) => candidate.consumer === consumer);
  if (view !== undefined) return view;
  throw new Failure("NOT_FOUND", `no consumer is registered as ${JSON.stringify(consumer)}; see millrace consumers ls`);
}
