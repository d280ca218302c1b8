import { type Keeper, openKeeper } from "./keeper.js";

let keeper: Keeper | undefined;

/** Before all tests of a run: nothing is started yet, but test files can ask for it. See testing/trial-services.ts. */
export async function setup(): Promise<void> {
  // Servers that were started by hand are used, and left running.
  if (process.env["MILLRACE_TEST_SERVICES"]) return;
  keeper = await openKeeper();
  process.env["MILLRACE_TEST_SERVICES"] = keeper.address;
}

/** After all tests, failed ones included. */
export async function teardown(): Promise<void> {
  await keeper?.close();
}
