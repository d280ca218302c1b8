import type { ConsumerDeclaration, Subscription } from "../consumer/declaration.js";
import type { Handler } from "../consumer/handler.js";
import type { ConsumerOptions, EventOptions, IsolatedOptions } from "../consumer/options.js";
import { type Part, type PartDeclaration, partDeclaration } from "../consumer/part.js";
import type { AnyContract, AnyEvent, Message, Topic } from "../contract/contract.js";
import { checkKebabName } from "../contract/names.js";
import { Failure } from "../failure/failure.js";
import { checkOptions } from "../runtime/options.js";
import type { ScheduleOptions, Service, ServiceDeclaration } from "./service.js";

const declared = Symbol("millrace service");

/**
 * Declares a service: a named owner of handlers and of its own state. Nothing runs before the app starts.
 *
 * @param options of its own consumer
 * @throws {Failure} OPTION_INVALID when a name is wrong, or a second handler takes an event this consumer has.
 * @example
 * ```ts
 * import { event, service, topic } from "millrace";
 * import { z } from "zod";
 *
 * const arrived = event("visitor.arrived", z.object({ name: z.string() }));
 * const visitors = topic("visitors", { key: "name", events: { arrived } });
 * export const greeter = service("greeter").on(visitors.arrived, (event, ctx) => ctx.log.info({}, `hello ${event.key}`));
 * ```
 */
export function service(name: string, options: ConsumerOptions = {}): Service {
  checkKebabName(name, "a service");
  return new ServiceBuilder(name, options) as unknown as Service;
}

/** What a service declared. */
export function serviceDeclaration(of: Service): ServiceDeclaration {
  const builder = of as unknown as { readonly [declared]?: ServiceDeclaration };
  const found = builder[declared];
  if (found === undefined) throw new Failure("OPTION_INVALID", "services: takes what service() returns");
  return found;
}

/** A service of a declaration that there is already, or of one made from it. */
export function declaredService(declaration: ServiceDeclaration): Service {
  return { name: declaration.name, [declared]: declaration } as unknown as Service;
}

type OnArgs = readonly [
  contract: AnyContract,
  optionsOrHandler: EventOptions<AnyContract> | IsolatedOptions<AnyContract> | Handler,
  handler?: Handler,
];

function subscription([contract, second, third]: OnArgs): Subscription {
  if (typeof second === "function") return { contract, options: {}, handler: second };
  const isolated = "isolate" in second && second.isolate !== undefined;
  if (isolated && !(second.isolate instanceof URL && second.isolate.protocol === "file:"))
    throw new Failure("OPTION_INVALID", `${contract.type}: isolate takes new URL("./file.js", import.meta.url)`);
  if (isolated && third !== undefined)
    throw new Failure(
      "OPTION_INVALID",
      `${contract.type}: the handler is the default export of isolate; give only one`,
    );
  if (!isolated && third === undefined) throw new Failure("OPTION_INVALID", `${contract.type}: the handler is missing`);
  return { contract, options: second, handler: third };
}

class ConsumerBuilder {
  readonly subscriptions: Subscription[] = [];

  constructor(readonly title: string) {}

  on(...args: OnArgs): this {
    this.add(subscription(args));
    return this;
  }

  add(added: Subscription): void {
    const { type } = added.contract;
    if (!type.includes("."))
      throw new Failure(
        "OPTION_INVALID",
        `${this.title}: ${type} is a command; its owner takes it with .handle(), .on() hears events`,
      );
    if (this.subscriptions.some((other) => other.contract.type === type))
      throw new Failure(
        "OPTION_INVALID",
        `${this.title} already has a handler of ${type}; give the second one its own consumer: .consumer("name", c => c.on(…))`,
      );
    this.subscriptions.push(added);
  }
}

type Build = (consumer: ConsumerBuilder) => unknown;
type ConsumerArgs = readonly [build: Build] | readonly [options: ConsumerOptions, build: Build];

