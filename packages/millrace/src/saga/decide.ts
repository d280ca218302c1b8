import type { ReplyTo } from "../log/reply-to.js";
import type { Fact, Instance, StepState } from "./instance.js";
import type { Answered, Due, Steer } from "./own-contracts.js";
import { type SagaPlan, type StepPlan, stepOf } from "./plan.js";
import { refusePromise } from "./promise.js";
import { checkedState } from "./state.js";
import { steer } from "./steer.js";
import { abort, ending, type Moment, sending, Turn } from "./turn.js";

/** An event as a saga decides by it. */
export interface HeardEvent {
  readonly type: string;
  readonly data: unknown;
}

/** What a saga decides by. */
export type Input =
  | { readonly type: "start"; readonly key: string; readonly event: HeardEvent; readonly replyTo: string | undefined }
  /** `early`: it may be heard before the start, as it comes from another topic. */
  | { readonly type: "abort"; readonly key: string; readonly event: HeardEvent; readonly early: boolean }
  | { readonly type: "reply"; readonly to: ReplyTo; readonly event: HeardEvent }
  | { readonly type: "answered"; readonly answer: Answered }
  | { readonly type: "due"; readonly due: Due }
  | { readonly type: "steer"; readonly steer: Steer };

/**
 * What an instance does when it hears something; undefined when nothing. A decider: its facts say which commands are sent,
 * which events published and which timers set. Nothing here reads a clock or a store.
 */
export function decide(plan: SagaPlan, before: Instance | undefined, input: Input, moment: Moment): Turn | undefined {
  if (input.type === "start") return start(plan, before, input, moment);
  if (before === undefined) return input.type === "abort" ? abortedEarly(plan, input, moment) : undefined;
  if (before.status === "early" && input.type !== "due") return undefined;
  const turn = new Turn(plan, before, moment);
  switch (input.type) {
    case "abort":
      abort(turn, `${input.event.type} was heard`);
      break;
    case "reply":
      reply(turn, input);
      break;
    case "answered":
      answered(turn, input.answer);
      break;
    case "due":
      due(turn, input.due.due);
      break;
    case "steer":
      steer(turn, input.steer);
  }
  if (turn.refused !== undefined || turn.removed) return turn;
  // What changes nothing decides nothing: a copy of an event finds its step settled.
  if (turn.instance === before) return undefined;
  progress(turn);
  return turn;
}

function fresh(key: string, at: number): Instance {
  return {
    key,
    status: "running",
    direction: "forward",
    state: undefined,
    steps: {},
    history: [],
    seen: 0,
    started: at,
    changed: at,
  };
}

function start(
  plan: SagaPlan,
  before: Instance | undefined,
  { key, event, replyTo }: Extract<Input, { type: "start" }>,
  moment: Moment,
): Turn | undefined {
  if (before !== undefined && before.status !== "early") return undefined;
  const { removal: _, ...known } = before ?? fresh(key, moment.at);
  const instance = { ...known, started: moment.at, ...(replyTo === undefined ? {} : { replyTo }) };
  const turn = new Turn(plan, instance, moment);
  const state = checkedState(plan.start(event as never), stateOf(turn, "state", event.type));
  turn.note({ type: "started" }, state);
  if (before !== undefined) turn.note({ type: "aborting", why: before.why ?? "it was aborted before it started" });
  progress(turn);
  return turn;
}

/** The event that aborts was read before the one that starts: that one is to find it. */
function abortedEarly(
  plan: SagaPlan,
  { key, event, early }: Extract<Input, { type: "abort" }>,
  moment: Moment,
): Turn | undefined {
  if (!early) return undefined;
  const turn = new Turn(plan, fresh(key, moment.at), moment);
  const why = `${event.type} was heard`;
  turn.note({ type: "early", why });
  const removal = plan.keepMs === undefined ? {} : { removal: moment.at + plan.keepMs };
  turn.instance = { ...turn.instance, status: "early", why, ...removal };
  return turn;
}

