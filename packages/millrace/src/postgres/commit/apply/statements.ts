import { Failure } from "../../../failure/failure.js";
import { isConnectionLost, isLockConflict, storeFailure } from "../../errors.js";
import { numbered } from "../../user-sql.js";
import type { Applying } from "./applying.js";

/** One unit's data cannot be stored; the others of its group can. */
export class UnitError extends Error {
  constructor(
    readonly unit: number,
    readonly failure: Failure,
  ) {
    super(failure.message, { cause: failure });
  }
}

/**
 * Runs the users' own statements, in group order, in the service's schema.
 *
 * @throws {UnitError} when one is refused, or changes another number of rows than it must.
 */
export async function applyStatements({ session, staged: { statements } }: Applying): Promise<void> {
  for (const { unit, statement } of statements) {
    const { text, params, rows } = statement;
    let changed: number;
    try {
      changed = (await session.client.query({ text: numbered(text), values: [...params] })).rowCount ?? 0;
    } catch (error) {
      const failure = storeFailure(error);
      if (isConnectionLost(error) || isLockConflict(error) || failure.code !== "STATEMENT_FAILED") throw error;
      throw new UnitError(unit, failure);
    }
    if (rows !== undefined && rows !== changed)
      throw new UnitError(unit, new Failure("STATEMENT_FAILED", `changed ${changed} rows instead of ${rows}: ${text}`));
  }
}