class ServiceBuilder {
  readonly #own: ConsumerBuilder;
  readonly #consumers: ConsumerDeclaration[] = [];
  readonly #commands: Subscription[] = [];
  readonly #schedules: ServiceDeclaration["schedules"][number][] = [];
  readonly #migrations: { readonly name: string; readonly sql: string }[] = [];
  readonly #owned: Topic<Readonly<Record<string, AnyEvent>>>[] = [];
  readonly #parts: PartDeclaration[] = [];

  readonly #options: ConsumerOptions;

  constructor(
    readonly name: string,
    options: ConsumerOptions,
  ) {
    checkOptions(options, { concurrency: true }, { where: name });
    this.#options = options;
    this.#own = new ConsumerBuilder(name);
  }

  get [declared](): ServiceDeclaration {
    return {
      name: this.name,
      consumers: [
        { name: undefined, options: this.#options, subscriptions: this.#own.subscriptions },
        ...this.#consumers,
        ...this.#parts.flatMap((one) => one.consumers),
      ],
      commands: [...this.#commands, ...this.#parts.flatMap((one) => one.commands)],
      schedules: this.#schedules,
      migrations: this.#migrations,
      owned: [...this.#owned, ...this.#parts.flatMap((one) => one.topics)],
      parts: this.#parts,
    };
  }

  on(...args: OnArgs): this {
    this.#own.add(subscription(args));
    return this;
  }

  handle(...args: OnArgs): this {
    const added = subscription(args);
    if (added.contract.type.includes("."))
      throw new Failure(
        "OPTION_INVALID",
        `${this.name}: ${added.contract.type} is an event; hear it with .on(), .handle() takes commands`,
      );
    if (this.#handles(added.contract.type))
      throw new Failure(
        "OPTION_INVALID",
        `${this.name} already handles ${added.contract.type}; a command has one handler`,
      );
    this.#commands.push(added);
    return this;
  }

  consumer(name: string, ...args: ConsumerArgs): this {
    const [options, build] = args.length === 1 ? [{}, args[0]] : args;
    checkKebabName(name, `a consumer of ${this.name}`);
    if (this.#consumers.some((other) => other.name === name))
      throw new Failure("OPTION_INVALID", `${this.name} already has a consumer ${name}; give this one another name`);
    const builder = new ConsumerBuilder(`${this.name}.${name}`);
    build(builder);
    checkOptions(options, { concurrency: true }, { where: `${this.name}.${name}` });
    this.#consumers.push({ name, options, subscriptions: builder.subscriptions });
    return this;
  }

  schedule(name: string, options: ScheduleOptions, make: (tick: Date) => Message<string, unknown>): this {
    checkKebabName(name, `a schedule of ${this.name}`);
    if (this.#schedules.some((other) => other.name === name))
      throw new Failure("OPTION_INVALID", `${this.name} already has a schedule ${name}; give this one another name`);
    checkOptions(options, { cron: true, timezone: true, missed: true }, { where: `${this.name}: schedule ${name}` });
    this.#schedules.push({ name, options, make });
    return this;
  }

  migrations(migrations: Readonly<Record<string, string>>): this {
    for (const [name, sql] of Object.entries(migrations)) this.#migrations.push({ name, sql });
    return this;
  }

  owns(...owned: readonly (Topic<Readonly<Record<string, AnyEvent>>> | Part)[]): this {
    for (const one of owned) {
      const declaration = partDeclaration(one);
      if (declaration === undefined) this.#owned.push(one as Topic<Readonly<Record<string, AnyEvent>>>);
      else this.#ownPart(declaration);
    }
    return this;
  }

  #ownPart(added: PartDeclaration): void {
    if (this.#parts.some((other) => other.title === added.title))
      throw new Failure("OPTION_INVALID", `${this.name} already owns ${added.title}; give the second one another name`);
    for (const { contract } of added.commands)
      if (this.#handles(contract.type))
        throw new Failure(
          "OPTION_INVALID",
          `${this.name} already handles ${contract.type}, and ${added.title} takes it too; a command has one handler`,
        );
    this.#parts.push(added);
  }

  #handles(command: string): boolean {
    const taken = (commands: readonly Subscription[]) => commands.some(({ contract }) => contract.type === command);
    return taken(this.#commands) || this.#parts.some((one) => taken(one.commands));
  }
}