/** What a state is called that a function made. */
function stateOf({ plan, instance }: Turn, made: string, type: string): string {
  return `saga ${plan.name} ${instance.key}: the state that ${made} returned for ${type}`;
}

/** A reply counts for the command it replies to, once. */
function reply(turn: Turn, { to, event }: Extract<Input, { type: "reply" }>): void {
  const step = stepOf(turn.plan, to.step);
  if (step === undefined || to.undo || to.number !== turn.step(step.name).sent) return;
  const { status, undo } = turn.step(step.name);
  const open = status === "sent" || (status === "stuck" && undo === undefined);
  if (step.done.type !== event.type) {
    if (open) {
      if (step.onFailed !== undefined)
        turn.learn(step.onFailed, event, stateOf(turn, `onFailed of step ${to.step}`, event.type));
      failed(turn, step, `${event.type} was heard`);
    } else if (status === "late") turn.note({ type: "failed", step: step.name, why: `${event.type} was heard, late` });
    return;
  }
  if (!open && status !== "late" && !(status === "skipped" && turn.instance.end === undefined)) return;
  const { state } = turn.instance;
  const after =
    step.onDone === undefined
      ? state
      : checkedState(
          step.onDone(state as never, event as never),
          stateOf(turn, `onDone of step ${to.step}`, event.type),
        );
  turn.note({ type: "done", step: step.name }, after);
  if (turn.instance.asked !== undefined && step.kind === "pivot")
    turn.note({ type: "too-late", why: turn.instance.asked });
}

/** A step will not be done: it is tried again, or what was done before it is taken back. */
function failed(turn: Turn, step: StepPlan, why: string, final = false): void {
  const { name, kind, retry } = step;
  const { asked, direction } = turn.instance;
  const failures = turn.step(name).failures + 1;
  if (!final && direction === "forward" && asked === undefined && failures < retry.attemptsMax) {
    turn.note({ type: "again", step: name, why, due: turn.moment.at + backoffMs(retry, failures) });
    return;
  }
  if (direction === "forward" && kind === "retriable") {
    turn.note({ type: "stuck", step: name, why });
    return;
  }
  turn.note({ type: "failed", step: name, why });
  if (turn.instance.direction === "forward") turn.note({ type: "aborting", why: asked ?? `${name} failed: ${why}` });
}

function answered(turn: Turn, answer: Answered): void {
  const step = stepOf(turn.plan, answer.step);
  const state = turn.step(answer.step);
  if (step === undefined || answer.number !== state.tries || answer.undo !== (state.undo === true)) return;
  const why = [answer.code, answer.detail].filter((part) => part !== undefined && part !== "").join(": ");
  if (answer.undo) undoAnswered(turn, step, answer, why);
  else sendAnswered(turn, step, answer, why);
}

function sendAnswered(turn: Turn, step: StepPlan, { outcome, commandId }: Answered, why: string): void {
  const { name } = step;
  const { status } = turn.step(name);
  if (status === "late" && outcome !== "dead") turn.note({ type: "failed", step: name, why });
  if (status !== "sent" && status !== "stuck") return;
  if (outcome === "refused") failed(turn, step, `refused, ${why}`);
  else if (outcome === "dead") turn.note({ type: "stuck", step: name, why, dead: commandId });
  else if (outcome === "skipped" && step.kind === "retriable") turn.note({ type: "skipped", step: name, why });
  else if (outcome === "skipped") failed(turn, step, why, true);
}

function undoAnswered(turn: Turn, step: StepPlan, { outcome, commandId }: Answered, why: string): void {
  const { name, retry } = step;
  const { status, failures } = turn.step(name);
  if (status !== "undoing" && status !== "stuck") return;
  if (outcome === "handled") turn.note({ type: "undone", step: name });
  else if (outcome === "skipped") turn.note({ type: "undone", step: name, why });
  else if (outcome === "dead") turn.note({ type: "stuck", step: name, why, dead: commandId });
  else if (failures + 1 < retry.attemptsMax)
    turn.note({ type: "undo-again", step: name, why, due: turn.moment.at + backoffMs(retry, failures + 1) });
  else turn.note({ type: "stuck", step: name, why: `its undo was refused, ${why}` });
}

