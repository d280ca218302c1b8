// Loaded before a program that is to meet faults: `MILLRACE_FAULTS='{…}' node --import …/testing/faults-process.js PROGRAM`.
// It comes into the workers of that program, too. Only for the chaos runs and tests of this repository.
import { existsSync } from "node:fs";
import { type FaultName, leasesOf, plant } from "./faults.js";
import { clockBy } from "./faults-clock.js";
import { type DeathPoint, dieAt } from "./faults-death.js";
import { aliveEvery, freezeAtEach } from "./faults-freezing.js";
import { dieAfterLines } from "./faults-lines.js";
import type { ServerFaultName } from "./faults-servers.js";

/** What is to go wrong. */
export interface FaultPlan {
  /** A guard that is turned off, or several. */
  readonly fault?: FaultName | readonly FaultName[] | ServerFaultName;
  /** PostgreSQL is the store, in place of a file. */
  readonly postgres?: true;
  /** How long leases are, in place of 15 s. */
  readonly leaseMs?: number;
  readonly death?: Omit<DeathPoint, "armed">;
  /** After how many lines that it says it ends, in the middle of its work. */
  readonly deathAfterLines?: number;
  /** At which statement to PostgreSQL a process ends, whatever it is for. */
  readonly deathAtQuery?: number;
  /** The folder whose files say which process freezes, and where each has frozen. */
  readonly freeze?: string;
  /** How often processes say that they are alive, in place of 3 s. */
  readonly aliveMs?: number;
  /** The folder whose files say how far off the wall clocks are. */
  readonly clocks?: string;
  /** Nobody kills itself once this file is gone. */
  readonly armedBy?: string;
}

const plan = JSON.parse(process.env.MILLRACE_FAULTS ?? "{}") as FaultPlan;
const { fault, leaseMs, death, freeze, armedBy } = plan;
const armed = () => armedBy === undefined || existsSync(armedBy);

if (plan.postgres === true) {
  // The driver is loaded only where it is used.
  const [{ serverAliveEvery }, { serverLeasesOf }, { dieAtQuery, dieAtServer }, { freezeAtEachStep }, { plantServer }] =
    await Promise.all([
      import("./faults-server-alive.js"),
      import("./faults-queries.js"),
      import("./faults-server-death.js"),
      import("./faults-server-freezing.js"),
      import("./faults-servers.js"),
    ]);
  if (leaseMs !== undefined) serverLeasesOf(leaseMs);
  if (plan.aliveMs !== undefined) serverAliveEvery(plan.aliveMs);
  if (fault !== undefined) plantServer(fault as ServerFaultName);
  if (death !== undefined) dieAtServer({ ...death, armed });
  if (plan.deathAtQuery !== undefined) dieAtQuery(plan.deathAtQuery);
  if (freeze !== undefined) freezeAtEachStep(freeze);
} else {
  for (const name of [fault ?? []].flat()) plant(name as FaultName);
  if (leaseMs !== undefined) leasesOf(leaseMs);
  if (death !== undefined) dieAt({ ...death, armed });
  if (freeze !== undefined) freezeAtEach(freeze);
  if (plan.aliveMs !== undefined) aliveEvery(plan.aliveMs);
}
if (plan.clocks !== undefined) clockBy(plan.clocks);
if (plan.deathAfterLines !== undefined) dieAfterLines(plan.deathAfterLines);
