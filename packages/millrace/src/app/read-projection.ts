import { buildLabel } from "../consumer/view.js";
import { Failure } from "../failure/failure.js";
import { type Projection, type ProjectionFacts, projectionFacts } from "../projection/projection.js";
import { type ProjectionRows, projectionRows } from "../projection/rows.js";
import type { ServiceDeclaration } from "../service/service.js";
import type { Store } from "../store/store.js";

/** A projection's rows seen from outside. */
export function readProjection<Row>(
  store: Store,
  services: readonly ServiceDeclaration[],
  projection: Projection<Row>,
): ProjectionRows<Row> {
  const facts = projectionFacts(projection);
  const service = ownerOf(services, facts);
  return projectionRows<Row>(facts, { store, service, type: () => buildLabel({ ...facts, build: 1 }) });
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
