import type { Applied, Applying } from "./applying.js";
import { applyAudit } from "./audit.js";
import { applyDocuments } from "./documents.js";
import { applyIdentities, applyStreams } from "./events.js";
import { applyLanes } from "./lanes.js";
import { applyMain } from "./main.js";
import { applyOperations } from "./operations.js";
import { applyStatements } from "./statements.js";
import { applyTime } from "./time.js";

/** Writes what survived the checks, table after table in one order for all processes. */
export async function apply(applying: Applying): Promise<Applied> {
  await applyDocuments(applying);
  await applyStreams(applying);
  await applyIdentities(applying);
  const entries = await applyLanes(applying);
  await applyTime(applying);
  await applyStatements(applying);
  const results = await applyOperations(applying);
  await applyAudit(applying);
  await applyMain(applying);
  return { entries, results };
}
