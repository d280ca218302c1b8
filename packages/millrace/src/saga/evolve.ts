import { type Fact, type Instance, type StepState, waiting } from "./instance.js";

/** The instance after a fact, without its history. Pure. */
export function evolve(before: Instance, fact: Fact, at: number, state: unknown = before.state): Instance {
  const steps = stepsAfter(before.steps, fact);
  const direction = directionAfter(before, fact);
  const after = { ...rest(before, fact), state, steps, direction };
  if (fact.type === "completed" || fact.type === "aborted") Object.assign(after, endOf(before, fact, at));
  else if (fact.type === "aborting" && fact.why !== undefined) Object.assign(after, { why: fact.why });
  else if (fact.type === "asked") Object.assign(after, { asked: fact.why });
  return { ...after, status: statusOf(after) };
}

/** What asked it to abort is answered. */
function rest(before: Instance, { type }: Fact): Instance {
  if (before.asked === undefined || (type !== "too-late" && type !== "aborting")) return before;
  const { asked: _, ...others } = before;
  return others;
}

function endOf({ end }: Instance, { type, due }: Fact, at: number): Partial<Instance> {
  const removal = due === undefined ? {} : { removal: due };
  return end === undefined ? { end: type as "completed" | "aborted", ended: at, ...removal } : removal;
}

function directionAfter({ direction }: Instance, { type }: Fact): Instance["direction"] {
  if (type === "aborting" || type === "aborted") return "back";
  return type === "completed" ? "forward" : direction;
}

function statusOf({ steps, end, direction }: Instance): Instance["status"] {
  let undoing = false;
  for (const name in steps) {
    const { status } = steps[name] as StepState;
    if (status === "stuck") return "stuck";
    if (status === "undoing" || status === "undo-again") undoing = true;
  }
  if (end !== undefined && !undoing) return end;
  return direction === "back" ? "compensating" : "running";
}

function stepsAfter(steps: Instance["steps"], fact: Fact): Instance["steps"] {
  const { type, step: name } = fact;
  if (name !== undefined) return { ...steps, [name]: stepAfter(steps[name] ?? waiting, fact) };
  if (type !== "aborting" && type !== "forced") return steps;
  const entries = Object.entries(steps);
  return Object.fromEntries(entries.map(([of, step]) => [of, type === "aborting" ? recalled(step) : dropped(step)]));
}

/** What waits to be sent again is not sent any more. */
function recalled(step: StepState): StepState {
  return step.status === "again" ? settled(step, "failed") : step;
}

/** Nothing of it is waited for any more; a success that comes late is taken back. */
function dropped(step: StepState): StepState {
  switch (step.status) {
    case "sent":
      return settled(step, "late");
    case "again":
      return settled(step, "failed");
    case "stuck":
      return settled(step, step.undo === true ? "undone" : "late");
    case "undoing":
    case "undo-again":
      return settled(step, "undone");
    case "done":
      return settled(step, "kept");
    default:
      return step;
  }
}

/** A step without what only its former status had: its timer, its dead letter, its failures. */
function settled({ tries, sent, undo }: StepState, status: StepState["status"], why?: string): StepState {
  return {
    status,
    tries,
    sent,
    failures: 0,
    ...(undo === undefined ? {} : { undo }),
    ...(why === undefined ? {} : { why }),
  };
}

function stepAfter(step: StepState, fact: Fact): StepState {
  const { number = step.tries, due, why, dead } = fact;
  const timed = due === undefined ? {} : { due };
  switch (fact.type) {
    case "sent":
      return { ...settled(step, "sent"), tries: number, sent: number, failures: kept(step, "again"), ...timed };
    case "undoing":
      return { ...settled(step, "undoing"), tries: number, undo: true, failures: kept(step, "undo-again") };
    case "again":
    case "undo-again":
      return { ...settled(step, fact.type, why), failures: step.failures + 1, ...timed };
    case "overdue": {
      const { due: _, ...rest } = step;
      return { ...rest, overdue: true };
    }
    case "stuck":
      return { ...settled(step, "stuck", why), ...(dead === undefined ? {} : { dead }) };
    case "redriven":
      return settled(step, step.undo === true ? "undoing" : "sent");
    case "done":
    case "failed":
    case "skipped":
    case "late":
    case "undone":
      return settled(step, fact.type, why);
    default:
      return step;
  }
}

function kept({ status, failures }: StepState, when: StepState["status"]): number {
  return status === when ? failures : 0;
}
