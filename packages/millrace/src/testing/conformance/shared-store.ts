import type { Store } from "../../store/store.js";
import { copyChecks } from "./copy-checks.js";
import { raceChecks } from "./race-checks.js";
import { sharingChecks } from "./sharing-checks.js";
import { type ConformanceCase, type Exceptions, type Opened, suite } from "./suite.js";

/** What two processes have stored in together: empty at first, with the topics of {@link StoreUnderTest}. */
export interface SharedStoreUnderTest extends Opened {
  /** Of one process. */
  readonly left: Store;
  /** Of another. */
  readonly right: Store;
  /** The ids of the records that committed units have published to "conformance", in the order of their commits. */
  readonly published: () => Promise<readonly string[]>;
}

/**
 * The promises of the store port where two processes share what is stored: adapters that processes share pass these.
 *
 * @param exceptions what the adapter cannot promise, by the name of the case, with the reason
 */
export function sharedStoreConformance(
  open: () => Promise<SharedStoreUnderTest>,
  exceptions: Exceptions = {},
): readonly ConformanceCase[] {
  return suite({ ...raceChecks, ...sharingChecks, ...copyChecks }, open, exceptions);
}
