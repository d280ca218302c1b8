import type { Aggregate } from "../aggregate/aggregate.js";
import type { Refusal } from "../consumer/handler.js";
import type { EventName, Message } from "../contract/contract.js";
import { AggregateScene } from "./given-aggregate.js";

/** What a command says beside its data, where `decide` looks at it. */
export interface GivenEnvelope {
  /** By default the beginning of the year 2000. */
  readonly time?: Date;
  readonly actor?: string;
}

/** An aggregate after some events, about to be asked something. */
export interface GivenAggregate<State, Command extends string> {
  /** What the events come to. */
  readonly state: State;
  when(command: Message<Command, unknown>, envelope?: GivenEnvelope): AskedAggregate<State>;
}

/** What an aggregate has decided. */
export interface AskedAggregate<State> {
  /**
   * Checks it: the events, all of them and in order, or the refusal, whose detail counts if it is given. There is
   * nothing to await.
   *
   * @throws {Error} that shows the difference, for any test runner.
   */
  then(expected: readonly Message<EventName, unknown>[] | Refusal): DecidedAggregate<State>;
}

/** What the decision led to. */
export interface DecidedAggregate<State> {
  readonly state: State;
  /** The events that it derives for the world. */
  readonly derived: readonly Message<string, unknown>[];
}

/**
 * Tests a pattern without an engine and without a clock: given what happened, when this is asked, then that.
 *
 * Also finds what would only show later: an answer that is not the same when asked again, a state that is changed in
 * place, events that do not fit their contract, a state that a snapshot could not hold.
 *
 * @throws {Error} when an event is not one of the aggregate's, or they are not all of one key.
 * @example
 * ```ts
 * import { aggregate, command, event, topic } from "millrace";
 * import { given } from "millrace/testing";
 * import { z } from "zod";
 *
 * const Lamp = z.object({ lamp: z.string() });
 * const lamps = topic("lamps", { key: "lamp", events: { lit: event("lamp.lit", Lamp), broken: event("lamp.broken", Lamp) } });
 * const light = command("light", Lamp, { key: "lamp" });
 * const lamp = aggregate(lamps, {
 *   commands: [light],
 *   initialState: () => ({ broken: false }),
 *   decide: ({ data }, { broken }) => (broken ? { refused: "BROKEN" } : [lamps.lit(data)]),
 *   evolve: (state, { type }) => (type === "lamp.broken" ? { broken: true } : state),
 * });
 *
 * given(lamp, []).when(light({ lamp: "l-1" })).then([lamps.lit({ lamp: "l-1" })]);
 * given(lamp, [lamps.broken({ lamp: "l-1" })]).when(light({ lamp: "l-1" })).then({ refused: "BROKEN" });
 * ```
 */
export function given<State, Command extends string>(
  pattern: Aggregate<State, Command>,
  events: readonly Message<EventName, unknown>[],
): GivenAggregate<State, Command> {
  return new AggregateScene(pattern, events) as unknown as GivenAggregate<State, Command>;
}
