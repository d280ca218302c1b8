import { buildChecks } from "./build-checks.js";
import { consumerActChecks } from "./consumer-act-checks.js";
import { deadLetterChecks } from "./dead-letter-checks.js";
import { eventReadChecks } from "./event-read-checks.js";
import { jobChecks } from "./job-checks.js";
import type { OperatorsUnderTest } from "./operators-scene.js";
import { readChecks } from "./read-checks.js";
import { type ConformanceCase, type Exceptions, suite } from "./suite.js";

export type { OperatorsUnderTest } from "./operators-scene.js";

/**
 * The promises of the inspect and operate ports: every adapter passes these.
 *
 * @param exceptions what the adapter cannot promise, by the name of the case, with the reason
 * @example
 * ```ts no-check
 * for (const { name, run } of operatorsConformance(openMyStore)) it(name, run);
 * ```
 */
export function operatorsConformance(
  open: () => Promise<OperatorsUnderTest>,
  exceptions: Exceptions = {},
): readonly ConformanceCase[] {
  const reads = { ...readChecks, ...eventReadChecks };
  const acts = { ...deadLetterChecks, ...consumerActChecks, ...buildChecks, ...jobChecks };
  return suite({ ...acts, ...reads }, open, exceptions);
}
