import { Failure } from "../failure/failure.js";
import {
  amendedAs,
  type Build,
  type BuildName,
  buildConsumer,
  buildLabel,
  type Swap,
  tablePrefix,
} from "../store/builds.js";
import type { Act, ActOutcome } from "../store/operate.js";
import { isDone } from "../store/position.js";
import type { Position } from "../store/unit.js";
import { audit, wasDone } from "./audit.js";
import { readTopics } from "./history.js";
import { leaveJobs } from "./jobs.js";
import { all, first, run } from "./query.js";
import type { Database } from "./sqlite.js";
import { readPositions, readRegistrations } from "./standing.js";

type Named = BuildName & { readonly service: string };

const unchanged: ActOutcome = { changed: 0, lanes: [] };
/** Topics that only the new build hears: so near to their end it counts as caught up. */
const nearEnd = 1_000;

/** Runs inside a transaction. The first version of a view is live at once. */
export function ensureBuild(database: Database, view: Omit<Named, "build">, now: number): readonly Build[] {
  const { service, name, version } = view;
  const builds = readBuilds(database, service, name);
  if (builds.some((one) => one.version === version)) return builds;
  insert(
    database,
    { service, name, version, build: 1 },
    builds.some(({ state }) => state === "live") ? "building" : "live",
    now,
  );
  return readBuilds(database, service, name);
}

/** Runs inside a transaction. */
export function rebuild(
  database: Database,
  view: Omit<Named, "build">,
  act: Act,
): ActOutcome & { readonly build: number } {
  const { service, name, version } = view;
  const target = `projection ${service}.${name}@${version}, build `;
  const builds = readBuilds(database, service, name).filter((one) => one.version === version);
  const last = builds.reduce((max, { build }) => Math.max(max, build), 0);
  // Sent again, because its answer was lost.
  if (wasDone(database, "rebuild", target, act)) return { ...unchanged, build: last };
  if (last === 0)
    throw new Failure("NOT_FOUND", `there is no projection ${service}.${name}@${version}; see millrace projections ls`);
  const building = builds.find(({ state }) => state === "building");
  if (building !== undefined)
    throw new Failure(
      "CONFLICT",
      `${buildConsumer(building)} is being built; swap it: millrace projections swap ${name}, or drop it`,
    );
  insert(database, { service, name, version, build: last + 1 }, "building", act.at);
  audit(database, "rebuild", `${target}${last + 1}`, act);
  return { changed: 1, lanes: [], build: last + 1 };
}

/** Runs inside a transaction. */
export function swap(database: Database, { force, ...asked }: Swap, act: Act): ActOutcome {
  const next = knownBuild(database, asked);
  if (next.state === "live") return unchanged;
  const live = readBuilds(database, asked.service, asked.name).find(({ state }) => state === "live");
  if (live !== undefined) refuseBehind(database, live, next, force);
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
export function drop(database: Database, asked: Named, act: Act): ActOutcome {
  const build = knownBuild(database, asked, true);
  if (build.state === "dropped") return unchanged;
  if (build.state === "live")
    throw new Failure("CONFLICT", `${buildConsumer(build)} is live; swap another one first: millrace projections swap`);
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

function refuseBehind(database: Database, live: Build, next: Build, force: boolean): void {
  const [liveName, nextName] = [buildConsumer(live), buildConsumer(next)];
  if (readRegistrations(database).every(({ consumer }) => consumer !== nextName))
    throw new Failure("CONFLICT", `${nextName} has not begun: start an app that declares it`, {
      details: { behind: [] },
    });
  const before = readPositions(database, liveName);
  const behind = readPositions(database, nextName)
    .filter((position) => !hasCome(database, position, before))
    .map(({ topic, partition }) => `${topic}/${partition}`);
  if (behind.length > 0)
    throw new Failure(
      "CONFLICT",
      `${nextName} is behind ${liveName} in ${behind.slice(0, 5).join(", ")}${behind.length > 5 ? ", …" : ""}; wait until it has come there: --wait`,
      { details: { behind } },
    );
  const waiting = force ? 0 : waitingOnly(database, nextName, before);
  if (waiting > 0)
    throw new Failure(
      "CONFLICT",
      `${waiting} events wait in lanes of ${nextName} that ${liveName} has in its rows; see millrace dead-letters ls --consumer ${nextName}, or swap by force`,
    );
}

/** Everything that is done there is done here. */
function hasCome(database: Database, position: Position, before: readonly Position[]): boolean {
  const { topic, partition, frontier } = position;
  const other = before.find((one) => one.topic === topic && one.partition === partition);
  if (other === undefined)
    return frontier + nearEnd >= (readTopics(database).find(({ shape }) => shape.name === topic)?.end ?? 0);
  if (frontier < other.frontier) return false;
  return other.finished.every(([start, end]) => covers(position, start, end));
}

function covers({ frontier, finished }: Position, start: number, end: number): boolean {
  return (
    end <= frontier || finished.some((range) => Math.max(range[0], 0) <= Math.max(start, frontier) && end <= range[1])
  );
}

/** Events that wait in lanes of the new build, while the live one is done with them. */
function waitingOnly(database: Database, consumer: string, before: readonly Position[]): number {
  const sql = "SELECT topic, partition, offset FROM mr_lane_entries WHERE consumer = ?";
  const liveName = before[0]?.consumer ?? "";
  return all<{ topic: string; partition: number; offset: number }>(database, sql, consumer).filter((at) => {
    const position = before.find(({ topic, partition }) => topic === at.topic && partition === at.partition);
    if (position === undefined || !isDone(position, at.offset)) return false;
    const same = `${sql} AND topic = ? AND partition = ? AND offset = ?`;
    return first(database, same, liveName, at.topic, at.partition, at.offset) === undefined;
  }).length;
}

function readBuilds(database: Database, service: string, name: string): readonly Build[] {
  return all<Build>(database, "SELECT * FROM mr_builds WHERE service = ? AND name = ?", service, name);
}

function knownBuild(database: Database, asked: Named, dropped = false): Build {
  const found = readBuilds(database, asked.service, asked.name).find(
    ({ version, build }) => version === asked.version && build === asked.build,
  );
  if (found !== undefined && (dropped || found.state !== "dropped")) return found;
  throw new Failure("NOT_FOUND", `there is no projection ${buildConsumer(asked)}; see millrace projections ls`);
}

function insert(
  database: Database,
  { service, name, version, build }: Named,
  state: Build["state"],
  now: number,
): void {
  run(database, "INSERT INTO mr_builds VALUES (?, ?, ?, ?, ?, ?, ?)", service, name, version, build, state, now, now);
}

function setState(database: Database, of: Named, state: Build["state"], now: number): void {
  const sql = "UPDATE mr_builds SET state = ?, since = ? WHERE service = ? AND name = ? AND version = ? AND build = ?";
  run(database, sql, state, now, of.service, of.name, of.version, of.build);
}
