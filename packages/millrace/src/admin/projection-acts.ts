import { Failure, isFailure } from "../failure/failure.js";
import { compareBuilds } from "../projection/compare.js";
import { compareTables } from "../projection/compare-tables.js";
import { verifyBuild } from "../projection/verify.js";
import { type Build, buildConsumer } from "../store/builds.js";
import type { ActOutcome } from "../store/operate.js";
import { actOf, type Live } from "./acts.js";
import type { Admin } from "./admin.js";
import { buildMeant, viewOf } from "./projections.js";

/** The acts on projections, and what only a running app can find out about them. */
export type ProjectionActs = Pick<
  Admin,
  "rebuildProjection" | "swapProjection" | "dropProjection" | "verifyProjection" | "compareProjections"
>;

const lookMs = 20;
const waitMsMax = 3_600_000;

/** Acts of operators on the projections of a running app. */
export function projectionActsOf(live: Live): ProjectionActs {
  const { operate, inspect } = live.running.engine;
  const builds = async () => await inspect.builds();
  const told = async <T extends ActOutcome>(outcome: T): Promise<T> => {
    await live.running.changed({ builds: true, lanes: outcome.lanes });
    return outcome;
  };
  return {
    async rebuildProjection({ projection, force = false, ...args }) {
      const act = actOf(live, args);
      const before = buildMeant(await builds(), projection, ["live", "building", "retired"]);
      viewOf(live.running.services, before);
      if (!force) await refuseTrimmed(live, before);
      const { dryRun = false } = args;
      const report = { dryRun, matched: 1, keys: 0, unchanged: [] };
      if (dryRun) return { ...report, changed: 0, consumer: buildConsumer(before) };
      const { changed, build } = await told(await operate.rebuild(before, act));
      return { ...report, changed, consumer: buildConsumer({ ...before, build }) };
    },
    async swapProjection({ projection, force = false, waitMs = 0, ...args }) {
      const act = actOf(live, args);
      // Going back takes the name of a build: who repeats a swap whose answer was lost must not undo it.
      const next = buildMeant(await builds(), projection, ["building"]);
      const { dryRun = false } = args;
      const report = { dryRun, matched: next.state === "live" ? 0 : 1, keys: 0, unchanged: [] };
      const consumer = buildConsumer(next);
      if (dryRun) return { ...report, changed: 0, consumer };
      const swap = async () => (await told(await operate.swap({ ...next, force }, act))).changed;
      return { ...report, changed: await waiting(live, Math.min(waitMs, waitMsMax), swap), consumer };
    },
    async dropProjection({ projection, ...args }) {
      const act = actOf(live, args);
      const build = buildMeant(await builds(), projection, ["retired", "building"]);
      const { dryRun = false } = args;
      const report = { dryRun, matched: 1, keys: 0, unchanged: [], consumer: buildConsumer(build) };
      if (build.state === "live")
        throw new Failure("CONFLICT", `${report.consumer} is live; swap another one first: millrace projections swap`);
      if (dryRun) return { ...report, changed: 0 };
      const { changed } = await told(await operate.drop(build, act));
      return { ...report, changed: changed === 0 ? 0 : 1 };
    },
    async verifyProjection({ projection }) {
      const build = buildMeant(await builds(), projection, ["live"]);
      const { rows } = viewOf(live.running.services, build);
      if (rows === undefined) throw inTables(build);
      const { engine, contracts, clock } = live.running;
      const found = await verifyBuild({ engine, contracts, build, rows, now: clock.now() });
      return { consumer: buildConsumer(build), ...found };
    },
    async compareProjections({ projection, with: other }) {
      const known = await builds();
      const one = buildMeant(known, projection, ["live"]);
      const against = buildMeant(known, other ?? projection, ["building", "retired"]);
      const { engine, clock, services } = live.running;
      const comparing = { store: engine.store, clock, one, other: against };
      const [tables, others] = [tablesOf(services, one), tablesOf(services, against)];
      if (`${tables}` !== `${others}`)
        throw new Failure(
          "CONFLICT",
          `${buildConsumer(one)} and ${buildConsumer(against)} keep their rows in different tables; look with app.query`,
        );
      const compared = await (tables === undefined ? compareBuilds(comparing) : compareTables(comparing, tables));
      return { one: buildConsumer(one), other: buildConsumer(against), ...compared };
    },
  };
}

function inTables(build: Build): Failure {
  return new Failure(
    "CONFLICT",
    `${buildConsumer(build)} keeps its rows in tables of its own, which are only made by statements in commits: build it once more, and compare the two: millrace projections rebuild ${build.name}, then compare ${build.name}`,
  );
}

/** The tables of a build, in order; undefined when its rows are documents, or nobody declares it any more. */
function tablesOf(services: Live["running"]["services"], { name, version }: Build): readonly string[] | undefined {
  for (const { consumers } of services)
    for (const { view } of consumers)
      if (view?.name === name && view.version === version && view.rows === undefined)
        return [...view.tableNames].sort();
  return undefined;
}

/** Tries again while the only reason against it is that the new build is behind. */
async function waiting(live: Live, waitMs: number, swap: () => Promise<number>): Promise<number> {
  const { clock } = live.running;
  const until = clock.monotonic() + waitMs;
  for (;;) {
    try {
      return await swap();
    } catch (error) {
      const behind = isFailure(error, "CONFLICT") && error.details.behind !== undefined;
      if (!behind || clock.monotonic() >= until) throw error;
    }
    await new Promise<void>((resolve) => clock.after(lookMs, resolve));
  }
}

async function refuseTrimmed(live: Live, build: Build): Promise<void> {
  const { inspect } = live.running.engine;
  const consumer = buildConsumer(build);
  const heard = (await inspect.consumers(live.running.clock.now())).find((one) => one.consumer === consumer)?.topics;
  for (const { name, records, end } of await inspect.topics())
    if (records < end && heard?.some(({ topic }) => topic === name) === true)
      throw new Failure(
        "CONFLICT",
        `topic ${name} does not hold its first ${end - records} events any more: rows that they made would be lost; force it to build from what is left`,
      );
}
