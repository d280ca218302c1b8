import type { HandlerContext } from "../consumer/context.js";
import type { Handler, Refusal } from "../consumer/handler.js";
import type { Received } from "../contract/contract.js";
import { Failure } from "../failure/failure.js";
import type { NewRecord } from "../log/log.js";
import type { StreamRead } from "../store/stream.js";
import { currentState } from "./current.js";
import { decision, derived } from "./decision.js";
import type { AggregateDefinition } from "./definition.js";
import { evolved, type Folded } from "./fold.js";
import { snapshotText } from "./snapshot.js";
import { States, stateName } from "./states.js";

/** Handles the commands of an aggregate: decides on the newest state, and appends to its stream in the commit. */
export function aggregateHandler(definition: AggregateDefinition): Handler {
  return (command, ctx) => {
    const run = new CommandRun(definition, ctx as HandlerContext, command);
    const state = run.state();
    return state instanceof Promise ? state.then((folded) => run.decide(folded)) : run.decide(state);
  };
}

/** Those whose states make no snapshots: it is said once. */
const unkept = new WeakSet<AggregateDefinition>();

class CommandRun {
  readonly #definition: AggregateDefinition;
  readonly #context: HandlerContext;
  readonly #command: Received<string, unknown>;
  readonly #states: States;
  readonly #name: string;

  constructor(definition: AggregateDefinition, context: HandlerContext, command: Received<string, unknown>) {
    this.#definition = definition;
    this.#context = context;
    this.#command = command;
    this.#states = States.of(context.store);
    this.#name = stateName(definition, command.key);
  }

  /** Nothing is sure of it until the commit has checked it: another process may have appended, or this run's effects be lost. */
  state(): Folded | Promise<Folded> {
    const kept = this.#states.get(this.#name);
    if (kept?.sure === true) {
      kept.sure = false;
      return kept;
    }
    const at = { store: this.#context.store, key: this.#command.key };
    const newest = currentState(this.#definition, at, kept);
    const keep = (folded: Folded) => {
      this.#states.keep(this.#name, folded, false);
      return folded;
    };
    return newest instanceof Promise ? newest.then(keep) : keep(newest);
  }

  decide(before: Folded): Refusal | undefined {
    const stream = { topic: this.#definition.name, key: this.#command.key, version: before.version };
    // Should it throw: on a state that is not the newest any more, that is no failure.
    this.#decided(stream, [], before);
    const answer = decision(this.#definition, this.#command, before.state);
    if (answer.type === "refused") return answer.refusal;
    const records = this.#context.append(stream, answer.events);
    this.#decided(stream, records, this.#fold(before, records));
    return undefined;
  }

  #decided(stream: StreamRead, records: readonly NewRecord[], after: Folded): void {
    const stored = () => this.#states.keep(this.#name, after, true);
    this.#context.decided = { stream, records, stored };
  }

  /** An event that cannot be folded is not stored either. What is folded is what will be read: the JSON. */
  #fold(before: Folded, records: readonly NewRecord[]): Folded {
    const { key } = this.#command;
    let folded = before;
    for (const record of records) {
      if (record.key !== key) throw this.#ofAnother(record);
      const event = { key, type: record.type, data: JSON.parse(record.data as string) as unknown };
      folded = evolved(this.#definition, folded, event);
      for (const message of derived(this.#definition, event, folded.state)) this.#context.publish(message as never);
    }
    this.#snapshot(before, folded);
    return folded;
  }

  #snapshot({ version: before }: Folded, { state, version }: Folded): void {
    const { name: topic, snapshotEvery, version: fold } = this.#definition;
    if (snapshotEvery === undefined || Math.floor(before / snapshotEvery) === Math.floor(version / snapshotEvery))
      return;
    const text = snapshotText(state);
    if (text !== undefined) this.#context.effects.snapshot = { topic, key: this.#command.key, version, fold, text };
    else if (!unkept.has(this.#definition)) {
      unkept.add(this.#definition);
      const advice = "keep the state plain, or leave snapshotEvery out";
      this.#context.log.warn(
        { aggregate: topic },
        `${topic}: JSON cannot hold its state, so it has no snapshots; ${advice}`,
      );
    }
  }

  #ofAnother({ type, key }: NewRecord): Failure {
    const { name } = this.#definition;
    return new Failure(
      "DECISION_INVALID",
      `${name} ${this.#command.key}: decide, asked for ${this.#command.type}, returned ${type} of ${key}; an aggregate decides about itself alone`,
    );
  }
}
