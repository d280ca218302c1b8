import type { PatternContext } from "../consumer/handler.js";
import { contractDeclaration, type Received } from "../contract/contract.js";
import { parseReplyTo } from "../log/reply-to.js";
import { decide, type Input } from "./decide.js";
import type { SagaDeclaration } from "./declare.js";
import { instanceKey } from "./instance-key.js";
import type { Answered, Due, Steer } from "./own-contracts.js";
import { perform, setTimer } from "./perform.js";
import { type SagaPlan, stepOf } from "./plan.js";

type Heard = Received<string, unknown>;

/** An input, and the instance it is for. */
interface Addressed {
  readonly key: string;
  readonly input: Input;
}

/** The handlers of a saga: each reads its instance, decides, and writes it, in one unit of work. */
export function sagaHandlers(saga: SagaDeclaration) {
  const { plan, own } = saga;
  const inputOf = inputs(plan, own.name);
  return {
    /** Of users' events. */
    hear(event: Heard, ctx: PatternContext): Promise<unknown> | undefined {
      const addressed = inputOf(event, ctx.replyTo);
      return addressed === undefined ? undefined : take(saga, ctx, event, addressed);
    },
    /** Of answers and timers. */
    own(event: Heard, ctx: PatternContext): Promise<unknown> {
      const input: Input =
        event.type === own.topic.due.type
          ? { type: "due", due: event.data as Due }
          : { type: "answered", answer: event.data as Answered };
      return take(saga, ctx, event, { key: event.key, input });
    },
    /** Of operators' acts. */
    steer(command: Heard, ctx: PatternContext): Promise<unknown> {
      return steered(saga, ctx, command);
    },
  };
}

async function take(saga: SagaDeclaration, ctx: PatternContext, event: Heard, { key, input }: Addressed) {
  const instances = ctx.documents(saga.documents);
  const before = await instances.get(key);
  const turn = decide(saga.plan, before, input, { at: ctx.now().getTime(), event: event.id });
  if (turn === undefined) {
    // It was heard before, and a seek back that has it heard again has taken the timer that it set.
    if (before?.timer !== undefined) setTimer(before, undefined, ctx, saga.own);
    return undefined;
  }
  if (turn.refused !== undefined) return turn.refused;
  for (const { type, step, why } of turn.facts)
    if (type === "stuck")
      ctx.log.error({ saga: saga.plan.name, key, step }, `saga ${saga.plan.name} ${key} is stuck at ${step}: ${why}`);
  if (turn.removed) instances.delete(key);
  else instances.put(perform(turn, before?.timer, ctx, saga.own));
  return undefined;
}

async function steered(saga: SagaDeclaration, ctx: PatternContext, command: Heard): Promise<unknown> {
  const act = command.data as Steer;
  const { instance, verb, step, actor, reason } = act;
  if ((await ctx.documents(saga.documents).get(instance)) === undefined)
    return { refused: "NOT_FOUND", detail: `saga ${saga.plan.name} has no instance ${instance}` };
  const refused = await take(saga, ctx, command, { key: instance, input: { type: "steer", steer: act } });
  const target = `saga ${saga.plan.name} ${instance}${step === undefined ? "" : `, step ${step}`}`;
  if (refused === undefined) ctx.audit({ actor, act: `saga ${verb}`, target, reason });
  return refused;
}

/** What an event means to the saga: a reply to one of its commands, a start, or an abort. */
function inputs(plan: SagaPlan, own: string): (event: Heard, replyTo: string | undefined) => Addressed | undefined {
  const aborts = new Set(plan.abortOn.map(({ type }) => type as string));
  const home = contractDeclaration(plan.startsOn).topic;
  return (event, replyTo) => {
    const to = parseReplyTo(replyTo);
    if (to?.topic === own && replies(plan, to.step, event.type))
      return { key: to.instance, input: { type: "reply", to, event } };
    if (event.type === plan.startsOn.type) {
      const key = instanceKey(event, plan.key, `saga ${plan.name}`);
      return { key, input: { type: "start", key, event, replyTo } };
    }
    if (!aborts.has(event.type)) return undefined;
    const key = instanceKey(event, plan.key, `saga ${plan.name}`);
    return { key, input: { type: "abort", key, event, early: event.topic !== home?.name } };
  };
}

function replies(plan: SagaPlan, name: string, type: string): boolean {
  const step = stepOf(plan, name);
  return step !== undefined && (step.done.type === type || step.failed.some((event) => event.type === type));
}
