import type { Refusal } from "../consumer/handler.js";
import { evolve } from "./evolve.js";
import { type Fact, type Instance, remember, type StepState, waiting } from "./instance.js";
import { pivotOf, type SagaPlan, type StepPlan } from "./plan.js";
import { checkedState } from "./state.js";

/** When a decision is made, and by which event. */
export interface Moment {
  readonly at: number;
  readonly event: string;
}

/** One decision: facts, in the order in which they came to be, and the instance that they make. */
export class Turn {
  readonly facts: Fact[] = [];
  /** Its time is over: it is to be removed. */
  removed = false;
  /** An operator's act that does not fit. */
  refused: Refusal | undefined;

  constructor(
    readonly plan: SagaPlan,
    public instance: Instance,
    readonly moment: Moment,
  ) {}

  note(fact: Fact, state?: unknown): void {
    this.facts.push(fact);
    this.instance = evolve(this.instance, fact, this.moment.at, state);
  }

  /** The instance as it is to be stored: with its history, and with the time at which it wants to be called next. */
  get outcome(): Instance {
    const { at, event } = this.moment;
    const { timer: armed, ...instance } = this.instance;
    const timer = timerOf(instance, armed);
    return {
      ...instance,
      ...(timer === undefined ? {} : { timer }),
      history: remember(
        instance.history,
        this.facts.map((fact) => ({ at, event, ...fact })),
      ),
      seen: instance.seen + this.facts.length,
      changed: at,
    };
  }

  /** What the state is after an event, before what it leads to is decided. */
  learn(keep: NonNullable<StepPlan["onFailed"]>, event: unknown, what: string): void {
    const state = checkedState(keep(this.instance.state as never, event as never), what);
    this.instance = { ...this.instance, state };
  }

  step(name: string): StepState {
    return this.instance.steps[name] ?? waiting;
  }
}

/** The next command of a step. */
export function sending({ moment }: Turn, { name, timeoutMs }: StepPlan, number: number): Fact {
  const timed = timeoutMs === undefined ? {} : { due: moment.at + timeoutMs };
  return { type: "sent", step: name, number, ...timed };
}

/** The last fact of an instance. */
export function ending({ plan, moment }: Turn, type: "completed" | "aborted"): Fact {
  return { type, ...(plan.keepMs === undefined ? {} : { due: moment.at + plan.keepMs }) };
}

/** Begins to take back what was done, if there is still a way back. */
export function abort(turn: Turn, why: string, force = false): void {
  const { plan, instance } = turn;
  if (instance.direction === "back" || instance.end !== undefined) return;
  if (!force) {
    if (isPastReturn(plan, instance)) {
      turn.note({ type: "too-late", why });
      return;
    }
    const pivot = pivotOf(plan);
    const status = pivot === undefined ? "waiting" : turn.step(pivot.name).status;
    // Nobody knows yet whether there is a way back: what becomes of the pivot decides.
    if (status === "sent" || status === "stuck") {
      turn.note({ type: "asked", why });
      return;
    }
  }
  turn.note({ type: "aborting", why });
}

/** The pivot has succeeded; or, where there is none, a step has begun that must succeed. */
export function isPastReturn(plan: SagaPlan, { steps }: Instance): boolean {
  const statusOf = ({ name }: StepPlan) => steps[name]?.status ?? "waiting";
  return plan.stages.some((stage) =>
    stage.some((step) => {
      const status = statusOf(step);
      if (step.kind === "pivot") return status === "done";
      return step.kind === "retriable" && status !== "waiting";
    }),
  );
}

/** One timer for all that an instance waits for. One that is set and comes too early is left: it is set anew when it comes. */
function timerOf({ steps, removal }: Instance, armed: number | undefined): number | undefined {
  let next: number | undefined;
  for (const name in steps) {
    const { due } = steps[name] as StepState;
    if (due !== undefined && (next === undefined || due < next)) next = due;
  }
  if (next === undefined) return removal;
  return armed !== undefined && armed <= next ? armed : next;
}
