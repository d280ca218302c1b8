import type { Subscription } from "../consumer/declaration.js";
import type { Handler, PatternContext } from "../consumer/handler.js";
import { type Part, type PartDeclaration, part } from "../consumer/part.js";
import {
  type AnyContract,
  type AnyEvent,
  contractDeclaration,
  type Message,
  type Received,
} from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import { checkKebabName } from "../contract/names.js";
import { Failure } from "../failure/failure.js";
import { formatReplyTo } from "../log/reply-to.js";
import { durationMs } from "../runtime/duration.js";
import { checkOptions, type OptionNames, shown } from "../runtime/options.js";
import { checkContracts, checkEvents, checkFunction } from "./check.js";
import { instanceDocuments, remember } from "./instance.js";
import { checkKeys, instanceKey } from "./instance-key.js";
import { decided } from "./output.js";
import { type Answered, type Due, innerTypes, type OwnContracts, ownContracts, timerName } from "./own-contracts.js";
import type { ProcessInstance, ProcessOptions, ProcessOutput } from "./process.js";
import { refusePromise } from "./promise.js";
import { checkedState } from "./state.js";

type Outgoing = Message<string, unknown>;
type Input = { readonly type: string; readonly data: unknown };
interface Options extends Omit<ProcessOptions<AnyEvent, AnyContract, unknown, string>, "decide" | "evolve"> {
  readonly decide: (input: Input, state: unknown) => readonly ProcessOutput<Outgoing>[];
  readonly evolve: (state: unknown, event: Input) => unknown;
}
type Stored = ProcessInstance<unknown>;

const optionNames: OptionNames<Options> = {
  key: true,
  hears: true,
  emits: true,
  initialState: true,
  decide: true,
  evolve: true,
  version: true,
  migrate: true,
  keep: true,
  from: true,
};

/** A process as a part: its instances are documents, each decision is one unit of work. */
export class ProcessPart implements Part {
  readonly documents: DocumentType<Stored>;
  readonly #options: Options;
  readonly #own: OwnContracts;
  readonly #keepMs: number | undefined;

  constructor(
    readonly name: string,
    options: Options,
  ) {
    checkKebabName(name, "a process");
    const where = `process ${name}`;
    checkOptions(options, optionNames, { where });
    checkEvents(options.hears, `${where}: hears`);
    checkContracts(options.emits, `${where}: emits`);
    for (const name of ["initialState", "decide", "evolve"] as const)
      checkFunction(options[name], `${where}: ${name}`, says[name]);
    refuseAsync(options.initialState, where);
    if (typeof options.key !== "string")
      throw new Failure("OPTION_INVALID", `${where}: key is ${shown(options.key)}; it is the name of a field`);
    if (options.hears.length === 0) throw new Failure("OPTION_INVALID", `${where} hears nothing; list events in hears`);
    checkKeys(options.hears, options.key, where);
    const { keep = "30d" } = options;
    this.#options = options;
    this.#own = ownContracts("process", name);
    this.#keepMs = keep === "forever" ? undefined : durationMs(keep, `${where}: keep`);
    this.documents = instanceDocuments<Stored>("process", name, options);
  }

