import type { Subscription } from "../consumer/declaration.js";
import type { Handler } from "../consumer/handler.js";
import { type Part, type PartDeclaration, part } from "../consumer/part.js";
import {
  type AnyContract,
  type AnyEvent,
  contractDeclaration,
  contractOfMessage,
  type Message,
} from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import { checkKebabName } from "../contract/names.js";
import { Failure } from "../failure/failure.js";
import { durationMs } from "../runtime/duration.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import { sagaHandlers } from "./handlers.js";
import { type Instance, instanceDocuments } from "./instance.js";
import { checkKeys } from "./instance-key.js";
import { kindsOf, type OpenStep } from "./kinds.js";
import { innerTypes, type OwnContracts, ownContracts } from "./own-contracts.js";
import type { SagaPlan, StepPlan, StepRetry } from "./plan.js";
import { probe } from "./probe.js";
import type { SagaOptions, SagaRetry, StepOptions } from "./saga.js";

type AnySagaOptions = SagaOptions<AnyEvent, unknown, string>;
type AnyStepOptions = Omit<StepOptions<unknown, string, never, never>, "done" | "failed"> & {
  readonly done: AnyEvent;
  readonly failed?: AnyEvent | readonly AnyEvent[];
};

const sagaOptions: OptionNames<AnySagaOptions> = { startsOn: true, key: true, state: true, keep: true, from: true };
const stepOptions: OptionNames<AnyStepOptions> = {
  kind: true,
  when: true,
  send: true,
  undo: true,
  done: true,
  onDone: true,
  failed: true,
  onFailed: true,
  timeout: true,
  retry: true,
};
const retryOptions: OptionNames<SagaRetry> = { attemptsMax: true, backoffFirst: true, backoffMax: true };
const attemptsOfRetriable = 8;

/** What a saga is, for those who read its instances. */
export interface SagaDeclaration {
  readonly plan: SagaPlan;
  readonly own: OwnContracts;
  readonly documents: DocumentType<Instance>;
}

const declared = Symbol("millrace saga");

/**
 * The declaration of a saga.
 *
 * @throws {Failure} OPTION_INVALID when `saga()` did not make it.
 */
export function sagaDeclaration(of: object): SagaDeclaration {
  const found = (of as { readonly [declared]?: SagaDeclaration })[declared];
  if (found !== undefined) return found;
  throw new Failure("OPTION_INVALID", "this value was not made by saga(); pass on what it returns");
}

/** Steps of one stage. */
class StageBuilder {
  readonly steps: OpenStep[] = [];

  constructor(
    readonly saga: string,
    readonly taken: Set<string>,
  ) {}

  step(name: string, options: AnyStepOptions): this {
    const where = `saga ${this.saga}: step ${name}`;
    checkKebabName(name, `a step of saga ${this.saga}`);
    checkOptions(options, stepOptions, { where });
    // Every object has it: a step of this name would be taken for one that has been sent.
    if (name in {}) throw new Failure("OPTION_INVALID", `${where}: this name cannot be used; choose another`);
    if (this.taken.has(name)) throw new Failure("OPTION_INVALID", `${where} is there twice; give each its own name`);
    this.taken.add(name);
    const { send, undo, done, failed = [], kind, when, onDone, onFailed, timeout } = options;
    if (typeof send !== "function")
      throw new Failure("OPTION_INVALID", `${where}: send is a function of the state that makes a command`);
    checkCommands(where, send, undo);
    this.steps.push({
      name,
      kind,
      when,
      send,
      undo: typeof undo === "function" ? undo : undefined,
      takenBack: undo !== undefined,
      done,
      failed: isEvents(failed) ? failed : [failed],
      onDone: onDone as StepPlan["onDone"],
      onFailed: onFailed as StepPlan["onFailed"],
      timeoutMs: timeout === undefined ? undefined : durationMs(timeout, `${where}: timeout`),
      retry: retryOf(options, where),
    });
    return this;
  }
}

/** A saga under construction; complete when a service owns it. */
export class SagaBuilder implements Part {
  readonly #options: AnySagaOptions;
  readonly #stages: OpenStep[][] = [];
  readonly #steps = new Set<string>();
  readonly #abortOn: AnyEvent[] = [];
  #completed: SagaPlan["completed"];
  #aborted: SagaPlan["aborted"];
  #declaration: SagaDeclaration | undefined;
  #part: PartDeclaration | undefined;

  constructor(
    readonly name: string,
    options: AnySagaOptions,
  ) {
    checkKebabName(name, "a saga");
    checkOptions(options, sagaOptions, { where: `saga ${name}` });
    this.#options = options;
  }

