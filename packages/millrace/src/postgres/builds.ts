import { Failure } from "../failure/failure.js";
import {
  knownBuild,
  liveBuild,
  rebuildTarget,
  refuseBehind,
  refuseRebuild,
  refuseWaiting,
  type ServiceBuild,
} from "../store/build-acts.js";
import { amendedAs, type Build, buildConsumer, buildLabel, type Swap, viewOfConsumer } from "../store/builds.js";
import type { Act, ActOutcome } from "../store/operate.js";
import type { Position } from "../store/unit.js";
import { type Acting, acting, type OperateParts } from "./acting.js";
import { Extents, readPositions } from "./consumer-reads.js";
import type { ServicePlace } from "./install.js";
import { lockPositions } from "./locked-positions.js";
import { Locks } from "./locks.js";
import { look } from "./sight.js";

const unchanged: ActOutcome = { changed: 0, lanes: [] };

/** Makes one more build of a view's version, to be folded beside the live one. */
export function rebuild(
  parts: OperateParts,
  view: Omit<ServiceBuild, "build">,
  act: Act,
): Promise<ActOutcome & { readonly build: number }> {
  return acting(parts, async (on) => {
    const place = on.service(view.service);
    const builds = place === undefined ? [] : await lockBuilds(on, place, view.name);
    const own = builds.filter(({ version }) => version === view.version);
    const last = own.reduce((max, { build }) => Math.max(max, build), 0);
    const target = rebuildTarget(view);
    // Sent again, because its answer was lost.
    if (await on.wasDone("rebuild", target, act)) return { ...unchanged, build: last };
    refuseRebuild(view, own);
    await on.change(
      place as ServicePlace,
      `INSERT INTO $schema.mr_builds(name, version, build, state, created, since) VALUES ($1, $2, $3, 'building', $4, $4)`,
      view.name,
      view.version,
      last + 1,
      act.at,
    );
    await on.audit("rebuild", `${target}${last + 1}`, act);
    return { changed: 1, lanes: [], build: last + 1 };
  });
}

/** Has another build answer, in one commit that checks that it has handled in every partition what the live one has. */
export async function swap(parts: OperateParts, { force, ...asked }: Swap, act: Act): Promise<ActOutcome> {
  const extents = new Extents(parts.log);
  // Asked before anything is locked: a log in the same database takes its connections from the same pool.
  for (const { topic } of await look(parts, (sight) => readPositions(sight, buildConsumer(asked))))
    await extents.of(topic);
  return acting(parts, async (on) => {
    const place = on.service(asked.service);
    // Positions come before builds, as in every other commit; which they are is known from the builds as they were.
    const before = place === undefined ? [] : await readBuilds(on, place, asked.name);
    const live = before.find(({ state }) => state === "live");
    const next = knownBuild(asked, before, { dropped: false });
    if (next.state === "live" || place === undefined) return unchanged;
    const names = [next, ...(live === undefined ? [] : [live])].map(buildConsumer);
    const positions = await lockPositions(on.session, place, names);
    const now = await lockBuilds(on, place, asked.name);
    if (sameStates(before, now) === false)
      throw new Failure("CONFLICT", `builds of ${asked.service}.${asked.name} were changed meanwhile; try again`);
    if (live !== undefined) await refuseSwap(on, { place, live, next, force, positions, extents });
    await setState(on, place, { build: next, state: "live" }, act.at);
    if (live !== undefined) await setState(on, place, { build: live, state: "retired" }, act.at);
    const instead = live === undefined ? "" : ` for ${buildLabel(live)}`;
    await on.audit("swap", `projection ${buildConsumer(next)}${instead}`, act);
    return { changed: 1, lanes: [] };
  });
}

/** Ends a build that does not answer: its consumer is forgotten, its rows are removed piece by piece. */
export function drop(parts: OperateParts, asked: ServiceBuild, act: Act): Promise<ActOutcome> {
  return acting(parts, async (on) => {
    const place = on.service(asked.service);
    if (place !== undefined) await lockPositions(on.session, place, [buildConsumer(asked)]);
    const builds = place === undefined ? [] : await lockBuilds(on, place, asked.name);
    const build = knownBuild(asked, builds, { dropped: true });
    if (build.state === "dropped" || place === undefined) return unchanged;
    if (build.state === "live") throw liveBuild(build);
    const consumer = buildConsumer(build);
    await setState(on, place, { build, state: "dropped" }, act.at);
    const changed = await forgetConsumer(on, place, { consumer, detail: `${consumer} was dropped by ${act.actor}` });
    await on.audit("drop", `projection ${consumer}`, act);
    return { changed: changed + 1, lanes: [] };
  });
}

