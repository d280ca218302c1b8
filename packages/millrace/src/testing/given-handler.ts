import type { Subscription } from "../consumer/declaration.js";
import type { Handler, Refusal } from "../consumer/handler.js";
import { contractOfMessage, type Message } from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import { serviceDeclaration } from "../service/declare.js";
import type { Service, ServiceDeclaration } from "../service/service.js";
import type { SqlStatement } from "../store/unit.js";
import { type Answered, type Asked, Asking } from "./asked.js";
import { shown } from "./difference.js";
import type { Effect } from "./expected.js";
import type { GivenEnvelope } from "./given.js";
import { givenTime, receivedMessage, storedMessage } from "./given-message.js";
import { SceneContext } from "./scene-context.js";
import { SceneDocuments } from "./scene-documents.js";

/** A service that has some documents, about to hear or to be asked something. */
export interface GivenService {
  /** Runs the service's handlers of this event, or its handler of this command, once each. */
  when(message: Message<string, unknown>, envelope?: GivenEnvelope): Asked<Handled>;
}

/** What a service's handler has done. */
export interface Handled {
  /** What it published and sent, and its timers, in its order. */
  readonly effects: readonly Effect[];
  /** Of a command. */
  readonly refusal?: Refusal;
  /** What it wrote with ``ctx.sql`…` ``; nothing has run it. */
  readonly statements: readonly { readonly text: string; readonly params: readonly unknown[] }[];
  /** The service's documents afterwards. */
  documents<Doc>(type: DocumentType<Doc>): { get(id: string): Doc | undefined };
}

/** A document that is there before: its type, and what it holds. */
export type GivenDocument = readonly [type: DocumentType<unknown>, document: unknown];

/** A service on its own: each handler is run once, its documents are in memory. */
export class ServiceScene implements GivenService {
  readonly #service: ServiceDeclaration;
  readonly #given: readonly GivenDocument[];

  constructor(service: Service, given: readonly GivenDocument[] = []) {
    this.#service = serviceDeclaration(service);
    this.#given = given;
    this.#documents();
  }

  when(message: Message<string, unknown>, envelope: GivenEnvelope = {}): Asked<Handled> {
    return new Asking(`${message.type} ${shown(message.data)}`, this.#handled(message, envelope));
  }

  #documents(): SceneDocuments {
    const documents = new SceneDocuments(this.#service.name);
    for (const [type, document] of this.#given) documents.give(type, document);
    return documents;
  }

  async #handled(message: Message<string, unknown>, envelope: GivenEnvelope): Promise<Handled> {
    const event = receivedMessage(storedMessage(message), envelope);
    const documents = this.#documents();
    const effects: Effect[] = [];
    const statements: SqlStatement[] = [];
    let refusal: Refusal | undefined;
    for (const subscription of this.#hearing(message)) {
      const emits = new Set((subscription.options.emits ?? []).map(({ type }) => type));
      const ctx = new SceneContext({ documents, now: envelope.time?.getTime() ?? givenTime, emits }, event);
      const handler = await handlerOf(subscription);
      try {
        const returned = await handler(event, ctx);
        if (!event.type.includes(".") && isRefusal(returned)) {
          refusal = returned;
          continue;
        }
      } finally {
        ctx.close();
      }
      documents.commit(ctx.effects.documents ?? []);
      effects.push(...ctx.collected.map(({ effect }) => effect));
      statements.push(...ctx.statements);
    }
    return handled({ effects, ...(refusal === undefined ? {} : { refusal }) }, statements, documents);
  }

  /** The handlers written for it; those of patterns are tested with the pattern. */
  #hearing(message: Message<string, unknown>): readonly Subscription[] {
    const { name, consumers, commands, parts } = this.#service;
    const contract = contractOfMessage(message);
    const all = [...commands, ...consumers.flatMap(({ subscriptions }) => subscriptions)];
    const made = new Map<Subscription, string>();
    for (const part of parts)
      for (const one of [...part.commands, ...part.consumers.flatMap(({ subscriptions }) => subscriptions)])
        made.set(one, part.title);
    // A part declares its subscriptions anew each time it is asked; the service has asked once.
    const hearing = all.filter((one) => one.contract === contract);
    const own = hearing.filter((one) => !made.has(one));
    if (own.length > 0) return own;
    const [pattern] = hearing;
    throw new Error(
      pattern === undefined
        ? `${name} has no handler of ${message.type}; it has ${[...new Set(all.map((one) => one.contract.type))].join(", ")}`
        : `${name} leaves ${message.type} to ${made.get(pattern)}; give that: given(${made.get(pattern)?.split(" ")[0]}, …)`,
    );
  }
}

function handled(answered: Answered, statements: readonly SqlStatement[], documents: SceneDocuments): Handled {
  return {
    ...answered,
    statements: statements.map(({ text, params }) => ({ text, params })),
    documents: <Doc>(type: DocumentType<Doc>) => ({ get: (id) => documents.get(type, id) as Doc | undefined }),
  };
}

/** An isolated handler is its module's default export; it runs in this thread here. */
async function handlerOf({ contract, options, handler }: Subscription): Promise<Handler> {
  if (handler !== undefined) return handler;
  const { href } = (options as { readonly isolate: URL }).isolate;
  const { default: exported } = (await import(href)) as { readonly default?: unknown };
  if (typeof exported === "function") return exported as Handler;
  throw new Error(`${contract.type}: the default export of ${href} is no function; export the handler`);
}

function isRefusal(returned: unknown): returned is Refusal {
  return typeof returned === "object" && returned !== null && (returned as Partial<Refusal>).refused !== undefined;
}
