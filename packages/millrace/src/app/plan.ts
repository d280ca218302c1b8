import type { Subscription as Declared } from "../consumer/declaration.js";
import type { Route, Routes } from "../consumer/outgoing.js";
import type { ConsumerPlan, Subscription } from "../consumer/plan.js";
import { firstFold } from "../consumer/view.js";
import { type AnyContract, contractDeclaration } from "../contract/contract.js";
import type { ContractDeclaration, TopicDeclaration } from "../contract/declaration.js";
import { topicDeclaration } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { outside, type TopicShape } from "../log/log.js";
import type { ServiceDeclaration } from "../service/service.js";
import { checkPairs } from "./command-pairs.js";
import { handlerPlan, placesOf } from "./handler-plan.js";

const commandPartitions = 12;

/** Everything the declarations say, checked against each other before anything runs. */
export interface AppPlan {
  readonly topics: readonly Omit<TopicShape, "incarnation">[];
  readonly routes: Routes;
  readonly consumers: readonly ConsumerPlan[];
  readonly contracts: ReadonlyMap<string, ContractDeclaration>;
}

/** The topic of a service's commands: one for all, so that one key's commands stay in order. */
function commandTopic(service: string): string {
  return `${service}.commands`;
}

/**
 * Gathers the services of an app.
 *
 * @throws {Failure} OPTION_INVALID, TOPIC_OWNER or CONTRACT_UNKNOWN, naming what contradicts what and the fix.
 */
export function planApp(services: readonly ServiceDeclaration[]): AppPlan {
  const names = new Set<string>();
  for (const { name } of services) {
    if (names.has(name))
      throw new Failure("OPTION_INVALID", `services: ${name} is there twice; a service is declared once`);
    names.add(name);
  }
  return new Planner(services).plan();
}

class Planner {
  readonly #services: readonly ServiceDeclaration[];
  readonly #topics = new Map<string, TopicDeclaration>();
  readonly #owners = new Map<string, string>();
  readonly #contracts = new Map<string, ContractDeclaration>();
  readonly #commandOwners = new Map<string, string>();
  /** The patterns that alone write a topic, by topic. */
  readonly #writers = new Map<string, string>();

  constructor(services: readonly ServiceDeclaration[]) {
    this.#services = services;
  }

  plan(): AppPlan {
    for (const service of this.#services) this.#declare(service);
    for (const service of this.#services) this.#write(service);
    for (const service of this.#services) this.#own(service);
    checkPairs(this.#services, this.#commandOwners);
    const consumers = this.#services.flatMap((service) => this.#consumers(service));
    const names = new Set<string>();
    for (const { name } of consumers) {
      if (names.has(name))
        throw new Failure("OPTION_INVALID", `consumer ${name} is there twice; give one of the two another name`);
      names.add(name);
    }
    return { topics: this.#shapes(), routes: this.#routes(), consumers, contracts: this.#contracts };
  }

  #declare(service: ServiceDeclaration): void {
    for (const topic of service.owned) this.#topic(topicDeclaration(topic));
    for (const command of service.commands) {
      const { type } = command.contract;
      const other = this.#commandOwners.get(type);
      if (other !== undefined)
        throw new Failure(
          "OPTION_INVALID",
          `command ${type} is handled by ${other} and by ${service.name}; a command has one owner`,
        );
      this.#commandOwners.set(type, service.name);
      this.#contract(command.contract);
    }
    for (const { contract, options } of subscriptions(service)) {
      this.#contract(contract);
      for (const emitted of options.emits ?? []) this.#contract(emitted);
    }
  }

  #contract(contract: AnyContract): ContractDeclaration {
    const declaration = contractDeclaration(contract);
    const known = this.#contracts.get(declaration.type);
    if (known !== undefined && known !== declaration)
      throw new Failure(
        "OPTION_INVALID",
        `${declaration.type} is declared twice in this app; keep one declaration and import it`,
      );
    this.#contracts.set(declaration.type, declaration);
    if (declaration.kind === "event") {
      if (declaration.topic === undefined)
        throw new Failure(
          "CONTRACT_UNKNOWN",
          `event ${declaration.type} belongs to no topic; list it in a topic's events`,
        );
      this.#topic(declaration.topic);
    }
    return declaration;
  }

  #topic(topic: TopicDeclaration): void {
    const known = this.#topics.get(topic.name);
    if (known === topic) return;
    if (known !== undefined)
      throw new Failure(
        "OPTION_INVALID",
        `topic ${topic.name} is declared twice in this app; keep one declaration and import it`,
      );
    this.#topics.set(topic.name, topic);
    for (const [type, event] of topic.events) this.#contracts.set(type, event);
  }

  #write(service: ServiceDeclaration): void {
    for (const { title, topics } of service.parts) {
      for (const topic of topics) {
        const { name } = topicDeclaration(topic);
        const other = this.#writers.get(name);
        if (other !== undefined)
          throw new Failure(
            "TOPIC_OWNER",
            `topic ${name} is written by ${other} and by ${title}; give one its own topic`,
          );
        this.#writers.set(name, title);
      }
    }
  }

  #own(service: ServiceDeclaration): void {
    for (const topic of service.owned) this.#claim(topicDeclaration(topic).name, service.name);
    for (const { options } of subscriptions(service)) {
      for (const emitted of options.emits ?? []) {
        const declaration = contractDeclaration(emitted);
        const writer = declaration.topic && this.#writers.get(declaration.topic.name);
        if (writer !== undefined)
          throw new Failure(
            "TOPIC_OWNER",
            `a handler of ${service.name} emits ${declaration.type}, whose topic is written by ${writer} alone; send it a command`,
          );
        if (declaration.topic !== undefined) this.#claim(declaration.topic.name, service.name);
        else if (!this.#commandOwners.has(declaration.type))
          throw new Failure(
            "CONTRACT_UNKNOWN",
            `${service.name} sends ${declaration.type}, but no service handles it; add .handle() to its owner`,
          );
      }
    }
  }

  #claim(topic: string, service: string): void {
    const owner = this.#owners.get(topic);
    if (owner !== undefined && owner !== service)
      throw new Failure(
        "TOPIC_OWNER",
        `topic ${topic} belongs to ${owner}, and ${service} publishes there too; send ${owner} a command, or give ${service} its own topic`,
      );
    this.#owners.set(topic, service);
  }

