import { Failure } from "../failure/failure.js";
import type { Stage, StepKind, StepPlan } from "./plan.js";

/** A step, before it is known which steps come after it. */
export type OpenStep = Omit<StepPlan, "kind"> & {
  readonly kind: StepKind | undefined;
  /** It says how it is taken back, or that there is nothing to take back. */
  readonly takenBack: boolean;
};

/**
 * Finds each step's kind, and refuses an order in which a failure could not be taken back: compensatable steps first, at
 * most one pivot, then steps that are tried until they succeed.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function kindsOf(saga: string, open: readonly (readonly OpenStep[])[]): readonly Stage[] {
  const stages = open.map((stage, at) =>
    stage.map((step) => kindOf(saga, step, { last: at === open.length - 1, alone: stage.length === 1 })),
  );
  let before: StepKind = "compensatable";
  for (const stage of stages) {
    const kinds = new Set(stage.map(({ kind }) => kind));
    const step = stage[0] as StepPlan;
    if (kinds.size > 1 || (stage.length > 1 && kinds.has("pivot")))
      throw invalid(
        saga,
        step,
        "runs beside steps of another kind; a pivot is alone, and retriable steps come after all others",
      );
    const { kind } = step;
    if (kind === "compensatable" && before !== "compensatable")
      throw invalid(
        saga,
        step,
        `comes after a ${before} step, when nothing can be taken back any more; say kind: "retriable", or move it`,
      );
    if (kind === "pivot" && before !== "compensatable")
      throw invalid(
        saga,
        step,
        `is a pivot after a ${before} step; there is one pivot, and only retriable steps come after it`,
      );
    before = kind;
  }
  return stages;
}

function kindOf(
  saga: string,
  { takenBack, kind, ...step }: OpenStep,
  { last, alone }: { readonly last: boolean; readonly alone: boolean },
): StepPlan {
  const is = kind ?? (takenBack ? "compensatable" : last && alone ? "pivot" : undefined);
  if (is === undefined)
    throw invalid(
      saga,
      step,
      'has no undo, and steps beside or after it may fail; give it an undo (or undo: "nothing"), or say kind: "pivot" or "retriable"',
    );
  if (is === "compensatable" && !takenBack)
    throw invalid(saga, step, 'is compensatable and has no undo; give it one, or undo: "nothing"');
  if (is !== "compensatable" && takenBack)
    throw invalid(
      saga,
      step,
      `is ${is === "pivot" ? "a pivot" : "retriable"} and is never taken back; leave its undo out, or its kind`,
    );
  return { ...step, kind: is };
}

function invalid(saga: string, { name }: { readonly name: string }, problem: string): Failure {
  return new Failure("OPTION_INVALID", `saga ${saga}: step ${name} ${problem}`);
}