  get [part](): PartDeclaration {
    const { key, hears, from } = this.#options;
    const emits = [this.#own.topic.due as unknown as AnyContract, ...this.#options.emits];
    const subscription = (
      contract: AnyContract,
      field: string,
      begins: typeof from,
      handler: Hearing,
    ): Subscription => ({
      contract,
      options: { emits, ...(begins === undefined ? {} : { from: begins }) },
      handler: handler as Handler,
      laneBy: { name: key, field },
    });
    const own = [this.#own.topic.answered, this.#own.topic.due] as unknown as readonly AnyContract[];
    const subscriptions = [
      ...hears.map((contract) => subscription(contract, key, from, (event, ctx) => this.#hear(event, ctx))),
      ...own.map((contract) => subscription(contract, "instance", "beginning", (event, ctx) => this.#told(event, ctx))),
    ];
    return {
      title: `process ${this.name}`,
      inner: innerTypes(this.#own),
      of: this,
      topics: [],
      commands: [],
      consumers: [{ name: this.name, options: {}, subscriptions }],
    };
  }

  #hear(event: Received<string, unknown>, ctx: PatternContext): Promise<void> {
    const key = instanceKey(event, this.#options.key, `process ${this.name}`);
    return this.#take(ctx, event.id, key, () => event);
  }

  /** What the process is told by Millrace: answers to its commands, and that it is to be woken. */
  #told(event: Received<string, unknown>, ctx: PatternContext): Promise<void> {
    return this.#take(ctx, event.id, event.key, (before) => {
      if (event.type === this.#own.topic.answered.type) return before && answerOf(event.data as Answered);
      const { step: name, due } = event.data as Due;
      return before?.wakes[name] === due ? { type: "process.woken", data: { name } } : undefined;
    });
  }

  async #take(
    ctx: PatternContext,
    event: string,
    key: string,
    inputOf: (before: Stored | undefined) => Input | undefined,
  ) {
    const instances = ctx.documents(this.documents);
    const before = await instances.get(key);
    if (before?.status === "ended") {
      if (before.removal !== undefined && before.removal <= ctx.now().getTime()) instances.delete(key);
      return;
    }
    const input = inputOf(before);
    if (input === undefined) return;
    const at = ctx.now().getTime();
    const state = before === undefined ? this.#options.initialState() : before.state;
    const outputs = this.#decided(input, state, key);
    const where = `process ${this.name} ${key}`;
    const learnt = [input, ...outputs.filter(isMessage)].reduce(
      (known, one) => this.#options.evolve(known, one),
      state,
    );
    // One that has no state from the beginning need not have any.
    if (learnt !== undefined || state !== undefined)
      checkedState(learnt, `${where}: the state that evolve returned for ${input.type}`);
    // Events of keys that it is not about leave nothing behind.
    if (before === undefined && outputs.length === 0 && learnt === state) return;
    const history = remember(before?.history ?? [], [{ at, event, type: input.type }]);
    const began = before ?? { key, status: "running", wakes: {}, sent: 0, started: at };
    const woken = input.type === "process.woken" ? (input as { data: { name: string } }).data.name : undefined;
    const wakes = Object.fromEntries(Object.entries(began.wakes).filter(([name]) => name !== woken));
    const after = { ...began, wakes, state: learnt, history, changed: at } as Stored;
    const done = decided(`${where}: what decide returned for ${input.type}`, () => this.#perform(outputs, after, ctx));
    instances.put(done);
  }

  /** @throws {Failure} DECISION_INVALID when `decide` returned something else than a list of outputs. */
  #decided(input: Input, state: unknown, key: string): readonly ProcessOutput<Outgoing>[] {
    const outputs = this.#options.decide(input, state);
    const where = `process ${this.name} ${key}: what decide returned for ${input.type}`;
    refusePromise(outputs, where);
    if (Array.isArray(outputs) && outputs.every((output) => typeof output === "object" && output !== null))
      return outputs;
    throw new Failure(
      "DECISION_INVALID",
      `${where} is no list of commands, events, wakes or ends; return [] for nothing`,
    );
  }

  #perform(outputs: readonly ProcessOutput<Outgoing>[], before: Stored, ctx: PatternContext): Stored {
    let { sent } = before;
    const wakes = new Map(Object.entries(before.wakes));
    const { name: topic } = this.#own;
    const { key, changed: at } = before;
    const replyTo = () => {
      sent += 1;
      return { replyTo: formatReplyTo({ topic, instance: key, step: "command", undo: false, number: sent }) };
    };
    let ended = false;
    for (const output of outputs) {
      if (isMessage(output)) {
        if (isEvent(output)) ctx.publish(output as never);
        else ctx.send(output, replyTo());
      } else if ("end" in output) ended = true;
      else if ("cancel" in output) wakes.delete(output.cancel);
      else if ("wake" in output) wakes.set(output.wake, at + durationMs(output.after, `process ${this.name}: after`));
      else ctx.after(output.after, output.message, isEvent(output.message) ? {} : replyTo());
    }
    if (ended) wakes.clear();
    const removal = ended && this.#keepMs !== undefined ? at + this.#keepMs : undefined;
    this.#timers(key, { before, wakes, removal }, ctx);
    const ending = ended ? { status: "ended" as const, ended: at, ...(removal === undefined ? {} : { removal }) } : {};
    return { ...before, sent, wakes: Object.fromEntries(wakes), ...ending };
  }

  #timers(
    key: string,
    {
      before,
      wakes,
      removal,
    }: { readonly before: Stored; readonly wakes: ReadonlyMap<string, number>; readonly removal: number | undefined },
    ctx: PatternContext,
  ): void {
    const arm = (step: string, due: number) =>
      ctx.after(`${due - before.changed}ms`, this.#own.topic.due({ instance: key, step, due }), {
        name: timerName(this.#own, key, step),
      });
    for (const [name, due] of wakes) if (before.wakes[name] !== due) arm(name, due);
    for (const name of Object.keys(before.wakes)) if (!wakes.has(name)) ctx.cancel(timerName(this.#own, key, name));
    if (removal !== undefined) arm("", removal);
  }
}

const says = {
  initialState: "that makes the state of an instance which has heard nothing",
  decide: "of an input and the state that makes a list of outputs",
  evolve: "of the state and what was decided that makes the next state",
} as const;

/** @throws {Failure} OPTION_INVALID when nobody would wait for the state. */
function refuseAsync(initialState: () => unknown, where: string): void {
  if (typeof (initialState() as { then?: unknown } | null | undefined)?.then !== "function") return;
  throw new Failure("OPTION_INVALID", `${where}: initialState returns a promise; it returns the state, synchronously`);
}

type Hearing = (event: Received<string, unknown>, ctx: PatternContext) => Promise<void>;

function isMessage(output: ProcessOutput<Outgoing>): output is Outgoing {
  return "type" in output;
}

function isEvent(message: Outgoing): boolean {
  return contractDeclaration(message).kind === "event";
}

function answerOf({ command, outcome, code, detail }: Answered): Input {
  const said = { ...(code === undefined ? {} : { code }), ...(detail === undefined ? {} : { detail }) };
  return { type: "process.answered", data: { command, outcome, ...said } };
}