  #shapes(): Omit<TopicShape, "incarnation">[] {
    const events = [...this.#topics.values()].map((topic) => ({
      name: topic.name,
      partitions: topic.partitions,
      owner: this.#owners.get(topic.name) ?? outside,
      key: topic.key,
      retentionMs: topic.retentionMs,
      ...(this.#writers.has(topic.name) ? { streams: true } : {}),
    }));
    const commands = [...new Set(this.#commandOwners.values())].map((owner) => ({
      name: commandTopic(owner),
      partitions: commandPartitions,
      owner,
      key: "",
      retentionMs: undefined,
    }));
    return [...events, ...commands];
  }

  #routes(): Routes {
    const routes = new Map<string, Route>();
    for (const [type, { topic }] of this.#contracts) {
      const owner = this.#commandOwners.get(type);
      const writer = topic && this.#writers.get(topic.name);
      if (topic !== undefined)
        routes.set(type, {
          topic: topic.name,
          partitions: topic.partitions,
          source: this.#owners.get(topic.name) ?? outside,
          ...(writer === undefined ? {} : { writer }),
          ...(topic.internal ? { internal: true } : {}),
        });
      else if (owner !== undefined)
        routes.set(type, { topic: commandTopic(owner), partitions: commandPartitions, source: outside });
    }
    return routes;
  }

  #consumers(service: ServiceDeclaration): ConsumerPlan[] {
    return service.consumers
      .map((consumer) => {
        const name = consumer.name === undefined ? service.name : `${service.name}.${consumer.name}`;
        const declared =
          consumer.name === undefined ? [...consumer.subscriptions, ...service.commands] : consumer.subscriptions;
        return {
          name,
          service: service.name,
          concurrency: placesOf(consumer.options, name),
          subscriptions: declared.map((one) => this.#subscription(one, name, service.name)),
          view: consumer.view,
          batch: consumer.view && firstFold(consumer.view),
        };
      })
      .filter((consumer) => consumer.subscriptions.length > 0);
  }

  #subscription(declared: Declared, consumer: string, service: string): Subscription {
    const { contract, options, handler, laneBy, emitsAny = false } = declared;
    const declaration = contractDeclaration(contract);
    const { topic } = declaration;
    const owner = topic === undefined ? undefined : this.#owners.get(topic.name);
    if (topic?.internal === true && owner !== undefined && owner !== service)
      throw new Failure(
        "TOPIC_OWNER",
        `${consumer} hears ${declaration.type}, but topic ${topic.name} is internal to ${owner}; publish a public event`,
      );
    return {
      contract: declaration,
      topic: topic?.name ?? commandTopic(service),
      keyName: declaration.key,
      laneBy,
      partitions: topic?.partitions ?? commandPartitions,
      ...handlerPlan({ handler, options }, { where: `${consumer}, ${declaration.type}`, kind: declaration.kind }),
      ...(emitsAny ? { emits: new Set(this.#contracts.keys()) } : {}),
    };
  }
}

/** Whether a consumer is one by itself; those of views are made for each build. */
export function isPlain({ view }: ConsumerPlan): boolean {
  return view === undefined;
}

function subscriptions(service: ServiceDeclaration): readonly Declared[] {
  return [...service.consumers.flatMap((consumer) => consumer.subscriptions), ...service.commands];
}
