import type { Refusal } from "../consumer/handler.js";
import { shown } from "./difference.js";
import { type Effect, effectLine, effectsDiffer } from "./expected.js";

/** What was asked has been answered, soon: it is awaited. */
export interface Asked<Outcome> {
  /**
   * Checks the answer: what was published and sent and which timers were set, all of it and in order; or the refusal,
   * whose detail counts if it is given. Await it.
   *
   * @throws {Error} that shows the difference, for any test runner.
   */
  then(expected: readonly Effect[] | Refusal): Promise<Outcome>;
  /** The answer, unchecked. */
  readonly outcome: Promise<Outcome>;
}

/** What every outcome has. */
export interface Answered {
  readonly effects: readonly Effect[];
  readonly refusal?: Refusal;
}

/** An answer under way, to a question that messages of failed tests begin with. */
export class Asking<Outcome extends Answered> implements Asked<Outcome> {
  readonly outcome: Promise<Outcome>;
  readonly #question: string;

  constructor(question: string, outcome: Promise<Outcome>) {
    this.#question = question;
    this.outcome = outcome;
  }

  // biome-ignore lint/suspicious/noThenProperty: it is how these tests read; whoever awaits too early is told.
  async then(expected: readonly Effect[] | Refusal, rejected?: (error: unknown) => void): Promise<Outcome> {
    if (typeof expected === "function") {
      // What is awaited resolves by this call; it would wait for ever.
      rejected?.(new Error("await .then([…]), which takes what is expected, or .outcome"));
      return this.outcome;
    }
    const outcome = await this.outcome;
    const problem = problemOf(expected, outcome);
    if (problem !== undefined) throw new Error(`${this.#question}: ${problem}`);
    return outcome;
  }
}

function problemOf(expected: readonly Effect[] | Refusal, { effects, refusal }: Answered): string | undefined {
  if (isList(expected)) {
    if (refusal !== undefined) return `refused with ${shown(refusal)}, expected were\n${lines(expected)}`;
    const differ = effectsDiffer(expected, effects);
    return differ === undefined ? undefined : `other effects (- expected, + made)\n${differ}`;
  }
  if (refusal === undefined) return `expected was the refusal ${shown(expected)}, made were\n${lines(effects)}`;
  const alike = refusal.refused === expected.refused && (expected.detail ?? refusal.detail) === refusal.detail;
  return alike ? undefined : `refused otherwise (- expected, + made)\n  - ${shown(expected)}\n  + ${shown(refusal)}`;
}

function isList(expected: readonly Effect[] | Refusal): expected is readonly Effect[] {
  return Array.isArray(expected);
}

function lines(effects: readonly Effect[]): string {
  return effects.map((effect) => `  ${effectLine(effect)}`).join("\n");
}
