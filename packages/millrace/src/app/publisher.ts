import { createHash } from "node:crypto";
import type { Committer, Pending } from "../consumer/committer.js";
import { type Routes, recordOf } from "../consumer/outgoing.js";
import { encodeToken, operationToken, placeOfRecord } from "../consumer/token.js";
import type { EventName, Message } from "../contract/contract.js";
import type { OpenEngine, Transaction } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { NewRecord } from "../log/log.js";
import type { Clock } from "../runtime/clock.js";
import { durationMs } from "../runtime/duration.js";
import type { Ids } from "../runtime/ids.js";
import { checkOptions, checkText, type OptionNames } from "../runtime/options.js";
import type { NewOperation, Operation, Outcome, Unit } from "../store/unit.js";
import type { Published, PublishManyOptions, PublishOptions, SendOptions, Sent } from "./app.js";

export interface PublisherHost {
  readonly engine: OpenEngine;
  readonly committer: Committer;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly routes: Routes;
}

/** A direct publish on its way to disk. */
class Publishing implements Pending {
  readonly patient = false;
  readonly unit: Unit;
  readonly #resolve: (published: Published) => void;
  readonly #reject: (failure: Failure) => void;
  readonly #record: NewRecord;

  constructor(record: NewRecord, resolve: (published: Published) => void, reject: (failure: Failure) => void) {
    this.unit = { claim: publishClaim, reads: noReads, effects: { records: [record] }, lane: undefined };
    this.#record = record;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  settled(outcome: Outcome): void {
    if (outcome.type === "failed") this.#reject(outcome.error);
    else this.#resolve(published(this.#record));
  }
}
const publishOptions: OptionNames<PublishOptions> = { id: true, actor: true };
const publishManyOptions: OptionNames<PublishManyOptions> = { ids: true, actor: true };
const sendOptions: OptionNames<SendOptions> = { ...publishOptions, waitFor: true, timeout: true, idempotency: true };
const publishClaim = { type: "publish" } as const;
const noReads: readonly never[] = [];

/** Publishing and sending from outside handlers: the one door to the log for callers without a context. */
export class Publisher {
  readonly #host: PublisherHost;
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #unhear: () => void;

  constructor(host: PublisherHost) {
    this.#host = host;
    this.#unhear = host.engine.onHandled((results) => {
      if (this.#waiters.size === 0) return;
      for (const result of results) for (const wake of this.#waiters.get(result.operation) ?? []) wake();
    });
  }

  publish(event: Message<EventName, unknown>, options: PublishOptions = {}): Promise<Published> {
    return new Promise((resolve, reject) => {
      checkOptions(options, publishOptions, { where: "publish" });
      // Inside the promise, so that a refused event rejects instead of throwing past the caller's catch.
      this.#host.committer.add(new Publishing(this.#root(event, options), resolve, reject));
    });
  }

  /** In a transaction of the user's own. */
  async publishIn(
    transaction: Transaction,
    events: readonly Message<EventName, unknown>[],
    options: PublishManyOptions,
  ): Promise<readonly Published[]> {
    const { engine } = this.#host;
    if (engine.publishIn === undefined)
      throw new Failure(
        "ENGINE_UNABLE",
        "app.outbox: this app's state is in a file, which no transaction of yours can share; use app.publish, or an engine on PostgreSQL",
      );
    const records = this.#roots(events, options);
    await engine.publishIn(transaction, records);
    return records.map(published);
  }

  async publishAll(
    events: readonly Message<EventName, unknown>[],
    options: PublishManyOptions = {},
  ): Promise<readonly Published[]> {
    const records = this.#roots(events, options);
    const outcome = await this.#commit({ claim: publishClaim, reads: noReads, effects: { records }, lane: undefined });
    if (outcome.type === "failed") throw outcome.error;
    return records.map(published);
  }

