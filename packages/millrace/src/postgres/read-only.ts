import { Failure } from "../failure/failure.js";
import type { Inspect } from "../store/inspect.js";
import { translated } from "./errors.js";
import { createInspect } from "./inspect.js";
import { readPlaces } from "./install.js";
import { serviceSteps, sharedSteps } from "./schema.js";
import { type Session, withSession } from "./session.js";
import type { InspectParts } from "./sight.js";

/**
 * Millrace's tables in a database, only to be read: beside processes that write them or without any. Nothing is made or brought
 * up to date.
 *
 * @throws {Failure} NOT_FOUND when there are none; STORE_FORMAT when they are of another version; STORE_UNAVAILABLE
 */
export async function openReadOnly(parts: InspectParts): Promise<Inspect> {
  const { pool, shared } = parts;
  await translated(() =>
    withSession(pool, async (session) => {
      const [there, database] = (await session.row(
        "SELECT to_regclass($1) IS NOT NULL, current_database()::text",
        `${shared}.mr_services`,
      )) as [boolean, string];
      if (!there)
        throw new Failure(
          "NOT_FOUND",
          `database ${database} has no schema ${shared} of Millrace: start the app once, or name another with ?schema=`,
        );
      await refuseOtherSteps(session, shared);
    }),
  );
  return createInspect(parts);
}

async function refuseOtherSteps(session: Session, shared: string): Promise<void> {
  const wanted = [
    { schema: shared, steps: sharedSteps.length },
    ...(await readPlaces(session, shared)).map(({ schema }) => ({ schema, steps: serviceSteps.length })),
  ];
  const found = await session.rows(
    wanted
      .map(({ schema }) => `SELECT '${schema}', coalesce(max(number), 0) FROM ${schema}.mr_schema`)
      .join(" UNION ALL "),
  );
  const steps = new Map(found as [string, number][]);
  for (const { schema, steps: known } of wanted) {
    const has = steps.get(schema) ?? 0;
    if (has === known) continue;
    const advice =
      has > known ? "run the newer version of Millrace" : "starting the app of this version brings them up to date";
    throw new Failure(
      "STORE_FORMAT",
      `schema ${schema} has Millrace's tables as of step ${has}, this version knows ${known}: ${advice}`,
    );
  }
}
