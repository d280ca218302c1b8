// Loaded before a program that is to meet faults: `MILLRACE_FAULTS='{…}' node --import …/testing/faults-process.js PROGRAM`.
// It comes into the workers of that program, too. Only for the chaos runs and tests of this repository.
import { existsSync } from "node:fs";
import { type FaultName, leasesOf, plant } from "./faults.js";
import { clockBy } from "./faults-clock.js";
import { type DeathPoint, dieAt } from "./faults-death.js";
import { aliveEvery, freezeAtEach } from "./faults-freezing.js";

/** What is to go wrong. */
export interface FaultPlan {
  /** A guard that is turned off, or several. */
  readonly fault?: FaultName | readonly FaultName[];
  /** How long leases are, in place of 15 s. */
  readonly leaseMs?: number;
  readonly death?: Omit<DeathPoint, "armed">;
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
for (const fault of [plan.fault ?? []].flat()) plant(fault);
if (plan.leaseMs !== undefined) leasesOf(plan.leaseMs);
if (plan.death !== undefined)
  dieAt({ ...plan.death, armed: () => plan.armedBy === undefined || existsSync(plan.armedBy) });
if (plan.freeze !== undefined) freezeAtEach(plan.freeze);
if (plan.clocks !== undefined) clockBy(plan.clocks);
if (plan.aliveMs !== undefined) aliveEvery(plan.aliveMs);
