import { Failure } from "../failure/failure.js";
import type { AnyContract, Contract, Message } from "./contract.js";
import type { ContractDeclaration, TopicDeclaration } from "./declaration.js";
import { keyText } from "./key.js";
import { checkShape, toJson } from "./limits.js";
import { type CompiledSchema, patternHint } from "./schema.js";
import type { Misfit } from "./wire-check.js";

/** One object for all contracts keeps publishing monomorphic. */
export class Declared implements ContractDeclaration {
  readonly kind: "event" | "command";
  readonly type: string;
  readonly version: number;
  /** What users call; set once, when it is made. */
  contract: AnyContract | undefined;
  readonly #schema: CompiledSchema;
  readonly #where: string;
  #key: string;
  #topic: TopicDeclaration | undefined;

  constructor(facts: {
    kind: "event" | "command";
    type: string;
    version: number;
    key: string;
    schema: CompiledSchema;
  }) {
    this.kind = facts.kind;
    this.type = facts.type;
    this.version = facts.version;
    this.#schema = facts.schema;
    this.#where = `${facts.type} v${facts.version}`;
    this.#key = facts.key;
  }

  get key(): string {
    return this.#key;
  }
  get topic(): TopicDeclaration | undefined {
    return this.#topic;
  }
  get jsonSchema(): Readonly<Record<string, unknown>> {
    return this.#schema.jsonSchema;
  }

  /** Called once, by the topic that holds the event. */
  bind(topic: TopicDeclaration): void {
    this.#topic = topic;
    this.#key = topic.key;
  }

  accept(data: unknown): unknown {
    checkShape(data, this.#where);
    const result = this.#schema.validate(data);
    if (!result.ok) throw this.#rejected(result.path, result.reason);
    const misfit = this.#schema.check(result.value);
    if (misfit !== undefined) throw this.#refusedByReaders(misfit);
    return result.value;
  }

  textOf(accepted: unknown): string {
    const text = toJson(accepted, this.#where);
    if (text === undefined) throw this.#rejected("/", "cannot be written as JSON");
    return text;
  }

  keyOf(data: unknown): string {
    const value = (data as Readonly<Record<string, unknown>> | null | undefined)?.[this.#key];
    const result = keyText(value);
    if (!result.ok) throw this.#rejected(`/${this.#key}`, result.reason);
    return result.key;
  }

  check(value: unknown): string | undefined {
    const misfit = this.#schema.check(value);
    return misfit && `${misfit.path} ${misfit.reason}`;
  }

  #rejected(path: string, reason: string): Failure {
    return new Failure("CONTRACT_REJECTED", `${this.#where}: ${path} ${reason}`, {
      details: { type: this.type, version: this.version, path },
    });
  }

  /** Publishing it would only make dead letters of it at every consumer. */
  #refusedByReaders({ path, reason, keyword }: Misfit): Failure {
    const hint = keyword === "pattern" ? `; ${patternHint}` : "";
    return this.#rejected(
      path,
      `${reason}: the schema accepts it, its JSON Schema, which readers use, does not${hint}`,
    );
  }
}

/** Where a contract keeps its declaration. */
const declared = Symbol("millrace contract");

/** A message knows its contract in a private field: cheap to make, invisible to printing, comparing and copying. */
class DeclaredMessage implements Message<string, unknown> {
  readonly type: string;
  readonly data: unknown;
  readonly #declaration: Declared;

  constructor(declaration: Declared, data: unknown) {
    this.type = declaration.type;
    this.data = data;
    this.#declaration = declaration;
  }

  static declarationOf(value: object): Declared | undefined {
    return #declaration in value ? value.#declaration : undefined;
  }
}

/** Makes the function that users call with data. */
export function callable<Type extends string, Data>(declaration: Declared): Contract<Type, Data> {
  const contract = (data: Data): DeclaredMessage => new DeclaredMessage(declaration, data);
  Object.defineProperty(contract, "type", { value: declaration.type, enumerable: true });
  Object.defineProperty(contract, declared, { value: declaration });
  declaration.contract = contract as unknown as AnyContract;
  return contract as unknown as Contract<Type, Data>;
}

/** As `contractDeclaration`, for the files of this folder that bind events. */
export function declarationOf(of: unknown): Declared {
  if (typeof of === "object" && of !== null) {
    const found = DeclaredMessage.declarationOf(of);
    if (found !== undefined) return found;
  } else if (typeof of === "function") {
    const found = (of as { readonly [declared]?: Declared })[declared];
    if (found !== undefined) return found;
  }
  const type = (of as { readonly type?: unknown } | null | undefined)?.type;
  throw new Failure(
    "CONTRACT_UNKNOWN",
    `${typeof type === "string" ? JSON.stringify(type.slice(0, 120)) : "this value"} was not made by a contract; call the contract, like orders.placed({ … }), and pass on what it returns, uncopied`,
  );
}
