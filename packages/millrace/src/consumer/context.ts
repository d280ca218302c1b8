import type { EventName, Message } from "../contract/contract.js";
import { type DocumentType, documentDeclaration } from "../contract/documents.js";
import { Failure } from "../failure/failure.js";
import type { Headers, LogRecord, NewRecord } from "../log/log.js";
import type { Clock } from "../runtime/clock.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { deriveId } from "../runtime/ids.js";
import type { Logger } from "../runtime/logger.js";
import { checkOptions } from "../runtime/options.js";
import type { Store } from "../store/store.js";
import type { StreamRead } from "../store/stream.js";
import type { AuditNote, DocumentRead, Effects, SqlStatement } from "../store/unit.js";
import { blameEvent } from "./blame.js";
import type { DocumentTypes } from "./document-types.js";
import { HandlerDocuments } from "./documents.js";
import { guardSignal } from "./guarded-signal.js";
import type { Documents, PatternContext, Replying, SqlEffect, SqlInput } from "./handler.js";
import { headersOf, type Origin, type Routes, recordOf } from "./outgoing.js";
import type { Seeds } from "./plan.js";
import { sqlStatement } from "./statement.js";

/** What a context needs of the consumer it runs in. */
export interface ContextHost {
  readonly consumer: string;
  readonly service: string;
  readonly routes: Routes;
  readonly seeds: Seeds;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly documentTypes: DocumentTypes;
}

/** What an aggregate's run has decided: on which version of which stream, and what it appends to it. */
export interface Decided {
  readonly stream: StreamRead;
  readonly records: readonly NewRecord[];
  /** Told when all of it is stored. */
  readonly stored: () => void;
}

const none: readonly DocumentRead[] = [];
const nothing: readonly Promise<void>[] = [];

/** The context of one run: collects effects as data, remembers what was read, and closes when the run is over. */
export class HandlerContext implements PatternContext {
  readonly attempt: number;
  readonly #host: ContextHost;
  readonly #record: LogRecord;
  readonly #generation: number;
  readonly #emits: ReadonlySet<string>;
  #closed = false;
  #abort: AbortController | undefined;
  #purpose: string | undefined;
  #purposeCount = 0;
  #counts: Map<string, number> | undefined;
  #documents: { readonly type: DocumentType<unknown>; readonly of: HandlerDocuments } | undefined;
  reads: readonly DocumentRead[] = none;
  /** Set by an aggregate that has read its stream. */
  decided: Decided | undefined;
  /** What a remote store has to answer before the effects can be committed. */
  declaring: readonly Promise<void>[] = nothing;
  readonly effects: Effects = {};

  constructor(host: ContextHost, record: LogRecord, generation: number, emits: ReadonlySet<string>, attempt: number) {
    this.#host = host;
    this.#record = record;
    this.#generation = generation;
    this.#emits = emits;
    this.attempt = attempt;
  }

  publish(event: Message<EventName, unknown>, options?: Replying): void {
    this.#emit(event, "publish", options?.replyTo);
  }

  send(command: Message<string, unknown>, options?: Replying): void {
    this.#emit(command, "send", options?.replyTo);
  }