  async send(command: Message<string, unknown>, options: SendOptions): Promise<Sent> {
    return withToken(await this.#send(command, options));
  }

  async #send(command: Message<string, unknown>, options: SendOptions): Promise<Operation> {
    checkOptions(options, sendOptions, { where: "send" });
    const waitMs = waitOf(options);
    checkIdempotency(options);
    const record = this.#root(command, options);
    const operation = operationOf(record, options);
    const outcome = await this.#commit({
      claim: { type: "operation", operation },
      reads: noReads,
      effects: { records: [record] },
      lane: undefined,
    });
    if (outcome.type === "failed") throw outcome.error;
    if (outcome.type === "already" && outcome.operation !== undefined) {
      const known = outcome.operation;
      if (known.fingerprint !== operation.fingerprint) throw reused(known, operation);
      return waitMs === undefined ? known : this.#handled(known.id, waitMs);
    }
    return waitMs === undefined ? await this.#operation(operation.id) : this.#handled(operation.id, waitMs);
  }

  close(): void {
    this.#unhear();
    for (const waiters of this.#waiters.values()) for (const wake of waiters) wake();
  }

  #roots(events: readonly Message<EventName, unknown>[], options: PublishManyOptions): NewRecord[] {
    checkOptions(options, publishManyOptions, { where: "publish of many" });
    const { ids, ...rest } = options;
    if (ids !== undefined && (!Array.isArray(ids) || ids.length !== events.length))
      throw new Failure("OPTION_INVALID", "publish of many: ids is a list with one id, or undefined, for each event", {
        details: { option: "ids" },
      });
    return events.map((event, index) => {
      const id = ids?.[index];
      return this.#root(event, id === undefined ? rest : { ...rest, id });
    });
  }

  #root(message: Message<string, unknown>, options: PublishOptions = {}): NewRecord {
    const { clock, ids, routes } = this.#host;
    const time = clock.now();
    return recordOf(message, routes, {
      id: options.id === undefined ? ids.next(time) : checkedId(options.id),
      time,
      source: undefined,
      correlationId: undefined,
      causationId: undefined,
      hops: 0,
      headers: options.actor === undefined ? undefined : { actor: checkedActor(options.actor) },
      named: options.id !== undefined,
    });
  }

  #commit(unit: Unit): Promise<Outcome> {
    return new Promise((resolve) => this.#host.committer.add({ unit, patient: false, settled: resolve }));
  }

  async #operation(id: string): Promise<Operation> {
    const operation = await this.#host.engine.store.readOperation(id);
    if (operation === undefined) throw new Failure("NOT_FOUND", `operation ${id} does not exist`);
    return operation;
  }

  /** Waits until the command's owner has answered, or the time is up. */
  async #handled(id: string, waitMs: number): Promise<Operation> {
    const before = await this.#operation(id);
    if (before.state !== "accepted") return before;
    await new Promise<void>((resolve) => {
      const waiters = this.#waiters.get(id) ?? new Set();
      this.#waiters.set(id, waiters);
      const done = () => {
        cancel();
        waiters.delete(done);
        if (waiters.size === 0) this.#waiters.delete(id);
        resolve();
      };
      const cancel = this.#host.clock.after(waitMs, done);
      waiters.add(done);
    });
    return this.#operation(id);
  }
}

/** How long to wait for the owner's answer; undefined when being stored is enough. Checked before anything is stored. */
function waitOf({ waitFor = "accepted", timeout = "10s" }: SendOptions): number | undefined {
  const waitMs = durationMs(timeout, "send: timeout");
  if (waitFor === "handled") return waitMs;
  if (waitFor === "accepted") return undefined;
  throw new Failure("OPTION_INVALID", `send: waitFor is "accepted" or "handled", not ${JSON.stringify(waitFor)}`);
}

/** Both are compared whenever a request comes again: anything but text would not be the same the next time. */
function checkIdempotency({ idempotency }: SendOptions): void {
  if (idempotency === undefined) return;
  const names = { scope: true, key: true } as const;
  checkOptions(idempotency, names, { where: "send: idempotency" });
  for (const name of ["scope", "key"] as const) {
    const text = checkText(idempotency[name], `send: idempotency.${name}`);
    if (text === "" || text.length > 1_000)
      throw new Failure("OPTION_INVALID", `send: idempotency.${name} takes 1 to 1,000 characters`, {
        details: { option: `idempotency.${name}` },
      });
  }
}

function published(record: NewRecord): Published {
  return new PublishedEvent(record);
}

/** Most callers want no token: it is made when it is asked for. */
class PublishedEvent implements Published {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly #record: NewRecord;

  constructor(record: NewRecord) {
    this.id = record.id;
    this.topic = record.topic;
    this.partition = record.partition;
    this.offset = record.offset;
    this.#record = record;
  }

  get token(): string {
    return encodeToken({ events: [placeOfRecord(this.#record)], operation: undefined });
  }
}

function withToken(operation: Operation): Sent {
  return Object.defineProperty({ ...operation }, "token", { get: () => operationToken(operation) }) as Sent;
}

function operationOf(record: NewRecord, { id, idempotency }: SendOptions): NewOperation {
  const named = id !== undefined || idempotency !== undefined;
  return {
    id: record.id,
    command: record.type,
    key: record.key,
    correlationId: record.id,
    fingerprint: named
      ? createHash("sha256").update(`${record.type}\n`).update(record.data).digest("base64")
      : undefined,
    idempotency,
  };
}

function reused(known: Operation, { id, command }: NewOperation): Failure {
  if (known.id === id)
    return new Failure("EVENT_ID_REUSED", `${command} ${id}: this id was sent with other content; use a new id`);
  return new Failure(
    "IDEMPOTENCY_KEY_REUSED",
    `${command}: this idempotency key was used with other content; use a new key for a new request`,
  );
}

/** An actor travels in headers, too, but may be a name in any script. */
function checkedActor(actor: string): string {
  if (/^[^\p{Cc}\p{Cs}]{1,200}$/u.test(checkText(actor, "actor"))) return actor;
  throw new Failure("OPTION_INVALID", "actor takes 1 to 200 characters without control characters");
}

/** An id travels in headers, file names and URLs: printable ASCII, up to 200 characters. */
function checkedId(id: string): string {
  if (/^[\x21-\x7e]{1,200}$/.test(checkText(id, "id"))) return id;
  throw new Failure("OPTION_INVALID", "id takes 1 to 200 printable ASCII characters without spaces");
}

/** Many, or one. */
export function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}
