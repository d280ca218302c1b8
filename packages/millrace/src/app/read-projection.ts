import { Failure } from "../failure/failure.js";
import { type Projection, type ProjectionFacts, projectionFacts } from "../projection/projection.js";
import { type ProjectionRows, projectionRows } from "../projection/rows.js";
import type { Clock } from "../runtime/clock.js";
import type { ServiceDeclaration } from "../service/service.js";
import { buildLabel } from "../store/builds.js";
import type { Store } from "../store/store.js";

interface ReadHost {
  readonly services: readonly ServiceDeclaration[];
  readonly store: Store;
  readonly clock: Clock;
}

/** A projection's rows seen from outside. */
export function readProjection<Row>(
  projection: Projection<Row>,
  { services, store, clock }: ReadHost,
): ProjectionRows<Row> {
  const facts = projectionFacts(projection);
  const service = ownerOf(services, facts);
  const type = async () => {
    const builds = await store.readBuilds(service, facts.name);
    return buildLabel(builds.find(({ state }) => state === "live") ?? { ...facts, build: 1 });
  };
  return projectionRows<Row>(facts, { store, service, clock, type });
}

/**
 * The service that owns a projection.
 *
 * @throws {Failure} OPTION_INVALID when none of the app does.
 */
function ownerOf(services: readonly ServiceDeclaration[], { name, version }: ProjectionFacts): string {
  const owner = services.find(({ consumers }) =>
    consumers.some(({ view }) => view?.name === name && view.version === version),
  );
  if (owner !== undefined) return owner.name;
  throw new Failure(
    "OPTION_INVALID",
    `projection ${name}@${version} is owned by no service of this app; add it: service("…").owns(…)`,
  );
}
