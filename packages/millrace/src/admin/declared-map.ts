import type { ServiceDeclaration } from "../service/service.js";

/** A consumer that hears a type, and whose it is. */
export interface Hearer {
  readonly consumer: string;
  readonly service: string;
}

/** The choreography as the program declares it. */
export interface DeclaredMap {
  readonly services: readonly string[];
  /** By type: the services that may publish or send it. */
  readonly publishers: ReadonlyMap<string, ReadonlySet<string>>;
  /** By type: who hears or handles it. */
  readonly hearers: ReadonlyMap<string, readonly Hearer[]>;
  /** What a service may publish or send when it handles a type. */
  readonly reactions: readonly Reaction[];
  /** What patterns send to themselves: part of no choreography. */
  readonly inner: ReadonlySet<string>;
}

/** A service turns one type into another. */
export interface Reaction {
  readonly service: string;
  readonly cause: string;
  readonly effect: string;
}

/** Reads the choreography off the declarations. */
export function declaredMap(services: readonly ServiceDeclaration[]): DeclaredMap {
  const publishers = new Map<string, Set<string>>();
  const hearers = new Map<string, Hearer[]>();
  const reactions: Reaction[] = [];
  const inner = new Set(services.flatMap(({ parts }) => parts.flatMap((one) => one.inner ?? [])));
  const publishes = (type: string, service: string) =>
    void publishers.set(type, (publishers.get(type) ?? new Set()).add(service));
  for (const { name: service, consumers, commands, owned, parts } of services) {
    for (const topic of owned) for (const { type } of Object.values(topic)) publishes(type, service);
    // What an aggregate's commands lead to is not in their emits: it alone writes its topic.
    for (const part of parts)
      for (const { contract } of part.commands)
        for (const { type: effect } of part.topics.flatMap((topic) => Object.values(topic)))
          reactions.push({ service, cause: contract.type, effect });
    const own = { name: undefined, subscriptions: commands };
    for (const { name, subscriptions } of [...consumers, own]) {
      const consumer = name === undefined ? service : `${service}.${name}`;
      for (const { contract, options } of subscriptions) {
        if (inner.has(contract.type)) continue;
        hearers.set(contract.type, [...(hearers.get(contract.type) ?? []), { consumer, service }]);
        for (const { type: effect } of options.emits ?? []) {
          if (inner.has(effect)) continue;
          publishes(effect, service);
          reactions.push({ service, cause: contract.type, effect });
        }
      }
    }
  }
  return { services: services.map(({ name }) => name), publishers, hearers, reactions, inner };
}

/**
 * Circles of causes: each a path of types that comes back to its first. One for each group of types that cause each
 * other, because the paths within a group may be without number.
 */
export function cyclesOf(reactions: readonly Reaction[]): readonly (readonly string[])[] {
  const effects = new Map<string, Set<string>>();
  for (const { cause, effect } of reactions) effects.set(cause, (effects.get(cause) ?? new Set()).add(effect));
  const cycles: (readonly string[])[] = [];
  const told = new Set<string>();
  for (const type of [...effects.keys()].sort()) {
    if (told.has(type)) continue;
    const path = pathBack(type, effects);
    if (path === undefined) continue;
    for (const one of path) told.add(one);
    cycles.push(path);
  }
  return cycles;
}

/** The shortest way from a type to itself, found breadth first. */
function pathBack(type: string, effects: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | undefined {
  const from = new Map<string, string>();
  for (const queue = [type]; queue.length > 0; ) {
    const at = queue.shift() as string;
    for (const next of effects.get(at) ?? []) {
      if (next === type) {
        const path = [at];
        while (path[0] !== type) path.unshift(from.get(path[0] as string) as string);
        return [...path, type];
      }
      if (from.has(next)) continue;
      from.set(next, at);
      queue.push(next);
    }
  }
  return undefined;
}
