import { open, payIn } from "../app/trial-accounts.js";
import type { Trial } from "./trial.js";

// One account of the bank, for the tests that make its commands fail.

/** The account that most tests are about. */
export const account = "a-1";
/** The command that pays so much in. */
export const pay = (pence: number, of = account) => payIn({ account: of, pence, note: "" });
/** The command that opens an account. */
export const opened = (of = account) => open({ account: of, owner: "ann" });

/** What was paid in, each with the sequence of its event. */
export const paid = async (t: Trial) =>
  (await t.running.engine.inspect.events({ type: "account.paid-in", limit: 1_000 })).events.map(({ data, headers }) => [
    (data as { pence: number }).pence,
    headers?.sequence,
  ]);

/** The lane entries of the bank, each with why it failed. */
export const died = async (t: Trial) => (await t.entries("bank")).map(({ state, failure }) => [state, failure?.code]);
