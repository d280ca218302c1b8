import { type Part, type PartDeclaration, part } from "../consumer/part.js";
import type { AnyEvent } from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import { checkKebabName } from "../contract/names.js";
import { Failure } from "../failure/failure.js";
import { durationMs } from "../runtime/duration.js";
import { checkOptions, type OptionNames, shown } from "../runtime/options.js";
import { checkEvent, checkFunction } from "./check.js";
import { type Instance, instanceDocuments } from "./instance.js";
import { checkKeys } from "./instance-key.js";
import { kindsOf, type OpenStep } from "./kinds.js";
import { type OwnContracts, ownContracts } from "./own-contracts.js";
import { partOf } from "./part.js";
import type { SagaPlan } from "./plan.js";
import type { SagaOptions } from "./saga.js";
import { type AnyStepOptions, StageBuilder } from "./stage.js";

type AnySagaOptions = SagaOptions<AnyEvent, unknown, string>;

const sagaOptions: OptionNames<AnySagaOptions> = {
  startsOn: true,
  key: true,
  state: true,
  version: true,
  migrate: true,
  keep: true,
  from: true,
};

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

/** A saga under construction; complete when a service owns it. */
export class SagaBuilder implements Part {
  readonly #options: AnySagaOptions;
  readonly #documents: DocumentType<Instance>;
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
    checkEvent(options.startsOn, `saga ${name}: startsOn`);
    if (typeof options.key !== "string")
      throw new Failure("OPTION_INVALID", `saga ${name}: key is ${shown(options.key)}; it is the name of a field`);
    checkFunction(options.state, `saga ${name}: state`, "of the event that makes the first state");
    this.#options = options;
    this.#documents = instanceDocuments<Instance>("saga", name, options);
  }

  step(name: string, options: AnyStepOptions): this {
    return this.parallel((steps) => steps.step(name, options));
  }

  parallel(add: (steps: StageBuilder) => unknown): this {
    this.#open("step");
    checkFunction(add, `saga ${this.name}: parallel`, "that is given where to add steps");
    const stage = new StageBuilder(this.name, this.#steps);
    add(stage);
    if (stage.steps.length > 0) this.#stages.push(stage.steps);
    return this;
  }

  abortOn(event: AnyEvent): this {
    this.#open("abortOn");
    checkEvent(event, `saga ${this.name}: abortOn`);
    this.#abortOn.push(event);
    return this;
  }

  completed(publish: SagaPlan["completed"]): this {
    this.#open("completed");
    checkFunction(publish, `saga ${this.name}: completed`, "of the state that makes an event");
    this.#completed = publish;
    return this;
  }

  aborted(publish: SagaPlan["aborted"]): this {
    this.#open("aborted");
    checkFunction(publish, `saga ${this.name}: aborted`, "of the state and the reason that makes an event");
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
    return { plan, own: ownContracts("saga", this.name), documents: this.#documents };
  }
}
