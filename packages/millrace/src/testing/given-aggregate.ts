import type { Aggregate } from "../aggregate/aggregate.js";
import { changesBetween } from "../aggregate/changes.js";
import { type Decision, decision, derived } from "../aggregate/decision.js";
import { type AggregateDefinition, definitionOf } from "../aggregate/definition.js";
import { evolved, type Folded, initial } from "../aggregate/fold.js";
import { snapshotText } from "../aggregate/snapshot.js";
import type { Refusal } from "../consumer/handler.js";
import { contractDeclaration, type Message, type Received } from "../contract/contract.js";
import type { ContractDeclaration } from "../contract/declaration.js";
import { difference, messageLine, shown } from "./difference.js";
import { effectsDiffer } from "./expected.js";
import type { AskedAggregate, DecidedAggregate, GivenEnvelope } from "./given.js";
import { receivedMessage, type Stored, storedMessage } from "./given-message.js";

/** An aggregate on its own: what the runtime does with one, without the runtime. */
export class AggregateScene {
  readonly #definition: AggregateDefinition;
  readonly #before: Folded;
  readonly #key: string | undefined;

  constructor(aggregate: Aggregate<unknown, string>, events: readonly Message<string, unknown>[]) {
    this.#definition = definitionOf(aggregate);
    const stored = events.map((event) => this.#stored(event, this.#definition.topic.events));
    this.#key = stored[0]?.key;
    for (const { key, type } of stored)
      if (key !== this.#key)
        throw new Error(`given ${type} of ${key} and events of ${this.#key}: an aggregate's events have one key`);
    this.#before = stored.reduce((folded, event) => this.#evolved(folded, event), initial(this.#definition));
  }

  get state(): unknown {
    return this.#before.state;
  }

  when(command: Message<string, unknown>, envelope: GivenEnvelope = {}): AskedAggregate<unknown> {
    const asked = this.#stored(command, this.#definition.commands);
    if (this.#key !== undefined && asked.key !== this.#key)
      throw new Error(`${asked.type} asks ${asked.key}, the given events are of ${this.#key}`);
    const received = receivedMessage(asked, envelope);
    const answer = decision(this.#definition, received, this.#before.state);
    this.#assertPure(received, answer);
    return new Asked(asked, answer, this.#after(asked.key, answer));
  }

  #after(key: string, answer: Decision): DecidedAggregate<unknown> {
    const published: Message<string, unknown>[] = [];
    let folded = this.#before;
    for (const event of answer.type === "events" ? answer.events : []) {
      const stored = this.#stored(event, this.#definition.topic.events);
      if (stored.key !== key) throw new Error(`decide returned ${stored.type} of ${stored.key}, asked about ${key}`);
      folded = this.#evolved(folded, stored);
      published.push(...derived(this.#definition, stored, folded.state));
    }
    return { state: folded.state, derived: published };
  }

  #evolved(before: Folded, event: Stored): Folded {
    const folded = evolved(this.#definition, before, event);
    const again = evolved(this.#definition, before, event);
    if (changesBetween(folded.state, again.state).length > 0)
      throw new Error(
        `evolve is not pure: ${event.type}, folded twice, leads to\n${difference(folded.state, again.state)}`,
      );
    if (this.#definition.snapshotEvery !== undefined && snapshotText(folded.state) === undefined)
      throw new Error(`no snapshot can hold this state, as JSON changes it: ${shown(folded.state)}`);
    return folded;
  }

  #assertPure(command: Received<string, unknown>, answer: Decision): void {
    const again = decision(this.#definition, command, this.#before.state);
    if (changesBetween(answer, again).length > 0)
      throw new Error(`decide is not pure: asked twice, it says\n${difference(answer, again)}`);
  }

  #stored(message: Message<string, unknown>, among: ReadonlyMap<string, ContractDeclaration>): Stored {
    const contract = contractDeclaration(message);
    const { type } = contract;
    if (among.get(type) !== contract)
      throw new Error(
        `${type} is not one of aggregate ${this.#definition.name}; it has ${[...among.keys()].join(", ")}`,
      );
    return storedMessage(message);
  }
}

class Asked implements AskedAggregate<unknown> {
  readonly #asked: Stored;
  readonly #answer: Decision;
  readonly #after: DecidedAggregate<unknown>;

  constructor(asked: Stored, answer: Decision, after: DecidedAggregate<unknown>) {
    this.#asked = asked;
    this.#answer = answer;
    this.#after = after;
  }

  // biome-ignore lint/suspicious/noThenProperty: it is how these tests read; whoever awaits it is told.
  then(expected: readonly Message<string, unknown>[] | Refusal): DecidedAggregate<unknown> {
    if (typeof expected === "function") throw new Error(".then([…]) takes what is expected; there is nothing to await");
    const problem = this.#problem(expected);
    if (problem !== undefined) throw new Error(`${this.#asked.type} ${shown(this.#asked.data)}: ${problem}`);
    return this.#after;
  }

  #problem(expected: readonly Message<string, unknown>[] | Refusal): string | undefined {
    const answer = this.#answer;
    if (isList(expected)) {
      if (answer.type === "refused")
        return `refused with ${shown(answer.refusal)}, expected were\n${expected.map((one) => `  ${messageLine(one)}`).join("\n")}`;
      const differ = effectsDiffer(expected, answer.events);
      return differ === undefined ? undefined : `decided other events (- expected, + decided)\n${differ}`;
    }
    if (answer.type === "events")
      return `expected was the refusal ${shown(expected)}, decided were\n${answer.events.map((one) => `  ${messageLine(one)}`).join("\n")}`;
    const { refusal } = answer;
    const alike = refusal.refused === expected.refused && (expected.detail ?? refusal.detail) === refusal.detail;
    return alike
      ? undefined
      : `refused otherwise (- expected, + decided)\n  - ${shown(expected)}\n  + ${shown(refusal)}`;
  }
}

function isList(
  expected: readonly Message<string, unknown>[] | Refusal,
): expected is readonly Message<string, unknown>[] {
  return Array.isArray(expected);
}