/** Removes a consumer's registration, positions, lanes and amendments. What it made stays, but for rows of a view: they are its own. */
export function forget(parts: OperateParts, consumer: string, act: Act): Promise<ActOutcome> {
  return acting(parts, async (on) => {
    const place = await on.placeOf(consumer);
    if (place === undefined)
      throw new Failure("NOT_FOUND", `no consumer ${consumer} is registered; see millrace consumers ls`);
    await lockPositions(on.session, place, [consumer]);
    const build = await buildOf(on, place, consumer);
    if (build !== undefined) await setState(on, place, { build, state: "dropped" }, act.at);
    const changed = await forgetConsumer(on, place, { consumer, detail: `${consumer} was forgotten by ${act.actor}` });
    await on.audit("forget", `consumer ${consumer}`, act);
    return { changed, lanes: [] };
  });
}

/** The build whose consumer this is, locked. */
async function buildOf(on: Acting, place: ServicePlace, consumer: string): Promise<Build | undefined> {
  const name = viewOfConsumer(consumer)?.split("@")[0];
  if (name === undefined) return undefined;
  return (await lockBuilds(on, place, name)).find((one) => buildConsumer(one) === consumer);
}

/** Its positions are locked. Amendments of a view are kept while one of its builds is registered. */
async function forgetConsumer(
  on: Acting,
  place: ServicePlace,
  { consumer, detail }: { readonly consumer: string; readonly detail: string },
): Promise<number> {
  let changed = 0;
  for (const table of ["mr_consumers", "mr_positions", "mr_lane_entries", "mr_pauses", "mr_mutes"])
    changed += await on.change(place, `DELETE FROM $schema.${table} WHERE consumer = $1`, consumer);
  changed += await on.change(
    place,
    `DELETE FROM $schema.mr_amendments WHERE consumer = $1 AND NOT EXISTS (
       SELECT 1 FROM $schema.mr_consumers WHERE split_part(consumer, '@', 1) = $1)`,
    amendedAs(consumer),
  );
  await on.changeShared(
    `UPDATE $shared.mr_job_items SET state = 'gone', detail = $2 WHERE consumer = $1 AND state IN ('pending', 'redriven')`,
    consumer,
    detail,
  );
  return changed;
}

interface Swapping {
  readonly place: ServicePlace;
  readonly live: Build;
  readonly next: Build;
  readonly force: boolean;
  readonly positions: readonly Position[];
  readonly extents: Extents;
}

async function refuseSwap(on: Acting, swapping: Swapping): Promise<void> {
  const { place, live, next, force, positions, extents } = swapping;
  const [liveName, nextName] = [buildConsumer(live), buildConsumer(next)];
  const livePositions = positions.filter(({ consumer }) => consumer === liveName);
  const own = positions.filter(({ consumer }) => consumer === nextName);
  const registered = (await on.placeOf(nextName)) !== undefined;
  const ends = new Map<string, readonly number[]>();
  for (const topic of new Set(own.map((position) => position.topic)))
    ends.set(topic, (await extents.of(topic))?.ends ?? []);
  const end = (topic: string, partition: number) => ends.get(topic)?.[partition] ?? 0;
  refuseBehind({ live, next, positions: registered ? own : undefined, livePositions, end });
  if (!force) refuseWaiting(await onlyWaiting(on, place, { liveName, nextName }), { live, next, livePositions });
}

/** Events that wait in lanes of the new build, and in none of the live one. */
function onlyWaiting(
  on: Acting,
  place: ServicePlace,
  { liveName, nextName }: { readonly liveName: string; readonly nextName: string },
): Promise<{ topic: string; partition: number; offset: number }[]> {
  return on.session.objects(
    `SELECT topic, partition, "offset" FROM ${place.schema}.mr_lane_entries AS e WHERE consumer = $1 AND NOT EXISTS (
       SELECT 1 FROM ${place.schema}.mr_lane_entries AS o WHERE o.consumer = $2 AND o.topic = e.topic
         AND o.partition = e.partition AND o."offset" = e."offset")`,
    nextName,
    liveName,
  );
}

async function readBuilds(on: Acting, place: ServicePlace, name: string, lock = ""): Promise<Build[]> {
  return on.session.objects<Build>(
    `SELECT $2::text AS service, name, version, build, state, created, since FROM ${place.schema}.mr_builds
     WHERE name = $1 ORDER BY version, build ${lock}`,
    name,
    place.service,
  );
}

async function lockBuilds(on: Acting, place: ServicePlace, name: string): Promise<Build[]> {
  const locks = new Locks();
  locks.alone(`builds/${place.service}/${name}`);
  await locks.take(on.session);
  return readBuilds(on, place, name, "FOR UPDATE");
}

function sameStates(before: readonly Build[], now: readonly Build[]): boolean {
  const states = (builds: readonly Build[]) => JSON.stringify(builds.map((one) => [buildLabel(one), one.state]));
  return states(before) === states(now);
}

async function setState(
  on: Acting,
  place: ServicePlace,
  { build, state }: { readonly build: ServiceBuild; readonly state: Build["state"] },
  now: number,
): Promise<void> {
  await on.change(
    place,
    "UPDATE $schema.mr_builds SET state = $1, since = $2 WHERE name = $3 AND version = $4 AND build = $5",
    state,
    now,
    build.name,
    build.version,
    build.build,
  );
}
