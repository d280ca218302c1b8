import type { PatternContext } from "../consumer/handler.js";
import type { EventName, Message } from "../contract/contract.js";
import { formatReplyTo } from "../log/reply-to.js";
import type { Fact, Instance } from "./instance.js";
import { checkedMessage, decided } from "./output.js";
import { type OwnContracts, timerName } from "./own-contracts.js";
import { type StepPlan, stepOf } from "./plan.js";
import type { Turn } from "./turn.js";

/** Makes the effects of a decision: commands and events of its facts, and its timer. Returns the instance to be stored. */
export function perform(turn: Turn, armed: number | undefined, ctx: PatternContext, own: OwnContracts): Instance {
  for (const fact of turn.facts) performFact(turn, fact, ctx, own);
  const { outcome } = turn;
  setTimer(outcome, armed, ctx, own);
  return outcome;
}

function performFact({ plan, instance }: Turn, fact: Fact, ctx: PatternContext, own: OwnContracts): void {
  const state = instance.state as never;
  const where = `saga ${plan.name} ${instance.key}`;
  switch (fact.type) {
    case "sent":
    case "undoing": {
      const step = stepOf(plan, fact.step as string) as StepPlan;
      const undo = fact.type === "undoing";
      const make = undo ? (step.undo as StepPlan["send"]) : step.send;
      const number = fact.number as number;
      const replyTo = formatReplyTo({ topic: own.name, instance: instance.key, step: step.name, undo, number });
      const what = `${where}: what ${undo ? "undo" : "send"} of step ${step.name} returned`;
      const command = checkedMessage(make(state), "command", what);
      decided(what, () => ctx.send(command, { replyTo }));
      return;
    }
    case "completed":
      if (plan.completed !== undefined) publish(`${where}: what completed returned`, plan.completed(state));
      return;
    case "aborted":
      if (plan.aborted === undefined) return;
      publish(
        `${where}: what aborted returned`,
        plan.aborted(state, { reason: fact.why ?? instance.why ?? "it was aborted" }),
      );
  }

  /** What a saga ends with replies to whoever asked for what it began with. */
  function publish(what: string, made: Message<string, unknown>): void {
    const event = checkedMessage(made, "event", what) as Message<EventName, unknown>;
    decided(what, () => ctx.publish(event, { replyTo: instance.replyTo }));
  }
}

/** Sets the one timer of an instance, where it is another than the one that is armed. */
export function setTimer(
  { key, timer }: Instance,
  armed: number | undefined,
  ctx: PatternContext,
  own: OwnContracts,
): void {
  if (timer === armed) return;
  const name = timerName(own, key, "");
  if (timer === undefined) ctx.cancel(name);
  else
    ctx.after(`${Math.max(0, timer - ctx.now().getTime())}ms`, own.topic.due({ instance: key, step: "", due: timer }), {
      name,
    });
}
