import type { Refusal } from "../consumer/handler.js";
import type { Steer } from "./own-contracts.js";
import { type StepPlan, stepOf } from "./plan.js";
import { abort, ending, isPastReturn, sending, type Turn } from "./turn.js";

/** What an operator makes an instance do. An act that does not fit what it has come to is refused, and changes nothing. */
export function steer(turn: Turn, act: Steer): void {
  if (act.seen === turn.instance.seen) turn.refused = steerBy(turn, act);
  // Where the dead letter ran before this was heard, there is nothing left to do.
  else if (act.redriven !== true) turn.refused = changed;
}

const changed: Refusal = {
  refused: "CHANGED",
  detail: "it has gone on since it was looked at; look again and decide again",
};

function steerBy(turn: Turn, act: Steer): Refused {
  switch (act.verb) {
    case "retry":
      return retry(turn, act);
    case "skip":
      return skip(turn, act);
    case "compensate":
      return compensate(turn, act);
    case "force":
      return force(turn, act);
  }
}

type Refused = Refusal | undefined;

/** The step that is meant: as named, else the one that is stuck. */
function meant({ instance, plan }: Turn, { step: named }: Steer): string | undefined {
  if (named !== undefined) return stepOf(plan, named) === undefined ? undefined : named;
  const stuck = Object.entries(instance.steps).filter(([, { status }]) => status === "stuck");
  return stuck.length === 1 ? stuck[0]?.[0] : undefined;
}

function retry(turn: Turn, { actor, reason: why, redriven = false, ...act }: Steer): Refused {
  const name = meant(turn, { actor, reason: why, ...act });
  if (name === undefined || turn.step(name).status !== "stuck") return refuseStep(turn, name, act);
  const { undo, tries, dead } = turn.step(name);
  // Its dead letter runs again: another command would be a second one.
  if (redriven) turn.note({ type: "redriven", step: name, why, actor });
  else if (dead !== undefined)
    return {
      refused: "STEP_DEAD",
      detail: `the command of ${name} is no dead letter any more: it has run, or was skipped; wait for its answer`,
    };
  else if (undo === true) turn.note({ type: "undoing", step: name, number: tries + 1, why, actor });
  else turn.note({ ...sending(turn, stepOf(turn.plan, name) as StepPlan, tries + 1), why, actor });
  return undefined;
}

function skip(turn: Turn, act: Steer): Refused {
  const { actor, reason: why } = act;
  const name = meant(turn, act);
  const status = name === undefined ? undefined : turn.step(name).status;
  // What is only waited for may be skipped, too, when it is named: its participant may never answer.
  const open = status === "stuck" || (act.step !== undefined && (status === "sent" || status === "undoing"));
  if (name === undefined || !open) return refuseStep(turn, name, act);
  if (turn.step(name).undo === true) turn.note({ type: "undone", step: name, why, actor });
  else if (turn.instance.direction === "back") turn.note({ type: "late", step: name, why, actor });
  else turn.note({ type: "skipped", step: name, why, actor });
  // It waited for this step to decide.
  const { asked } = turn.instance;
  if (asked !== undefined && stepOf(turn.plan, name)?.kind === "pivot") turn.note({ type: "aborting", why: asked });
  return undefined;
}

function refuseStep(turn: Turn, name: string | undefined, { step: named }: Pick<Steer, "step">): Refusal {
  const { plan } = turn;
  if (named !== undefined && stepOf(plan, named) === undefined)
    return {
      refused: "STEP_UNKNOWN",
      detail: `it has no step ${JSON.stringify(named)}; its steps are ${plan.stages
        .flat()
        .map((step) => step.name)
        .join(", ")}`,
    };
  if (name === undefined)
    return { refused: "STEP_UNKNOWN", detail: "name one of its steps: none of them alone is stuck" };
  return { refused: "STEP_NOT_STUCK", detail: `step ${name} is ${turn.step(name).status}, not stuck` };
}

function compensate(turn: Turn, { actor, reason, past = false }: Steer): Refused {
  const { plan, instance } = turn;
  const why = `${actor}: ${reason}`;
  if (instance.end !== undefined || instance.direction === "back")
    return { refused: "NOT_RUNNING", detail: `it is ${instance.status}: only what goes forward can be compensated` };
  if (isPastReturn(plan, instance) && !past)
    return { refused: "PAST_RETURN", detail: "it is past its point of no return; force it to take back what can be" };
  for (const [name, { status }] of Object.entries(instance.steps))
    if (status === "stuck") turn.note({ type: "late", step: name, why: reason, actor });
  abort(turn, why, past);
  return undefined;
}

function force(turn: Turn, { actor, reason: why, end = "aborted" }: Steer): Refused {
  const { instance } = turn;
  if (instance.end !== undefined && instance.status === instance.end)
    return { refused: "ENDED", detail: `it is ${instance.end} already` };
  turn.note({ type: "forced", why, actor });
  if (instance.end === undefined) turn.note({ ...ending(turn, end), why, actor });
  return undefined;
}
