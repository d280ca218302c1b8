import type { SqlInput } from "../consumer/handler.js";
import { Failure } from "../failure/failure.js";
import { type Projection, projectionFacts } from "../projection/projection.js";
import { type ProjectionRows, projectionRows } from "../projection/rows.js";
import { isSqlProjection, isTable, type ProjectionTable, type SqlProjection, withTables } from "../projection/sql.js";
import type { Clock } from "../runtime/clock.js";
import type { ServiceDeclaration } from "../service/service.js";
import { missingBuild } from "../store/build-acts.js";
import { type BuildName, buildLabel } from "../store/builds.js";
import type { Store } from "../store/store.js";

/** What projections are read with. */
export interface ReadHost {
  readonly services: readonly ServiceDeclaration[];
  readonly store: Store;
  readonly clock: Clock;
}

/** A projection's rows seen from outside. */
export function readProjection<Row>(
  projection: Projection<Row> | SqlProjection<string>,
  { services, store, clock }: ReadHost,
): ProjectionRows<Row> {
  const facts = isSqlProjection(projection) ? { ...projection, ...unindexed } : projectionFacts(projection);
  const service = ownerOf(services, facts);
  const type = async () => buildLabel(await answering(store, service, facts));
  const rows = projectionRows<Row>(facts, { store, service, clock, type });
  if (!isSqlProjection(projection)) return rows;
  const refuse = (what: string) => (): never => {
    throw new Failure(
      "OPTION_INVALID",
      `projection ${projection.name}: ${what} knows rows that are documents; its rows are in tables of its own: ask with app.query`,
    );
  };
  const refuseLater = (what: string) => async () => refuse(what)();
  return {
    reached: (token, options) => rows.reached(token, options),
    ...{ get: refuseLater("get"), find: refuseLater("find"), count: refuseLater("count") },
    subscribe: refuse("subscribe"),
  };
}

const unindexed = { indexes: [], commutative: false, schema: {} } as const;

/** The build that answers, as of this moment. Where it was forgotten, the one that is made in its place: rows that go are no answer. */
async function answering(store: Store, service: string, view: Omit<BuildName, "build">): Promise<BuildName> {
  const builds = await store.readBuilds(service, view.name);
  const live = builds.find(({ state }) => state === "live");
  return live ?? { ...view, build: missingBuild(builds, view.version)?.build ?? 1 };
}

/** A query whose tables of projections are those of the builds that answer. */
export async function tablesAnswering(
  { services, store }: ReadHost,
  strings: TemplateStringsArray,
  values: readonly (SqlInput | ProjectionTable)[],
): Promise<readonly [TemplateStringsArray, readonly SqlInput[]]> {
  const builds = new Map<string, BuildName>();
  for (const table of values.filter(isTable)) {
    const { projection: name, version } = table;
    if (builds.has(name)) continue;
    builds.set(name, await answering(store, ownerOf(services, { name, version }), { name, version }));
  }
  return withTables(strings, values, ({ projection }) => builds.get(projection) as BuildName);
}

/**
 * The service that owns a projection.
 *
 * @throws {Failure} OPTION_INVALID when none of the app does.
 */
function ownerOf(services: readonly ServiceDeclaration[], { name, version }: Omit<BuildName, "build">): string {
  const owner = services.find(({ consumers }) =>
    consumers.some(({ view }) => view?.name === name && view.version === version),
  );
  if (owner !== undefined) return owner.name;
  throw new Failure(
    "OPTION_INVALID",
    `projection ${name}@${version} is owned by no service of this app; add it: service("…").owns(…)`,
  );
}
