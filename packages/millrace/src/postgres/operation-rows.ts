import type { OperationRow } from "../store/rows.js";

/** What is read of mr_operations, in order. */
export const operationColumns =
  "operation, fingerprint, command, key, correlation, state, refused, detail, created, finished, events";

const names = operationColumns.split(", ");

/** A row of {@link operationColumns}. */
export function operationRow(columns: readonly unknown[]): OperationRow {
  return Object.fromEntries(names.map((name, index) => [name, columns[index]])) as unknown as OperationRow;
}
