import { Failure } from "../failure/failure.js";

/** Whether a person sits at the terminal and may be asked. */
export interface Asking {
  /** False with --no-input. */
  readonly input: boolean;
  /** True with --yes: everything is confirmed beforehand. */
  readonly yes?: boolean;
}

/** Whether questions can be asked. */
export function canAsk({ input }: Asking): boolean {
  return input && process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/**
 * Asks before a destructive act; without a terminal, or with --yes, the act was meant as it was written.
 *
 * @throws {Failure} COMMAND_REFUSED when the answer is no.
 */
export async function confirm(asking: Asking, question: string): Promise<void> {
  if (asking.yes === true || !canAsk(asking)) return;
  const clack = await import("@clack/prompts");
  const answer = await clack.confirm({ message: question, initialValue: false, output: process.stderr });
  if (answer !== true) throw new Failure("COMMAND_REFUSED", "nothing was changed");
}

/**
 * The reason of an act: as given, or asked for.
 *
 * @throws {Failure} OPTION_INVALID when there is none and nobody to ask.
 */
export async function reasonFor(asking: Asking, given: string | undefined): Promise<string> {
  if (given !== undefined && given.trim() !== "") return given;
  if (canAsk(asking)) {
    const clack = await import("@clack/prompts");
    const answer = await clack.text({ message: "Why? (kept in the audit record)", output: process.stderr });
    if (typeof answer === "string" && answer.trim() !== "") return answer;
  }
  throw new Failure("OPTION_INVALID", 'give a reason, which is kept in the audit record: --reason "…"', {
    details: { option: "--reason" },
  });
}
