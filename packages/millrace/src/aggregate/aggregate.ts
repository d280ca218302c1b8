import type { Subscription } from "../consumer/declaration.js";
import type { Refusal } from "../consumer/handler.js";
import { type Part, part } from "../consumer/part.js";
import {
  type AnyContract,
  type AnyEvent,
  contractDeclaration,
  type MessageOf,
  type meta,
  type NameOf,
  type ReceivedOf,
  type Topic,
} from "../contract/contract.js";
import type { ContractDeclaration } from "../contract/declaration.js";
import { topicDeclaration } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import type { AggregateDefinition, AggregatePart } from "./definition.js";
import { isThenable } from "./fold.js";
import { aggregateHandler } from "./handler.js";

/** How an aggregate is declared. Its functions are pure and synchronous: the same arguments, the same answer. */
export interface AggregateOptions<Events, State, C extends AnyContract, Emits extends AnyEvent = never> {
  /** What it decides about. Their key is the topic's: it says which aggregate is meant. */
  readonly commands: readonly C[];
  /** The state of one that has no events yet. */
  readonly initialState: () => State;
  /** The events that a command leads to, none of them when it changes nothing; or why it is refused. */
  readonly decide: (command: ReceivedOf<C>, state: State) => readonly MessageOf<Events[keyof Events]>[] | Refusal;
  /** The state after an event. It returns a new one: a state is never changed. */
  readonly evolve: (state: State, event: MessageOf<Events[keyof Events]>) => State;
  /** Events of other topics of its service that `derive` publishes. */
  readonly emits?: readonly Emits[];
  /** What the world hears of an event, in the same commit; `state` is the one after it. */
  readonly derive?: (event: MessageOf<Events[keyof Events]>, state: State) => readonly MessageOf<Emits>[];
  /**
   * Keeps the state, as JSON, after so many events, so that one which nobody has used for long is read fast (default: never). A cache: without it
   * nothing changes but speed.
   */
  readonly snapshotEvery?: number;
  /** Of `evolve` (default 1). With another number, snapshots that were made with the one before are not read. */
  readonly version?: number;
}

/** An event-sourced entity: `service("orders").owns(order)` runs it. */
export interface Aggregate<State, Command extends string> extends Part {
  readonly [meta]?: readonly [State, Command];
}

const optionNames: OptionNames<AggregateOptions<unknown, unknown, AnyContract, AnyEvent>> = {
  commands: true,
  initialState: true,
  decide: true,
  evolve: true,
  emits: true,
  derive: true,
  snapshotEvery: true,
  version: true,
};

/**
 * Declares an aggregate: an entity whose state is the fold of its events. Each key of the topic is one of them.
 *
 * Only the aggregate writes its topic. A command decides on the newest state, or it decides again.
 *
 * @throws {Failure} OPTION_INVALID when an option cannot be used, a command has another key than the topic, or the
 *   topic does not keep its events for ever.
 * @example
 * ```ts
 * import { aggregate, command, event, service, topic } from "millrace";
 * import { z } from "zod";
 *
 * const Amount = z.object({ account: z.string(), pence: z.int() });
 * const accounts = topic("accounts", {
 *   key: "account",
 *   events: { paidIn: event("account.paid-in", Amount), paidOut: event("account.paid-out", Amount) },
 * });
 * const payIn = command("pay-in", Amount, { key: "account" });
 * const payOut = command("pay-out", Amount, { key: "account" });
 *
 * export const account = aggregate(accounts, {
 *   commands: [payIn, payOut],
 *   initialState: () => ({ pence: 0 }),
 *   decide({ type, data }, { pence }) {
 *     if (type === "pay-in") return [accounts.paidIn(data)];
 *     return data.pence > pence ? { refused: "NOT_ENOUGH" } : [accounts.paidOut(data)];
 *   },
 *   evolve: ({ pence }, { type, data }) => ({ pence: type === "account.paid-in" ? pence + data.pence : pence - data.pence }),
 * });
 * export const bank = service("bank").owns(account);
 * ```
 */
export function aggregate<Events, State, C extends AnyContract, Emits extends AnyEvent = never>(
  topic: Topic<Events>,
  options: AggregateOptions<Events, State, C, Emits>,
): Aggregate<State, NameOf<C>> {
  const declared = topicDeclaration(topic);
  const where = `aggregate ${declared.name}`;
  const given = options as unknown as AggregateOptions<unknown, unknown, AnyContract, AnyEvent>;
  checkOptions(given, optionNames, { where });
  checkKept(declared.retentionMs, where);
  for (const name of ["initialState", "decide", "evolve"] as const)
    if (typeof given[name] !== "function") throw invalid(where, name, "is a function");
  if (isThenable(given.initialState()))
    throw invalid(where, "initialState", "returns a promise; it returns the state, synchronously");
  const { emits = [], derive } = given;
  if ((derive === undefined) !== (emits.length === 0))
    throw invalid(
      where,
      derive === undefined ? "derive" : "emits",
      "goes with the other: emits lists what derive may return",
    );
  const definition: AggregateDefinition = {
    name: declared.name,
    topic: declared,
    commands: commandsOf(given.commands, declared.key, where),
    initialState: given.initialState,
    decide: given.decide as AggregateDefinition["decide"],
    evolve: given.evolve as AggregateDefinition["evolve"],
    derive: derive as AggregateDefinition["derive"],
    snapshotEvery: wholeNumber(given.snapshotEvery, where, "snapshotEvery"),
    version: wholeNumber(given.version, where, "version") ?? 1,
  };
  const handler = aggregateHandler(definition);
  const declaration: AggregatePart = {
    title: where,
    topics: [topic as Topic<Readonly<Record<string, AnyEvent>>>],
    commands: given.commands.map((contract): Subscription => ({ contract, options: { emits }, handler })),
    consumers: [],
    aggregate: definition,
  };
  return Object.freeze({ [part]: declaration }) as unknown as Aggregate<State, NameOf<C>>;
}

function commandsOf(
  commands: readonly AnyContract[],
  key: string,
  where: string,
): ReadonlyMap<string, ContractDeclaration> {
  if (!Array.isArray(commands) || commands.length === 0)
    throw invalid(where, "commands", "is a list of at least one command");
  const found = new Map<string, ContractDeclaration>();
  for (const contract of commands as readonly AnyContract[]) {
    const declaration = contractDeclaration(contract);
    const { type } = declaration;
    if (declaration.kind !== "command") throw invalid(where, "commands", `takes commands, and ${type} is an event`);
    if (found.has(type)) throw invalid(where, "commands", `has ${type} twice`);
    if (declaration.key !== key)
      throw invalid(
        where,
        "commands",
        `has ${type} with the key ${declaration.key}; the topic's is ${key}, and says which aggregate is meant`,
      );
    found.set(type, declaration);
  }
  return found;
}

function checkKept(retentionMs: number | undefined, where: string): void {
  if (retentionMs === undefined) return;
  throw new Failure(
    "OPTION_INVALID",
    `${where}: its topic has a retention, and the state is the fold of all events; leave the retention out`,
    { details: { option: "retention" } },
  );
}

function wholeNumber(given: number | undefined, where: string, option: string): number | undefined {
  if (given === undefined || (Number.isSafeInteger(given) && given > 0)) return given;
  throw invalid(where, option, `takes a whole number from 1 on, not ${String(given)}`);
}

function invalid(where: string, option: string, problem: string): Failure {
  return new Failure("OPTION_INVALID", `${where}: ${option} ${problem}`, { details: { option } });
}
