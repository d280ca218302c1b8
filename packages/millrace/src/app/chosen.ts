import { Failure } from "../failure/failure.js";
import { checkOptions } from "../runtime/options.js";
import type { ServiceDeclaration } from "../service/service.js";
import type { StartOptions } from "./app.js";

/**
 * The services that a process is to run.
 *
 * @throws {Failure} OPTION_INVALID naming those that the app has.
 */
export function chosenServices(
  services: readonly ServiceDeclaration[],
  options: StartOptions,
): readonly ServiceDeclaration[] {
  checkOptions(options, { services: true, acceptRisks: true }, { where: "app.start" });
  const { services: names } = options;
  if (names === undefined) return services;
  const known = services.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (names.length > 0 && unknown.length === 0) return services.filter(({ name }) => names.includes(name));
  const problem = names.length === 0 ? "names no service" : `names ${unknown.join(", ")}, which the app does not have`;
  throw new Failure("OPTION_INVALID", `start: services ${problem}; it has ${known.join(", ")}`, {
    details: { option: "services" },
  });
}
