import type { OpenEngine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { Logger } from "../runtime/logger.js";
import type { Registration } from "../store/store.js";
import type { ConsumerPlan, Subscription } from "./plan.js";

/**
 * What a consumer's registration becomes: a new one starts where it says; a known one goes on where it was.
 *
 * @throws {Failure} CONSUMER_FROM when a new consumer of a topic with records does not say where to start;
 * POSITION_MISSING when what the store knows does not fit the log any more, so that going on would skip events.
 */
export async function register(engine: OpenEngine, plan: ConsumerPlan, logger: Logger): Promise<Registration> {
  const known = await engine.store.readRegistration(plan.name);
  const shapes = new Map((await engine.log.topics()).map((shape) => [shape.name, shape]));
  const topics: Registration["topics"][number][] = [];
  for (const [topic, subscriptions] of byTopic(plan)) {
    const types = subscriptions.map((subscription) => subscription.contract.type).sort();
    const incarnation = shapes.get(topic)?.incarnation ?? "";
    const before = known?.topics.find((other) => other.topic === topic);
    if (before === undefined) {
      topics.push({ topic, incarnation, types, start: await startOf(engine, plan, topic, subscriptions) });
      continue;
    }
    await checkPositions(engine, plan, before, incarnation);
    const added = types.filter((type) => !before.types.includes(type));
    if (before.types.length === 0)
      logger.info({ consumer: plan.name, topic }, `${plan.name} hears ${topic} again, from where it left it`);
    else if (added.length > 0)
      logger.info(
        { consumer: plan.name, topic, added },
        `${plan.name} hears ${added.join(", ")} from now on, not the past`,
      );
    topics.push({ topic, incarnation, types, start: before.start });
  }
  return { consumer: plan.name, service: plan.service, topics: [...topics, ...dropped(known, topics)] };
}

/** Topics that it hears no more are remembered, so that their positions are checked should it hear them again. */
function dropped(known: Registration | undefined, heard: Registration["topics"]): Registration["topics"] {
  const left = known?.topics.filter(({ topic }) => !heard.some((other) => other.topic === topic));
  return left?.map((topic) => ({ ...topic, types: [] })) ?? [];
}

function byTopic(plan: ConsumerPlan): Map<string, Subscription[]> {
  const topics = new Map<string, Subscription[]>();
  for (const subscription of plan.subscriptions) {
    const of = topics.get(subscription.topic);
    if (of === undefined) topics.set(subscription.topic, [subscription]);
    else of.push(subscription);
  }
  return topics;
}

async function startOf(engine: OpenEngine, plan: ConsumerPlan, topic: string, subscriptions: readonly Subscription[]) {
  const starts = await engine.log.starts(topic);
  const ends = await engine.log.ends(topic);
  const from = new Set(subscriptions.map((subscription) => subscription.from).filter((value) => value !== undefined));
  const empty = starts.every((start, partition) => start === ends[partition]);
  const commands = subscriptions.every((subscription) => subscription.contract.kind === "command");
  if (from.size > 1)
    throw new Failure(
      "CONSUMER_FROM",
      `${plan.name}: its handlers of topic ${topic} name different starts; give all the same "from"`,
    );
  if (from.has("end")) return ends;
  if (from.has("beginning") || empty || commands) return starts;
  throw new Failure(
    "CONSUMER_FROM",
    `${plan.name} is new and topic ${topic} already holds records: say { from: "beginning" } or { from: "end" } in its handler options`,
  );
}

async function checkPositions(
  engine: OpenEngine,
  plan: ConsumerPlan,
  before: Registration["topics"][number],
  incarnation: string,
) {
  const { topic } = before;
  const where = `${plan.name}, topic ${topic}`;
  const cure = `Nothing was skipped. Check the log, then "millrace consumers forget ${plan.name}" to register it anew`;
  if (before.incarnation !== incarnation)
    throw new Failure(
      "POSITION_MISSING",
      `${where}: the topic was deleted and made anew, its offsets mean other events. ${cure}`,
    );
  const starts = await engine.log.starts(topic);
  const ends = await engine.log.ends(topic);
  if (before.start.length !== ends.length)
    throw new Failure(
      "POSITION_MISSING",
      `${where}: ${ends.length - before.start.length} of its positions are missing. ${cure}`,
    );
  before.start.forEach((frontier, partition) => {
    if (frontier > (ends[partition] as number))
      throw new Failure(
        "POSITION_MISSING",
        `${where}: partition ${partition} ends at ${ends[partition]}, before its position ${frontier}. ${cure}`,
      );
    if (frontier < (starts[partition] as number))
      throw new Failure(
        "POSITION_MISSING",
        `${where}: partition ${partition} begins at ${starts[partition]}, after its position ${frontier}. ${cure}`,
      );
  });
}
