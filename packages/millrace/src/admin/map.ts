import { outside } from "../log/log.js";
import type { Inspect } from "../store/inspect.js";
import { cyclesOf, type DeclaredMap, declaredMap, type Hearer, type Reaction } from "./declared-map.js";
import { iso } from "./views.js";

/** Which part of the log to look at. */
export interface MapWindow {
  /** Only what was appended since (ms since the epoch). */
  readonly since?: number;
  /** So many of the newest events at most. */
  readonly events: number;
}

/** One type on its way from the service that publishes it to a consumer that hears it. */
export interface MapEdge {
  /** A service, or `outside`. */
  readonly from: string;
  readonly type: string;
  readonly to: string;
  /** The service that `to` belongs to. */
  readonly service: string;
  readonly declared: boolean;
  /** How many such events the window holds. */
  readonly events: number;
}

/** The choreography as declared and as observed, and how the two differ. */
export interface FlowMap {
  readonly services: readonly string[];
  readonly edges: readonly MapEdge[];
  /** What was looked at: `oldest` is when the oldest event of it was appended. */
  readonly observed: { readonly events: number; readonly oldest: string | undefined };
  readonly drift: {
    /** Published without being declared; `cause` is what was being handled, when the window holds it. */
    readonly undeclared: readonly {
      readonly service: string;
      readonly cause: string | undefined;
      readonly type: string;
      readonly events: number;
    }[];
    /** Subscriptions whose events the window has none of. */
    readonly unfed: readonly { readonly consumer: string; readonly type: string }[];
  };
  /** Events that no consumer hears. */
  readonly unheard: readonly { readonly type: string; readonly from: readonly string[]; readonly events: number }[];
  /** Circles of causes, as declared and observed together. */
  readonly cycles: readonly (readonly string[])[];
}

/** What the log shows. */
interface Observed {
  events: number;
  oldest: number | undefined;
  /** By type, then by source. */
  readonly published: Map<string, Map<string, number>>;
  /** By service, cause and effect, joined by line breaks. */
  readonly reactions: Map<string, number>;
}

const pageSize = 1_000;

/** Lays what the program declares over what the log shows. */
export async function flowMap(
  services: Parameters<typeof declaredMap>[0],
  inspect: Inspect,
  window: MapWindow,
): Promise<FlowMap> {
  const declared = declaredMap(services);
  const observed = await observe(inspect, window);
  for (const type of declared.inner) observed.published.delete(type);
  const reactions = [...observed.reactions]
    .map(([name, events]) => ({ ...reactionOf(name), events }))
    .filter(({ cause, effect }) => !declared.inner.has(cause) && !declared.inner.has(effect));
  return {
    services: declared.services,
    edges: edgesOf(declared, observed),
    observed: { events: observed.events, oldest: observed.oldest === undefined ? undefined : iso(observed.oldest) },
    drift: { undeclared: undeclared(declared, observed, reactions), unfed: unfed(declared, observed) },
    unheard: unheard(declared, observed),
    cycles: cyclesOf([...declared.reactions, ...reactions]),
  };
}

/** Walks back through the log. An effect is seen before its cause, and waits for it. */
async function observe(inspect: Inspect, window: MapWindow): Promise<Observed> {
  const observed: Observed = { events: 0, oldest: undefined, published: new Map(), reactions: new Map() };
  const waiting = new Map<string, { readonly source: string; readonly type: string }[]>();
  let after: string | undefined;
  do {
    const page = await inspect.events({
      newestFirst: true,
      limit: Math.min(pageSize, window.events - observed.events),
      ...(window.since === undefined ? {} : { since: window.since }),
      ...(after === undefined ? {} : { after }),
    });
    for (const { id, source, type, causationId, appended } of page.events) {
      observed.events += 1;
      observed.oldest = appended;
      add(observed.published, type, source);
      if (causationId !== undefined) waiting.set(causationId, [...(waiting.get(causationId) ?? []), { source, type }]);
      for (const effect of waiting.get(id) ?? []) {
        const name = `${effect.source}\n${type}\n${effect.type}`;
        observed.reactions.set(name, (observed.reactions.get(name) ?? 0) + 1);
      }
      waiting.delete(id);
    }
    after = page.next;
  } while (after !== undefined && observed.events < window.events);
  return observed;
}

function add(published: Observed["published"], type: string, source: string): void {
  const sources = published.get(type) ?? new Map<string, number>();
  published.set(type, sources.set(source, (sources.get(source) ?? 0) + 1));
}

function reactionOf(name: string): Reaction {
  const [service = "", cause = "", effect = ""] = name.split("\n");
  return { service, cause, effect };
}

function edgesOf(declared: DeclaredMap, { published }: Observed): readonly MapEdge[] {
  const edges: MapEdge[] = [];
  for (const [type, hearers] of declared.hearers) {
    const sources = published.get(type);
    const froms = new Set([...(declared.publishers.get(type) ?? []), ...(sources?.keys() ?? [])]);
    // What nobody of the program publishes comes from outside, like the commands of its users.
    if (froms.size === 0) froms.add(outside);
    for (const from of froms)
      for (const { consumer, service } of hearers)
        edges.push({
          from,
          type,
          to: consumer,
          service,
          declared: mayPublish(declared, from, type),
          events: sources?.get(from) ?? 0,
        });
  }
  return edges.sort((a, b) => compare(a.from, b.from) || compare(a.type, b.type) || compare(a.to, b.to));
}

/** Anybody may send commands, and publish where no service owns the topic. */
function mayPublish({ publishers }: DeclaredMap, source: string, type: string): boolean {
  return source === outside || publishers.get(type)?.has(source) === true;
}

function undeclared(
  declared: DeclaredMap,
  { published }: Observed,
  reactions: readonly (Reaction & { readonly events: number })[],
): FlowMap["drift"]["undeclared"] {
  const known = new Set(declared.reactions.map(({ service, cause, effect }) => `${service}\n${cause}\n${effect}`));
  const found = reactions
    .filter(({ service, cause, effect }) => !known.has(`${service}\n${cause}\n${effect}`))
    .map(({ service, cause, effect: type, events }) => ({ service, cause, type, events }));
  const causeless = [...published].flatMap(([type, sources]) =>
    [...sources]
      .filter(([service]) => !mayPublish(declared, service, type))
      .filter(([service]) => !found.some((one) => one.service === service && one.type === type))
      .map(([service, events]) => ({ service, cause: undefined, type, events })),
  );
  return [...found, ...causeless].sort((a, b) => b.events - a.events);
}

function unfed({ hearers }: DeclaredMap, { published }: Observed): FlowMap["drift"]["unfed"] {
  return [...hearers]
    .filter(([type]) => !published.has(type))
    .flatMap(([type, heard]) => heard.map(({ consumer }: Hearer) => ({ consumer, type })));
}

function unheard({ publishers, hearers }: DeclaredMap, { published }: Observed): FlowMap["unheard"] {
  const types = new Set([...publishers.keys(), ...published.keys()]);
  return [...types]
    .filter((type) => !hearers.has(type))
    .map((type) => {
      const sources = published.get(type) ?? new Map<string, number>();
      const from = [...new Set([...(publishers.get(type) ?? []), ...sources.keys()])];
      return { type, from, events: [...sources.values()].reduce((sum, count) => sum + count, 0) };
    })
    .sort((a, b) => compare(a.type, b.type));
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
