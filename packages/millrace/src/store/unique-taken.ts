import { Failure } from "../failure/failure.js";
import type { DocumentWrite } from "./unit.js";

/** Another document has a unique value of this one. */
export function uniqueTaken(write: DocumentWrite, field?: string): Failure {
  const fields =
    field ??
    write.indexed
      .filter((entry) => entry.unique)
      .map((entry) => entry.field)
      .join(", ");
  return new Failure("UNIQUE_TAKEN", `${write.service}/${write.type}: another document already has this ${fields}`, {
    details: { type: write.type, field: fields },
  });
}
