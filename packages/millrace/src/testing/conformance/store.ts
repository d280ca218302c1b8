import type { Store } from "../../store/store.js";
import { claimChecks } from "./claim-checks.js";
import { documentChecks } from "./document-checks.js";
import { documentQueryChecks } from "./document-query-checks.js";
import { laneChecks } from "./lane-checks.js";
import { recordsChecks } from "./records-checks.js";
import { streamChecks } from "./stream-checks.js";
import { type ConformanceCase, type Exceptions, type Opened, suite } from "./suite.js";
import { statementChecks, timeChecks } from "./time-checks.js";

/**
 * A store that holds nothing yet, beside a log that has the topic "conformance" and the topic of streams
 * "conformance-streams", each of two partitions.
 */
export interface StoreUnderTest extends Opened {
  readonly store: Store;
  /** The ids of the records that committed units have published to "conformance", in the order of their commits. */
  readonly published: () => Promise<readonly string[]>;
  /** Closes it, and opens what it has stored anew; `store` is the new one from then on. */
  reopen(): Promise<void>;
}

/**
 * The promises of the store port: every adapter passes these.
 *
 * @param exceptions what the adapter cannot promise, by the name of the case, with the reason
 * @example
 * ```ts no-check
 * for (const { name, run } of storeConformance(openMyStore)) it(name, run);
 * ```
 */
export function storeConformance(
  open: () => Promise<StoreUnderTest>,
  exceptions: Exceptions = {},
): readonly ConformanceCase[] {
  const documents = { ...documentChecks, ...documentQueryChecks };
  const records = { ...recordsChecks, ...streamChecks };
  const checks = { ...documents, ...claimChecks, ...records, ...laneChecks, ...timeChecks, ...statementChecks };
  return suite(checks, open, exceptions);
}
