import { Failure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import type { AnyEvent, DataOf, Topic } from "./contract.js";
import type { TopicDeclaration } from "./declaration.js";
import { type Declared, declarationOf } from "./declared.js";
import { requireKey } from "./key.js";
import { checkKebabName } from "./names.js";

/** How a topic is declared. */
export interface TopicOptions<Events extends Record<string, AnyEvent>> {
  readonly events: Events;
  /** The field that every event has: the aggregate's id. Events of one key keep their order. */
  readonly key: NoInfer<keyof DataOf<Events[keyof Events]> & string>;
  /** How many keys can be worked on by different processes at once; 1 to 1,024, by default 12. Never changes later. */
  readonly partitions?: number;
  /** How long events are kept; by default for ever. */
  readonly retention?: "forever" | Duration;
  /** Readable by its own service alone. */
  readonly internal?: boolean;
}

const optionNames: OptionNames<TopicOptions<Record<string, AnyEvent>>> = {
  events: true,
  key: true,
  partitions: true,
  retention: true,
  internal: true,
};
const partitionsDefault = 12;
const partitionsMax = 1_024;

/** Where a topic keeps its declaration. */
const declared = Symbol("millrace topic");

/**
 * Declares a topic: the ordered, partitioned log of one aggregate type's events, owned by one service.
 *
 * @throws {Failure} CONTRACT_INVALID when a name, the key or the partition count is wrong, or an event has a topic already.
 * @throws {Failure} OPTION_INVALID when the retention is not a duration.
 * @example
 * ```ts
 * import { event, topic } from "millrace";
 * import { z } from "zod";
 *
 * export const orders = topic("orders", {
 *   key: "orderId",
 *   events: { placed: event("order.placed", z.object({ orderId: z.string() })) },
 * });
 * ```
 */
export function topic<Events extends Record<string, AnyEvent>>(
  name: string,
  options: TopicOptions<Events>,
): Topic<Events> {
  checkKebabName(name, "a topic");
  const where = `topic ${name}`;
  checkOptions(options, optionNames, { where, code: "CONTRACT_INVALID" });
  const { partitions = partitionsDefault, retention = "forever", key } = options;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > partitionsMax) {
    throw invalid(`${where}: partitions is ${String(partitions)}; write a whole number from 1 to ${partitionsMax}`);
  }
  const events = new Map<string, Declared>();
  for (const contract of Object.values(options.events)) {
    const event = declarationOf(contract);
    checkEvent(event, { key, where, events });
    events.set(event.type, event);
  }
  if (events.size === 0) throw invalid(`${where}: it has no events; declare at least one`);
  const declaration: TopicDeclaration = Object.freeze({
    name,
    key,
    partitions,
    retentionMs: retention === "forever" ? undefined : durationMs(retention, `${where}: retention`),
    internal: options.internal ?? false,
    events,
  });
  for (const event of events.values()) event.bind(declaration);
  const made = Object.defineProperty({ ...options.events }, declared, { value: declaration });
  return Object.freeze(made) as unknown as Topic<Events>;
}

function checkEvent(
  event: Declared,
  place: { readonly key: string; readonly where: string; readonly events: ReadonlyMap<string, Declared> },
): void {
  const { key, where, events } = place;
  if (event.kind !== "event") throw invalid(`${where}: ${event.type} is a command; topics hold events`);
  if (events.has(event.type)) throw invalid(`${where}: ${event.type} is declared twice; give each event its own type`);
  if (event.topic !== undefined) {
    throw invalid(
      `${where}: ${event.type} is in topic ${event.topic.name} already; an event belongs to one topic, declare another event`,
    );
  }
  requireKey(event.jsonSchema, key, `${where}: ${event.type} v${event.version}`);
}

/**
 * The declaration behind a topic.
 *
 * @throws {Failure} CONTRACT_UNKNOWN when `topic()` did not make it.
 */
export function topicDeclaration(of: object): TopicDeclaration {
  const found = (of as { readonly [declared]?: TopicDeclaration })[declared];
  if (found !== undefined) return found;
  throw new Failure("CONTRACT_UNKNOWN", "this value was not made by topic(); pass on what it returns, uncopied");
}

function invalid(message: string): Failure {
  return new Failure("CONTRACT_INVALID", message);
}
