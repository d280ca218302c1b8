import { Failure } from "../failure/failure.js";
import { type Build, type BuildName, buildConsumer } from "./builds.js";
import { isDone } from "./position.js";
import type { Position } from "./unit.js";

/** A build of a service's view. */
export type ServiceBuild = BuildName & { readonly service: string };

/** Topics that only the new build hears: so near to their end it counts as caught up. */
const nearEnd = 1_000;

/** With what the audit record of a rebuild begins. */
export function rebuildTarget({ service, name, version }: Omit<ServiceBuild, "build">): string {
  return `projection ${service}.${name}@${version}, build `;
}

/**
 * Refuses one more build of a version.
 *
 * @throws {Failure} NOT_FOUND when that version was never built; CONFLICT when one is being built.
 */
export function refuseRebuild({ service, name, version }: Omit<ServiceBuild, "build">, builds: readonly Build[]): void {
  if (builds.length === 0)
    throw new Failure("NOT_FOUND", `there is no projection ${service}.${name}@${version}; see millrace projections ls`);
  const building = builds.find(({ state }) => state === "building");
  if (building !== undefined)
    throw new Failure(
      "CONFLICT",
      `${buildConsumer(building)} is being built; swap it: millrace projections swap ${name}, or drop it`,
    );
}

/**
 * What a version is to be built by that nobody builds: its first build, or one more where the live one was forgotten with its
 * rows. Undefined where there is one, or where all were dropped beside a live build of another version.
 */
export function missingBuild(
  builds: readonly Build[],
  version: number,
): { readonly build: number; readonly state: "live" | "building" } | undefined {
  const own = builds.filter((one) => one.version === version);
  const live = builds.some(({ state }) => state === "live");
  if (own.some(({ state }) => state !== "dropped") || (live && own.length > 0)) return undefined;
  return { build: own.reduce((max, { build }) => Math.max(max, build), 0) + 1, state: live ? "building" : "live" };
}

/**
 * The build that was asked for, of those of its view.
 *
 * @throws {Failure} NOT_FOUND when there is none; dropped ones count where they may.
 */
export function knownBuild(asked: ServiceBuild, builds: readonly Build[], { dropped }: { dropped: boolean }): Build {
  const found = builds.find(({ version, build }) => version === asked.version && build === asked.build);
  if (found !== undefined && (dropped || found.state !== "dropped")) return found;
  throw new Failure("NOT_FOUND", `there is no projection ${buildConsumer(asked)}; see millrace projections ls`);
}

/** The live build cannot be dropped. */
export function liveBuild(build: Build): Failure {
  return new Failure("CONFLICT", `${buildConsumer(build)} is live; swap another one first: millrace projections swap`);
}

/** What a swap compares. */
export interface SwapStanding {
  readonly live: Build;
  readonly next: Build;
  /** Undefined: its consumer is not registered. */
  readonly positions: readonly Position[] | undefined;
  readonly livePositions: readonly Position[];
  /** Where a partition ends. */
  readonly end: (topic: string, partition: number) => number;
}

/**
 * Refuses a build that has not handled what the live one has.
 *
 * @throws {Failure} CONFLICT
 */
export function refuseBehind({ live, next, positions, livePositions, end }: SwapStanding): void {
  const [liveName, nextName] = [buildConsumer(live), buildConsumer(next)];
  if (positions === undefined)
    throw new Failure("CONFLICT", `${nextName} has not begun: start an app that declares it`, {
      details: { behind: [] },
    });
  const behind = positions
    .filter((position) => !hasCome(position, livePositions, end))
    .map(({ topic, partition }) => `${topic}/${partition}`);
  if (behind.length === 0) return;
  throw new Failure(
    "CONFLICT",
    `${nextName} is behind ${liveName} in ${behind.slice(0, 5).join(", ")}${behind.length > 5 ? ", …" : ""}; wait until it has come there: --wait`,
    { details: { behind } },
  );
}

/**
 * Refuses a build in whose lanes events wait that the live one is done with. `waiting`: those in no lane of the live one.
 *
 * @throws {Failure} CONFLICT
 */
export function refuseWaiting(
  waiting: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[],
  { live, next, livePositions }: Pick<SwapStanding, "live" | "next" | "livePositions">,
): void {
  const done = waiting.filter(({ topic, partition, offset }) => {
    const position = livePositions.find((one) => one.topic === topic && one.partition === partition);
    return position !== undefined && isDone(position, offset);
  });
  if (done.length === 0) return;
  const [liveName, nextName] = [buildConsumer(live), buildConsumer(next)];
  throw new Failure(
    "CONFLICT",
    `${done.length} events wait in lanes of ${nextName} that ${liveName} has in its rows; see millrace dead-letters ls --consumer ${nextName}, or swap by force`,
  );
}

/** Everything that is done there is done here. */
function hasCome(position: Position, live: readonly Position[], end: SwapStanding["end"]): boolean {
  const { topic, partition, frontier } = position;
  const other = live.find((one) => one.topic === topic && one.partition === partition);
  if (other === undefined) return frontier + nearEnd >= end(topic, partition);
  if (frontier < other.frontier) return false;
  return other.finished.every(([start, stop]) => covers(position, start, stop));
}

function covers({ frontier, finished }: Position, start: number, end: number): boolean {
  return (
    end <= frontier || finished.some((range) => Math.max(range[0], 0) <= Math.max(start, frontier) && end <= range[1])
  );
}
