import { HandlerDocuments } from "../consumer/documents.js";
import type { Documents, PatternContext, Replying, SqlEffect, SqlInput } from "../consumer/handler.js";
import { sqlStatement } from "../consumer/statement.js";
import { contractDeclaration, type EventName, type Message, type Received } from "../contract/contract.js";
import { type DocumentType, documentDeclaration } from "../contract/documents.js";
import { Failure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { deriveId, seedOf } from "../runtime/ids.js";
import { type Logger, silentLogger } from "../runtime/logger.js";
import type { Effects, SqlStatement } from "../store/unit.js";
import type { Effect } from "./expected.js";
import type { SceneDocuments } from "./scene-documents.js";

/** An effect, and to whom it replies where it is a message. */
export interface Collected {
  readonly effect: Effect;
  readonly replyTo: string | undefined;
  /** Of a timer. */
  readonly name: string | undefined;
}

/** In what a handler runs. */
export interface SceneHost {
  readonly documents: SceneDocuments;
  readonly now: number;
  /** What it may publish and send; undefined for anything. */
  readonly emits: ReadonlySet<string> | undefined;
  readonly replyTo?: string | undefined;
}

/** The context of a handler that runs without an engine: its effects are kept in the order in which they came. */
export class SceneContext implements PatternContext {
  readonly attempt = 1;
  readonly log: Logger = silentLogger;
  readonly signal: AbortSignal = new AbortController().signal;
  readonly effects: Effects = {};
  readonly statements: SqlStatement[] = [];
  collected: Collected[] = [];
  readonly #host: SceneHost;
  readonly #event: Received<string, unknown>;
  readonly #counts = new Map<string, number>();
  #closed = false;

  constructor(host: SceneHost, event: Received<string, unknown>) {
    this.#host = host;
    this.#event = event;
  }

  get replyTo(): string | undefined {
    return this.#host.replyTo;
  }

  get idempotencyKey(): string {
    return this.#derived("#idempotency-key", 0);
  }

  publish(event: Message<EventName, unknown>, options: Replying = {}): void {
    this.assertOpen("publish");
    this.#add(this.#checked(event), options);
  }

  send(command: Message<string, unknown>, options: Replying = {}): void {
    this.assertOpen("send");
    this.#add(this.#checked(command), options);
  }

  after(delay: Duration, message: Message<string, unknown>, options: { readonly name?: string } & Replying = {}): void {
    this.assertOpen("after");
    durationMs(delay, "after: delay");
    const { name } = options;
    if (name !== undefined) this.collected = this.collected.filter((other) => other.name !== name);
    this.#add({ after: delay, message: this.#checked(message) }, options);
  }

  cancel(name: string): void {
    this.assertOpen("cancel");
    this.collected = this.collected.filter((other) => other.name !== name);
    this.#add({ cancel: name }, {});
  }

  documents<Doc>(type: DocumentType<Doc>): Documents<Doc> {
    this.assertOpen("documents");
    const { documents } = this.#host;
    const host = { service: documents.service, store: documents.store, documentTypes: documents.types };
    return new HandlerDocuments(this, host, documentDeclaration(type), type) as unknown as Documents<Doc>;
  }

  sql(strings: TemplateStringsArray, ...values: readonly SqlInput[]): SqlEffect {
    this.assertOpen("sql");
    const at = this.statements.push(sqlStatement(strings, values)) - 1;
    return {
      rows: (count) => {
        this.assertOpen("sql");
        this.statements[at] = { ...(this.statements[at] as SqlStatement), rows: count };
      },
    };
  }

  now(): Date {
    return new Date(this.#host.now);
  }

  id(): string {
    this.assertOpen("id");
    return this.#derived("#id", this.#count("#id"));
  }

  random(): number {
    this.assertOpen("random");
    return Number.parseInt(this.#derived("#random", this.#count("#random")).slice(-12), 16) / 2 ** 48;
  }

  audit(): void {}

  read(): void {}

  declare(): void {}

  close(): void {
    this.#closed = true;
  }

  assertOpen(what: string): void {
    if (this.#closed)
      throw new Failure(
        "CONTEXT_CLOSED",
        `ctx.${what} was used after the handler had ended, so its effect is lost; await everything the handler starts`,
      );
  }

  #add(effect: Effect, { replyTo, name }: Replying & { readonly name?: string }): void {
    this.collected.push({ effect, replyTo, name });
  }

  /** The message as it will be stored, so that what does not fit its contract fails here. */
  #checked(message: Message<string, unknown>): Message<string, unknown> {
    const { emits, documents } = this.#host;
    const contract = contractDeclaration(message);
    if (emits !== undefined && !emits.has(contract.type))
      throw new Failure(
        "CONTRACT_UNKNOWN",
        `${documents.service} publishes ${contract.type} without declaring it: add it to the handler's emits`,
      );
    contract.keyOf(contract.accept(message.data));
    return message;
  }

  #derived(purpose: string, number: number): string {
    const { source, id, time } = this.#event;
    return deriveId({ source, id, time: time.getTime() }, seedOf(this.#host.documents.service, 1, purpose), number);
  }

  #count(purpose: string): number {
    const count = this.#counts.get(purpose) ?? 0;
    this.#counts.set(purpose, count + 1);
    return count;
  }
}
