import type { Subscription } from "../consumer/declaration.js";
import type { Handler } from "../consumer/handler.js";
import type { PartDeclaration } from "../consumer/part.js";
import {
  type AnyContract,
  type AnyEvent,
  contractDeclaration,
  contractOfMessage,
  type Message,
} from "../contract/contract.js";
import type { SagaDeclaration } from "./declare.js";
import { sagaHandlers } from "./handlers.js";
import { innerTypes } from "./own-contracts.js";
import type { SagaPlan } from "./plan.js";
import { probe } from "./probe.js";

/** What a saga comes down to: a consumer of its own, and the commands of operators. */
export function partOf(declaration: SagaDeclaration, from: "beginning" | "end" | undefined): PartDeclaration {
  const { plan, own } = declaration;
  const { hear, own: hearOwn, steer } = sagaHandlers(declaration);
  const heard = new Map<string, AnyEvent>();
  for (const event of [plan.startsOn, ...plan.abortOn]) heard.set(event.type, event);
  // Replies exist only since the saga has: what a topic held before is none.
  const start = new Set([...heard.values()].map((event) => contractDeclaration(event).topic?.name));
  for (const { done, failed } of plan.stages.flat())
    for (const event of [done, ...failed]) heard.set(event.type, event);
  const emits = [own.topic.due as unknown as AnyContract, ...emittedBy(plan)];
  const subscriptions = [...heard.values()].map((contract): Subscription => {
    const begins = start.has(contractDeclaration(contract).topic?.name) ? from : "end";
    const options = { emits, ...(begins === undefined ? {} : { from: begins }) };
    return { contract, options, handler: hear as Handler, laneBy: { name: plan.key, field: plan.key }, emitsAny: true };
  });
  const ownSubscriptions = [own.topic.answered, own.topic.due].map(
    (contract): Subscription => ({
      contract: contract as unknown as AnyContract,
      options: { emits, from: "beginning" },
      handler: hearOwn as Handler,
      laneBy: { name: plan.key, field: "instance" },
      emitsAny: true,
    }),
  );
  return {
    title: `saga ${plan.name}`,
    inner: innerTypes(own),
    topics: [],
    commands: [
      { contract: own.steer as unknown as AnyContract, options: { emits }, handler: steer as Handler, emitsAny: true },
    ],
    consumers: [{ name: plan.name, options: {}, subscriptions: [...subscriptions, ...ownSubscriptions] }],
    pairs: pairsOf(plan),
  };
}

/** What can be known of the messages that its functions make. */
function emittedBy({ stages, completed, aborted }: SagaPlan): readonly AnyContract[] {
  const makes = [...stages.flat().flatMap(({ send, undo }) => [send, undo]), completed, aborted];
  const found = new Set<AnyContract>();
  for (const make of makes) {
    const made = make === undefined ? undefined : probe(make as (...args: never[]) => Message<string, unknown>);
    if (made !== undefined) found.add(contractOfMessage(made.message));
  }
  return [...found];
}

function pairsOf({ name, stages }: SagaPlan): NonNullable<PartDeclaration["pairs"]> {
  return stages.flat().flatMap(({ name: step, send, undo }) => {
    const [sent, undone] = [probe(send), undo === undefined ? undefined : probe(undo)];
    if (sent === undefined || undone === undefined) return [];
    return [{ where: `saga ${name}: step ${step}`, send: sent.declaration.type, undo: undone.declaration.type }];
  });
}
