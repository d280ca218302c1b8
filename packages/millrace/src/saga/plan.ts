import type { AnyEvent, Message } from "../contract/contract.js";

/** What a step's failure means for the others. */
export type StepKind = "compensatable" | "pivot" | "retriable";

/** How often a step is tried, in numbers. */
export interface StepRetry {
  readonly attemptsMax: number;
  readonly backoffMsFirst: number;
  readonly backoffMsMax: number;
}

/** A step, ready to run. Its types are forgotten. */
export interface StepPlan {
  readonly name: string;
  readonly kind: StepKind;
  readonly when: ((state: never) => boolean) | undefined;
  readonly send: (state: never) => Message<string, unknown>;
  /** Undefined when there is nothing to take back. */
  readonly undo: ((state: never) => Message<string, unknown>) | undefined;
  readonly done: AnyEvent;
  readonly failed: readonly AnyEvent[];
  readonly onDone: ((state: never, event: never) => unknown) | undefined;
  readonly onFailed: ((state: never, event: never) => unknown) | undefined;
  readonly timeoutMs: number | undefined;
  readonly retry: StepRetry;
}

/** Steps that are sent together. */
export type Stage = readonly StepPlan[];

/** Why an instance was aborted. */
export interface AbortReason {
  /** In words: the step and what became of it, or the event that asked for it. */
  readonly reason: string;
}

/** A saga, ready to run. */
export interface SagaPlan {
  readonly name: string;
  readonly key: string;
  readonly startsOn: AnyEvent;
  readonly start: (event: never) => unknown;
  readonly stages: readonly Stage[];
  readonly abortOn: readonly AnyEvent[];
  readonly completed: ((state: never) => Message<string, unknown>) | undefined;
  readonly aborted: ((state: never, why: AbortReason) => Message<string, unknown>) | undefined;
  /** Undefined: for ever. */
  readonly keepMs: number | undefined;
}

/** A step by its name. */
export function stepOf({ stages }: SagaPlan, name: string): StepPlan | undefined {
  for (const stage of stages) for (const step of stage) if (step.name === name) return step;
  return undefined;
}

/** The step after whose success there is no way back. */
export function pivotOf({ stages }: SagaPlan): StepPlan | undefined {
  return stages.flat().find(({ kind }) => kind === "pivot");
}
