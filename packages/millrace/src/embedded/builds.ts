import {
  knownBuild,
  liveBuild,
  missingBuild,
  rebuildTarget,
  refuseBehind,
  refuseRebuild,
  refuseWaiting,
  type ServiceBuild,
} from "../store/build-acts.js";
import { amendedAs, type Build, buildConsumer, buildLabel, type Swap, tablePrefix } from "../store/builds.js";
import type { Act, ActOutcome } from "../store/operate.js";
import { audit, wasDone } from "./audit.js";
import { readTopics } from "./history.js";
import { leaveJobs } from "./jobs.js";
import { all, first, run } from "./query.js";
import type { Database } from "./sqlite.js";
import { readPositions, readRegistrations } from "./standing.js";

const unchanged: ActOutcome = { changed: 0, lanes: [] };

/** Runs inside a transaction. The first version of a view is live at once. */
export function ensureBuild(database: Database, view: Omit<ServiceBuild, "build">, now: number): readonly Build[] {
  const { service, name, version } = view;
  const builds = readBuilds(database, service, name);
  const next = missingBuild(builds, version);
  if (next === undefined) return builds;
  insert(database, { service, name, version, build: next.build }, next.state, now);
  return readBuilds(database, service, name);
}

/** Runs inside a transaction. */
export function rebuild(
  database: Database,
  view: Omit<ServiceBuild, "build">,
  act: Act,
): ActOutcome & { readonly build: number } {
  const { service, name, version } = view;
  const target = rebuildTarget(view);
  const builds = readBuilds(database, service, name).filter((one) => one.version === version);
  const last = builds.reduce((max, { build }) => Math.max(max, build), 0);
  // Sent again, because its answer was lost.
  if (wasDone(database, "rebuild", target, act)) return { ...unchanged, build: last };
  refuseRebuild(view, builds);
  insert(database, { service, name, version, build: last + 1 }, "building", act.at);
  audit(database, "rebuild", `${target}${last + 1}`, act);
  return { changed: 1, lanes: [], build: last + 1 };
}

/** Runs inside a transaction. */
export function swap(database: Database, { force, ...asked }: Swap, act: Act): ActOutcome {
  const builds = readBuilds(database, asked.service, asked.name);
  const next = knownBuild(asked, builds, { dropped: false });
  if (next.state === "live") return unchanged;
  const live = builds.find(({ state }) => state === "live");
  if (live !== undefined) refuseSwap(database, { live, next, force });
  setState(database, next, "live", act.at);
  if (live !== undefined) setState(database, live, "retired", act.at);
  audit(
    database,
    "swap",
    `projection ${buildConsumer(next)}${live === undefined ? "" : ` for ${buildLabel(live)}`}`,
    act,
  );
  return { changed: 1, lanes: [] };
}

/** Runs inside a transaction. Its rows are removed later, in pieces. */
export function drop(database: Database, asked: ServiceBuild, act: Act): ActOutcome {
  const build = knownBuild(asked, readBuilds(database, asked.service, asked.name), { dropped: true });
  if (build.state === "dropped") return unchanged;
  if (build.state === "live") throw liveBuild(build);
  const consumer = buildConsumer(build);
  setState(database, build, "dropped", act.at);
  leaveJobs(database, "consumer = ?", [consumer], `${consumer} was dropped by ${act.actor}`);
  const changed = 1 + forgetConsumer(database, consumer);
  audit(database, "drop", `projection ${consumer}`, act);
  return { changed, lanes: [] };
}

/** Runs inside a transaction. Amendments of a view are kept while one of its builds is registered. */
export function forgetConsumer(database: Database, consumer: string): number {
  let changed = 0;
  for (const table of ["mr_consumers", "mr_positions", "mr_lane_entries", "mr_pauses", "mr_mutes"])
    changed += run(database, `DELETE FROM ${table} WHERE consumer = ?`, consumer);
  const amended = amendedAs(consumer);
  const others = readRegistrations(database).some((other) => amendedAs(other.consumer) === amended);
  if (!others) changed += run(database, "DELETE FROM mr_amendments WHERE consumer = ?", amended);
  return changed;
}