/** Doubles from try to try. */
function backoffMs({ backoffMsFirst, backoffMsMax }: StepPlan["retry"], failures: number): number {
  return Math.min(backoffMsMax, backoffMsFirst * 2 ** Math.min(failures - 1, 30));
}

/** Its timer has come: everything is looked at that is due by then. */
function due(turn: Turn, at: number): void {
  const { timer, ...instance } = turn.instance;
  if (timer !== at) return;
  // It is set anew, be there something due or not.
  turn.instance = instance;
  for (const step of turn.plan.stages.flat()) {
    const { due: wanted, status, tries } = turn.step(step.name);
    if (wanted === undefined || wanted > at) continue;
    if (status === "again") turn.note(sending(turn, step, tries + 1));
    else if (status === "undo-again") turn.note({ type: "undoing", step: step.name, number: tries + 1 });
    else if (status === "sent") timedOut(turn, step);
  }
  const { removal } = turn.instance;
  if (removal !== undefined && removal <= at) remove(turn, at);
}

/** Nothing is sent again: nobody knows what became of the command. */
function timedOut(turn: Turn, { name, kind, timeoutMs = 0 }: StepPlan): void {
  const why = `no answer within ${timeoutMs} ms`;
  const { direction } = turn.instance;
  // It may have succeeded, and then there is no way back: it is waited for.
  if (direction === "forward" && kind !== "compensatable") {
    turn.note({ type: "overdue", step: name, why });
    return;
  }
  turn.note({ type: "late", step: name, why });
  if (direction === "forward") turn.note({ type: "aborting", why: `${name}: ${why}` });
}

/** What may still succeed late is not forgotten: it would never be taken back. */
function remove(turn: Turn, at: number): void {
  const { steps } = turn.instance;
  const open = Object.values(steps).some(({ status }) => status === "late" || status === "stuck");
  if (!open) turn.removed = true;
  else turn.instance = { ...turn.instance, removal: at + (turn.plan.keepMs ?? 0) };
}

/** Goes on as far as it goes without hearing anything more. */
function progress(turn: Turn): void {
  for (let fact = next(turn); fact !== undefined; fact = next(turn)) turn.note(fact);
}

function next(turn: Turn): Fact | undefined {
  return turn.instance.direction === "forward" ? nextForward(turn) : nextBack(turn);
}

function nextForward(turn: Turn): Fact | undefined {
  const { plan, instance } = turn;
  if (instance.end !== undefined || instance.asked !== undefined) return undefined;
  for (const stage of plan.stages) {
    let settled = true;
    for (const step of stage) {
      const { status, tries } = turn.step(step.name);
      if (status === "waiting") {
        if (isNeeded(step, instance, plan.name)) return sending(turn, step, tries + 1);
        return { type: "skipped", step: step.name, why: "not needed" };
      }
      if (status !== "done" && status !== "skipped") settled = false;
    }
    if (!settled) return undefined;
  }
  return ending(turn, "completed");
}

function isNeeded({ name, when }: StepPlan, { state }: Instance, saga: string): boolean {
  if (when === undefined) return true;
  const needed: unknown = when(state as never);
  refusePromise(needed, `saga ${saga}: what when() of step ${name} returns`);
  return Boolean(needed);
}

/** From the last stage to the first: a stage is begun when the one after it is settled. */
function nextBack(turn: Turn): Fact | undefined {
  const { plan, instance } = turn;
  for (const stage of plan.stages.toReversed()) {
    let settled = true;
    for (const step of stage.toReversed()) {
      const { status, tries } = turn.step(step.name);
      if (status === "done" && step.undo !== undefined) return { type: "undoing", step: step.name, number: tries + 1 };
      if (!settledBack.has(status)) settled = false;
    }
    if (!settled) return undefined;
  }
  return instance.end === undefined ? ending(turn, "aborted") : undefined;
}

const settledBack: ReadonlySet<StepState["status"]> = new Set([
  "waiting",
  "done",
  "kept",
  "failed",
  "skipped",
  "late",
  "undone",
]);
