import type { AnyEvent } from "../contract/contract.js";
import { checkKebabName } from "../contract/names.js";
import { Failure } from "../failure/failure.js";
import { durationMs } from "../runtime/duration.js";
import { checkOptions, type OptionNames, shown } from "../runtime/options.js";
import { checkEvent, checkEvents, checkFunction, checkKind, checkOptional } from "./check.js";
import type { OpenStep } from "./kinds.js";
import type { StepPlan, StepRetry } from "./plan.js";
import { probe } from "./probe.js";
import type { SagaRetry, StepOptions } from "./saga.js";

/** A step as declared, its types forgotten. */
export type AnyStepOptions = Omit<StepOptions<unknown, string, never, never>, "done" | "failed"> & {
  readonly done: AnyEvent;
  readonly failed?: AnyEvent | readonly AnyEvent[];
};

const stepOptions: OptionNames<AnyStepOptions> = {
  kind: true,
  when: true,
  send: true,
  undo: true,
  done: true,
  onDone: true,
  failed: true,
  onFailed: true,
  timeout: true,
  retry: true,
};
const retryOptions: OptionNames<SagaRetry> = { attemptsMax: true, backoffFirst: true, backoffMax: true };
const attemptsOfRetriable = 8;

/** Steps of one stage. */
export class StageBuilder {
  readonly steps: OpenStep[] = [];

  constructor(
    readonly saga: string,
    readonly taken: Set<string>,
  ) {}

  step(name: string, options: AnyStepOptions): this {
    const where = `saga ${this.saga}: step ${name}`;
    checkKebabName(name, `a step of saga ${this.saga}`);
    checkOptions(options, stepOptions, { where });
    // Every object has it: a step of this name would be taken for one that has been sent.
    if (name in {}) throw new Failure("OPTION_INVALID", `${where}: this name cannot be used; choose another`);
    if (this.taken.has(name)) throw new Failure("OPTION_INVALID", `${where} is there twice; give each its own name`);
    this.taken.add(name);
    const { send, undo, done, failed = [], kind, when, onDone, onFailed, timeout } = options;
    checkStep(where, options);
    checkCommands(where, send, undo);
    this.steps.push({
      name,
      kind,
      when,
      send,
      undo: typeof undo === "function" ? undo : undefined,
      takenBack: undo !== undefined,
      done,
      failed: isEvents(failed) ? failed : [failed],
      onDone: onDone as StepPlan["onDone"],
      onFailed: onFailed as StepPlan["onFailed"],
      timeoutMs: timeout === undefined ? undefined : durationMs(timeout, `${where}: timeout`),
      retry: retryOf(options, where),
    });
    return this;
  }
}

/** @throws {Failure} OPTION_INVALID when an option is none that TypeScript would let pass. */
function checkStep(where: string, options: AnyStepOptions): void {
  const { send, undo, done, failed, kind, when, onDone, onFailed } = options;
  checkFunction(send, `${where}: send`, "of the state that makes a command");
  if (undo !== "nothing" && undo !== undefined && typeof undo !== "function")
    throw new Failure(
      "OPTION_INVALID",
      `${where}: undo is ${shown(undo)}; it is a function of the state that makes a command, or "nothing"`,
    );
  checkEvent(done, `${where}: done`);
  if (Array.isArray(failed)) checkEvents(failed, `${where}: failed`);
  else if (failed !== undefined) checkEvent(failed, `${where}: failed`);
  checkKind(kind, where);
  checkOptional(when, `${where}: when`, "of the state that says whether the step is needed");
  checkOptional(onDone, `${where}: onDone`, "of the state and the event that makes the next state");
  checkOptional(onFailed, `${where}: onFailed`, "of the state and the event that makes the next state");
}

function isEvents(failed: AnyEvent | readonly AnyEvent[]): failed is readonly AnyEvent[] {
  return Array.isArray(failed);
}

function retryOf({ kind, retry }: AnyStepOptions, where: string): StepRetry {
  if (retry !== undefined) checkOptions(retry, retryOptions, { where: `${where}: retry` });
  const { attemptsMax = retry === undefined ? (kind === "retriable" ? attemptsOfRetriable : 1) : 3 } = retry ?? {};
  if (!Number.isSafeInteger(attemptsMax) || attemptsMax < 1)
    throw new Failure(
      "OPTION_INVALID",
      `${where}: retry.attemptsMax takes a whole number from 1 on, not ${attemptsMax}`,
    );
  return {
    attemptsMax,
    backoffMsFirst: durationMs(retry?.backoffFirst ?? "1s", `${where}: retry.backoffFirst`),
    backoffMsMax: durationMs(retry?.backoffMax ?? "5m", `${where}: retry.backoffMax`),
  };
}

/** An undo must not overtake what it takes back: it has the same key, and so stands behind it. */
function checkCommands(where: string, send: AnyStepOptions["send"], undo: AnyStepOptions["undo"]): void {
  const sent = probe(send);
  if (sent !== undefined && sent.declaration.kind !== "command")
    throw new Failure(
      "OPTION_INVALID",
      `${where}: send makes ${sent.declaration.type}, which is an event; steps send commands`,
    );
  const undone = typeof undo === "function" ? probe(undo) : undefined;
  if (undone === undefined) return;
  if (undone.declaration.kind !== "command")
    throw new Failure(
      "OPTION_INVALID",
      `${where}: undo makes ${undone.declaration.type}, which is an event; steps send commands`,
    );
  if (sent?.key === undefined || undone.key === undefined || sent.key === undone.key) return;
  throw new Failure(
    "OPTION_INVALID",
    `${where}: send and undo have different keys (${sent.declaration.type}: ${sent.key}, ${undone.declaration.type}: ${undone.key}); an undo could overtake what it takes back`,
  );
}