const piece = 2_000;

/** Runs inside a transaction. Whose consumer is forgotten is dropped: one that comes after it folds rows of its own. */
export function dropBuildOf(database: Database, consumer: string, now: number): void {
  const build = all<Build>(database, "SELECT * FROM mr_builds").find((one) => buildConsumer(one) === consumer);
  if (build !== undefined) setState(database, build, "dropped", now);
}

/** Runs inside a transaction: removes some of the rows of dropped builds. False when there is nothing left. */
export function sweepDropped(database: Database): boolean {
  for (const build of all<Build>(database, "SELECT * FROM mr_builds WHERE state = 'dropped'")) {
    if (dropTables(database, build)) return true;
    const sql = "SELECT type FROM mr_document_types WHERE service = ? AND name = ?";
    const type = first<{ type: number }>(database, sql, build.service, buildLabel(build))?.type;
    if (type === undefined) continue;
    const ids = "SELECT id FROM mr_documents WHERE type = ? ORDER BY id LIMIT ?";
    const last = all<{ id: string }>(database, ids, type, piece).at(-1)?.id;
    if (last === undefined) {
      run(database, "DELETE FROM mr_document_changes WHERE type = ?", type);
      run(database, "DELETE FROM mr_document_types WHERE type = ?", type);
    } else
      for (const table of ["mr_document_index", "mr_document_unique", "mr_documents"])
        run(database, `DELETE FROM ${table} WHERE type = ? AND id <= ?`, type, last);
    return true;
  }
  return false;
}

/** Tables of its own; they are dropped one at a time. */
function dropTables(database: Database, build: Build): boolean {
  const prefix = tablePrefix(build);
  const sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, ?) = ? LIMIT 1";
  const table = first<{ name: string }>(database, sql, prefix.length, prefix)?.name;
  if (table === undefined) return false;
  database.exec(`DROP TABLE "${table.replaceAll('"', '""')}"`);
  return true;
}

function refuseSwap(database: Database, { live, next, force }: { live: Build; next: Build; force: boolean }): void {
  const [liveName, nextName] = [buildConsumer(live), buildConsumer(next)];
  const registered = readRegistrations(database).some(({ consumer }) => consumer === nextName);
  const livePositions = readPositions(database, liveName);
  const topics = new Map(readTopics(database).map(({ shape, end }) => [shape.name, end]));
  const positions = registered ? readPositions(database, nextName) : undefined;
  refuseBehind({ live, next, positions, livePositions, end: (topic) => topics.get(topic) ?? 0 });
  if (!force) refuseWaiting(onlyWaiting(database, { liveName, nextName }), { live, next, livePositions });
}

/** Events that wait in lanes of the new build, and in none of the live one. */
function onlyWaiting(
  database: Database,
  { liveName, nextName }: { readonly liveName: string; readonly nextName: string },
): { topic: string; partition: number; offset: number }[] {
  return all(
    database,
    `SELECT topic, partition, offset FROM mr_lane_entries AS e WHERE consumer = ? AND NOT EXISTS (
       SELECT 1 FROM mr_lane_entries AS o WHERE o.consumer = ? AND o.topic = e.topic AND o.partition = e.partition
         AND o.offset = e.offset)`,
    nextName,
    liveName,
  );
}

function readBuilds(database: Database, service: string, name: string): readonly Build[] {
  return all<Build>(database, "SELECT * FROM mr_builds WHERE service = ? AND name = ?", service, name);
}

function insert(
  database: Database,
  { service, name, version, build }: ServiceBuild,
  state: Build["state"],
  now: number,
): void {
  run(database, "INSERT INTO mr_builds VALUES (?, ?, ?, ?, ?, ?, ?)", service, name, version, build, state, now, now);
}

function setState(database: Database, of: ServiceBuild, state: Build["state"], now: number): void {
  const sql = "UPDATE mr_builds SET state = ?, since = ? WHERE service = ? AND name = ? AND version = ? AND build = ?";
  run(database, sql, state, now, of.service, of.name, of.version, of.build);
}
