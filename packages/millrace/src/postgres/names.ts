import { createHash } from "node:crypto";
import { Failure } from "../failure/failure.js";

/** Numbers of rows step by this much, from the number of their service on: `number % step` is the service. */
export const numberStep = 1_024;

/** The schema that all services share, unless another is given. */
export const sharedSchemaDefault = "millrace";

// NAMEDATALEN in PostgreSQL's pg_config_manual.h, less its end.
const identifierMax = 63;
const sharedMax = 20;
const plainName = /^[a-z][a-z0-9_]*$/;

/**
 * Checks the name of the schema that all services share; the services' own begin with it.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function checkSchemaName(name: string): string {
  if (typeof name === "string" && plainName.test(name) && name.length <= sharedMax && !name.startsWith("pg_"))
    return name;
  throw new Failure(
    "OPTION_INVALID",
    `postgresStore: schema takes lower-case letters, digits and "_", at most ${sharedMax} of them, not ${JSON.stringify(name)}`,
    { details: { option: "schema" } },
  );
}

/** The schema of a service. Names of services have no "_", so that different ones have different schemas. */
export function schemaOf(shared: string, service: string): string {
  const plain = `${shared}_${service.replaceAll("-", "_")}`;
  if (plain.length <= identifierMax) return plain;
  const digest = createHash("sha256").update(service).digest("hex").slice(0, 12);
  return `${plain.slice(0, identifierMax - 13)}_${digest}`;
}

/** The number of the service that a row's number belongs to. */
export function serviceNumber(row: number): number {
  return row % numberStep;
}

const dayMs = 86_400_000;

/** The day of a time in ms since the epoch, as days since the epoch: partitions of tables are days. */
export function dayOf(ms: number): number {
  return Math.floor(ms / dayMs);
}

/** When a day begins, in ms since the epoch. */
export function dayStart(day: number): number {
  return day * dayMs;
}