  after(delay: Duration, message: Message<string, unknown>, options: { readonly name?: string } & Replying = {}): void {
    checkOptions(options, { name: true, replyTo: true }, { where: "ctx.after" });
    this.#open("after");
    this.#declared(message.type);
    const due = this.#host.clock.now() + blameEvent(() => durationMs(delay, "after: delay"));
    const record = recordOf(message, this.#host.routes, this.#origin(message.type, due, options.replyTo));
    const { topic, partition, offset } = this.#record;
    const armed = { consumer: this.#host.consumer, topic, partition, offset };
    this.effects.timers ??= [];
    this.effects.timers.push({ service: this.#host.service, name: options.name, due, record, armed });
  }

  cancel(name: string): void {
    this.#open("cancel");
    const { timers } = this.effects;
    if (timers !== undefined) this.effects.timers = timers.filter((timer) => timer.name !== name);
    this.effects.cancels ??= [];
    this.effects.cancels.push({ service: this.#host.service, name });
  }

  documents<Doc>(type: DocumentType<Doc>): Documents<Doc> {
    this.#open("documents");
    // Most handlers use one type, and ask for it again for each access.
    if (this.#documents?.type !== type)
      this.#documents = { type, of: new HandlerDocuments(this, this.#host, documentDeclaration(type), type) };
    return this.#documents.of as unknown as Documents<Doc>;
  }

  sql(strings: TemplateStringsArray, ...values: readonly SqlInput[]): SqlEffect {
    this.#open("sql");
    let statement: SqlStatement = sqlStatement(strings, values);
    this.effects.statements ??= [];
    const { statements } = this.effects;
    const at = statements.push(statement) - 1;
    return {
      rows: (count) => {
        this.#open("sql");
        statement = { ...statement, rows: count };
        statements[at] = statement;
      },
    };
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      guardSignal(this.#abort.signal, (error) => this.log.error({ err: error }, "a listener of ctx.signal failed"));
    }
    return this.#abort.signal;
  }

  get idempotencyKey(): string {
    return deriveId(this.#record, this.#host.seeds.of(0, "#idempotency-key"), 0);
  }

  now(): Date {
    return new Date(this.#host.clock.now());
  }

  id(): string {
    this.#open("id");
    return deriveId(this.#record, this.#host.seeds.of(this.#generation, "#id"), this.#count("#id"));
  }

  random(): number {
    this.#open("random");
    const id = deriveId(this.#record, this.#host.seeds.of(this.#generation, "#random"), this.#count("#random"));
    return Number.parseInt(id.slice(-12), 16) / 2 ** 48;
  }

  get log(): Logger {
    return this.#host.logger.child({ consumer: this.#host.consumer, event: this.#record.id });
  }

  get store(): Store {
    return this.#host.store;
  }

  /** Adds events to the stream that was decided on, numbered on from its version. */
  append(stream: StreamRead, events: readonly Message<string, unknown>[]): readonly NewRecord[] {
    this.#open("append");
    const records = events.map((event, index) =>
      this.#outgoing(event, undefined, { sequence: stream.version + index + 1 }),
    );
    for (const record of records) this.#add(record);
    return records;
  }

  get replyTo(): string | undefined {
    return this.#record.headers?.replyto;
  }

  audit(note: AuditNote): void {
    this.#open("audit");
    this.effects.audit ??= [];
    this.effects.audit.push(note);
  }

  /** What it is the context of. */
  get run() {
    return { record: this.#record, generation: this.#generation, attempt: this.attempt, service: this.#host.service };
  }

  /** Takes over what a handler did in another thread. */
  adopt(effects: Effects, reads: readonly DocumentRead[]): void {
    Object.assign(this.effects, effects);
    for (const read of reads) this.read(read);
  }

  /** Remembers the version of what was read, absent documents included (0). */
  read(read: DocumentRead): void {
    if (this.reads === none) this.reads = [read];
    else (this.reads as DocumentRead[]).push(read);
  }

  /** Has the commit wait until the store knows a type. */
  declare(answer: Promise<void>): void {
    if (!this.declaring.includes(answer)) this.declaring = [...this.declaring, answer];
  }

  /** Resolves when the store knows the types; rejects when it could not be told of one. */
  async declared(): Promise<void> {
    const answers = this.declaring;
    this.declaring = nothing;
    await Promise.all(answers);
  }

  /** Throws once the run is over: nobody would commit the effect. */
  assertOpen(what: string): void {
    this.#open(what);
  }

  close(): void {
    this.#closed = true;
  }

  abort(reason: Failure): void {
    // Whoever asks for the signal later finds it aborted.
    void this.signal;
    this.#abort?.abort(reason);
  }

  #emit(message: Message<string, unknown>, what: "publish" | "send", replyTo: string | undefined): void {
    this.#open(what);
    this.#declared(message.type);
    this.#add(this.#outgoing(message, replyTo));
  }

  #outgoing(message: Message<string, unknown>, replyTo: string | undefined, headers?: Headers): NewRecord {
    const origin = this.#origin(message.type, this.#host.clock.now(), replyTo);
    const all = headers === undefined ? origin : { ...origin, headers: { ...origin.headers, ...headers } };
    return recordOf(message, this.#host.routes, all);
  }

  #add(record: NewRecord): void {
    if (this.effects.records === undefined) this.effects.records = [record];
    else this.effects.records.push(record);
  }

  #origin(type: string, time: number, replyTo: string | undefined): Origin {
    const record = this.#record;
    return {
      id: deriveId(record, this.#host.seeds.of(this.#generation, type), this.#count(type)),
      time,
      source: this.#host.service,
      correlationId: record.correlationId,
      causationId: record.id,
      hops: record.hops + 1,
      headers: headersOf(record, this.#host.routes, { type, replyTo }),
      named: false,
    };
  }

  /** How often this run has used a purpose before. Most runs have one purpose, and need no map. */
  #count(purpose: string): number {
    if (this.#purpose === undefined) {
      this.#purpose = purpose;
      this.#purposeCount = 1;
      return 0;
    }
    if (this.#purpose === purpose) {
      this.#purposeCount += 1;
      return this.#purposeCount - 1;
    }
    this.#counts ??= new Map();
    const count = this.#counts.get(purpose) ?? 0;
    this.#counts.set(purpose, count + 1);
    return count;
  }

  #declared(type: string): void {
    if (this.#emits.has(type)) return;
    throw new Failure(
      "CONTRACT_UNKNOWN",
      `${this.#host.consumer} publishes ${type} without declaring it: add it to the handler's emits`,
    );
  }

  #open(what: string): void {
    if (!this.#closed) return;
    throw new Failure(
      "CONTEXT_CLOSED",
      `${this.#host.consumer}: ctx.${what} was used after the handler had ended, so its effect is lost; await everything the handler starts`,
    );
  }
}
