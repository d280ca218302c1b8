import type { View } from "../consumer/view.js";
import { Failure } from "../failure/failure.js";
import type { ServiceDeclaration } from "../service/service.js";
import { type Build, type BuildState, buildConsumer, buildLabel } from "../store/builds.js";
import type { ConsumerView, Inspect } from "../store/inspect.js";
import { iso } from "./views.js";

/** How one build of a projection stands. */
export interface ProjectionView {
  /** `order-summary@2`, or `order-summary@2.2` for the second build of the version. */
  readonly projection: string;
  readonly service: string;
  readonly name: string;
  readonly version: number;
  readonly build: number;
  readonly state: BuildState;
  readonly consumer: string;
  /** When it was made, and when it got its state: ISO times. */
  readonly created: string;
  readonly since: string;
  /** How much of the log it has come through, from 0 to 1. */
  readonly progress: number;
  /** When it will have come to the end, at the speed so far; undefined when that cannot be told. */
  readonly etaMs?: number;
  readonly lagMs: number;
  readonly lagRecords: number;
  readonly dead: number;
  readonly paused?: string;
}

/** All builds that are not dropped, by name; the live one of each first. */
export async function readProjections(inspect: Inspect, now: number): Promise<readonly ProjectionView[]> {
  const [builds, consumers] = [await inspect.builds(), await inspect.consumers(now)];
  return builds
    .filter(({ state }) => state !== "dropped")
    .map((build) => {
      const view = consumers.find(({ consumer }) => consumer === buildConsumer(build));
      return { ...named(build), ...standing(build, view, now) };
    })
    .sort((a, b) => (a.name === b.name ? rank(a) - rank(b) || b.version - a.version : a.name < b.name ? -1 : 1));
}

const ranks: Readonly<Record<BuildState, number>> = { live: 0, building: 1, retired: 2, dropped: 3 };
const rank = ({ state }: ProjectionView): number => ranks[state];

function named(build: Build) {
  const { service, name, version, build: number, state } = build;
  return {
    ...{ projection: buildLabel(build), service, name, version, build: number, state },
    ...{ consumer: buildConsumer(build), created: iso(build.created), since: iso(build.since) },
  };
}

function standing(build: Build, view: ConsumerView | undefined, now: number) {
  if (view === undefined) return { progress: 0, lagMs: 0, lagRecords: 0, dead: 0 };
  const heard = view.positions.filter(({ topic }) => view.topics.some((one) => one.topic === topic));
  const sum = (of: (position: (typeof heard)[number]) => number) => heard.reduce((all, one) => all + of(one), 0);
  const total = sum(({ start, end }) => end - start);
  const done = sum(({ start, frontier }) => Math.max(0, frontier - start));
  const progress = view.lagRecords === 0 || total === 0 ? 1 : Math.min(1, done / total);
  const paused = view.paused === undefined ? {} : { paused: `by ${view.paused.actor}: ${view.paused.reason}` };
  const { lagMs, lagRecords, dead } = view;
  const etaMs = progress === 1 ? 0 : Math.round(((now - build.created) * (1 - progress)) / progress);
  const known = Number.isFinite(etaMs) && view.paused === undefined && build.state === "building";
  return { progress, ...(known ? { etaMs } : {}), lagMs, lagRecords, dead, ...paused };
}

/** The builds that are meant: `order-summary`, `orders.order-summary`, with `@2` or `@2.2` behind it. */
function buildsMeant(builds: readonly Build[], ref: string): readonly Build[] {
  const [, service, name, version, build] = /^(?:([\w-]+)\.)?([\w-]+)(?:@(\d+)(?:\.(\d+))?)?$/.exec(ref) ?? [];
  const found = builds.filter(
    (one) =>
      one.name === name &&
      one.state !== "dropped" &&
      (service === undefined || one.service === service) &&
      (version === undefined || one.version === Number(version)) &&
      (build === undefined || one.build === Number(build)),
  );
  if (found.length === 0)
    throw new Failure("NOT_FOUND", `there is no projection ${JSON.stringify(ref)}; see millrace projections ls`);
  const services = new Set(found.map((one) => one.service));
  if (services.size > 1)
    throw new Failure("CONFLICT", `${ref} is a projection of ${[...services].join(" and ")}; write SERVICE.${ref}`);
  return found;
}

/**
 * The one build that is meant: the one that was named, or the first in one of the states.
 *
 * @throws {Failure} NOT_FOUND
 */
export function buildMeant(builds: readonly Build[], ref: string, states: readonly BuildState[]): Build {
  const found = buildsMeant(builds, ref);
  if (found.length === 1 && ref.includes("@")) return found[0] as Build;
  for (const state of states) {
    const of = found.filter((one) => one.state === state);
    const newest = of.sort((a, b) => b.version - a.version || b.build - a.build)[0];
    if (newest !== undefined) return newest;
  }
  throw new Failure("NOT_FOUND", `no build of ${ref} is ${states.join(" or ")}; see millrace projections ls`);
}

/**
 * What the running app declares of a build's version.
 *
 * @throws {Failure} CONFLICT when it declares another version, or none.
 */
export function viewOf(services: readonly ServiceDeclaration[], { service, name, version }: Build): View {
  const view = services
    .find((one) => one.name === service)
    ?.consumers.map((consumer) => consumer.view)
    .find((one) => one?.name === name && one.version === version);
  if (view !== undefined) return view;
  throw new Failure(
    "CONFLICT",
    `the running app does not declare projection ${name}@${version}; add it to service ${service} beside the others`,
  );
}
