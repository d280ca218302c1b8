import type { Applied, Applying } from "./applying.js";
import { applyDocuments } from "./documents.js";
import { applyIdentities, applyOutbox, applyStreams } from "./events.js";
import { applyInbox } from "./inbox.js";
import { applyLanes } from "./lanes.js";
import { applyOperations } from "./operations.js";
import { applyAudit, applyPositions } from "./positions.js";
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
  await applyInbox(applying);
  await applyOutbox(applying);
  await applyPositions(applying);
  return { entries, results };
}