  step(name: string, options: AnyStepOptions): this {
    return this.parallel((steps) => steps.step(name, options));
  }

  parallel(add: (steps: StageBuilder) => unknown): this {
    this.#open("step");
    const stage = new StageBuilder(this.name, this.#steps);
    add(stage);
    if (stage.steps.length > 0) this.#stages.push(stage.steps);
    return this;
  }

  abortOn(event: AnyEvent): this {
    this.#open("abortOn");
    this.#abortOn.push(event);
    return this;
  }

  completed(publish: SagaPlan["completed"]): this {
    this.#open("completed");
    this.#completed = publish;
    return this;
  }

  aborted(publish: SagaPlan["aborted"]): this {
    this.#open("aborted");
    this.#aborted = publish;
    return this;
  }

  get [declared](): SagaDeclaration {
    this.#declaration ??= this.#declare();
    return this.#declaration;
  }

  get [part](): PartDeclaration {
    this.#part ??= { ...partOf(this[declared], this.#options.from), of: this };
    return this.#part;
  }

  #open(what: string): void {
    if (this.#declaration === undefined) return;
    throw new Failure("OPTION_INVALID", `saga ${this.name}: .${what}() comes too late, a service owns it already`);
  }

  #declare(): SagaDeclaration {
    const { startsOn, key, state, keep = "30d" } = this.#options;
    if (this.#stages.length === 0) throw new Failure("OPTION_INVALID", `saga ${this.name} has no step; add .step(…)`);
    const plan: SagaPlan = {
      name: this.name,
      key,
      startsOn,
      start: state as SagaPlan["start"],
      stages: kindsOf(this.name, this.#stages),
      abortOn: this.#abortOn,
      completed: this.#completed,
      aborted: this.#aborted,
      keepMs: keep === "forever" ? undefined : durationMs(keep, `saga ${this.name}: keep`),
    };
    const { stages, abortOn } = plan;
    const heard = stages.flat().flatMap(({ done, failed }) => [done, ...failed]);
    checkKeys([startsOn, ...abortOn, ...heard], key, `saga ${this.name}`);
    return { plan, own: ownContracts("saga", this.name), documents: instanceDocuments<Instance>("saga", this.name) };
  }
}

function isEvents(failed: AnyEvent | readonly AnyEvent[]): failed is readonly AnyEvent[] {
  return Array.isArray(failed);
}

function retryOf({ kind, retry }: AnyStepOptions, where: string): StepRetry {
  if (retry !== undefined) checkOptions(retry, retryOptions, { where: `${where}: retry` });
  const { attemptsMax = retry === undefined ? (kind === "retriable" ? attemptsOfRetriable : 1) : 3 } = retry ?? {};
  if (!Number.isSafeInteger(attemptsMax) || attemptsMax < 1)
    throw new Failure(
      "OPTION_INVALID",
      `${where}: retry.attemptsMax takes a whole number from 1 on, not ${attemptsMax}`,
    );
  return {
    attemptsMax,
    backoffMsFirst: durationMs(retry?.backoffFirst ?? "1s", `${where}: retry.backoffFirst`),
    backoffMsMax: durationMs(retry?.backoffMax ?? "5m", `${where}: retry.backoffMax`),
  };
}

/** An undo must not overtake what it takes back: it has the same key, and so stands behind it. */
function checkCommands(where: string, send: AnyStepOptions["send"], undo: AnyStepOptions["undo"]): void {
  const sent = probe(send);
  if (sent !== undefined && sent.declaration.kind !== "command")
    throw new Failure(
      "OPTION_INVALID",
      `${where}: send makes ${sent.declaration.type}, which is an event; steps send commands`,
    );
  const undone = typeof undo === "function" ? probe(undo) : undefined;
  if (undone === undefined) return;
  if (undone.declaration.kind !== "command")
    throw new Failure(
      "OPTION_INVALID",
      `${where}: undo makes ${undone.declaration.type}, which is an event; steps send commands`,
    );
  if (sent?.key === undefined || undone.key === undefined || sent.key === undone.key) return;
  throw new Failure(
    "OPTION_INVALID",
    `${where}: send and undo have different keys (${sent.declaration.type}: ${sent.key}, ${undone.declaration.type}: ${undone.key}); an undo could overtake what it takes back`,
  );
}

/** What a saga comes down to: a consumer of its own, and the commands of operators. */
function partOf(declaration: SagaDeclaration, from: "beginning" | "end" | undefined): PartDeclaration {
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
