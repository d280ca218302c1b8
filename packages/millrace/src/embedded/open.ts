import { join } from "node:path";
import type { Change, EngineContext, OpenEngine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { Cancel } from "../runtime/clock.js";
import type { OperationResult } from "../store/unit.js";
import { Calls, type MemberWire } from "./attached.js";
import { backup } from "./backup.js";
import { Core } from "./core.js";
import { Ears } from "./ears.js";
import { fileFailure } from "./errors.js";
import { prepareFile, probeFlush } from "./format.js";
import { type Host, startHost } from "./host.js";
import { createInspect } from "./inspect.js";
import { aliveEveryMs, type FarBell } from "./members.js";
import { operateBy } from "./operate.js";
import { makePrivate, type Ownership, refuseDamaged, stillOwned, takeOwnership } from "./owner.js";
import { attachedSide, type FileSide, ownerSide } from "./sides.js";
import { greet, type Joining, joinOwner, type Listening, listenFor } from "./socket.js";
import { type Database, openDatabase } from "./sqlite.js";
import { storeOn } from "./store.js";

/** Where a flush takes longer, writing has a thread of its own from the start. */
const flushMsMax = 0.5;
/** How long to wait before trying to join the next owner, or to become it. */
export const retryMs = { first: 10, max: 500 };

export interface EmbeddedParts {
  /** Undefined in memory. */
  readonly dir: string | undefined;
  /** The one connection of an engine in memory. */
  readonly reader: Database | undefined;
  readonly member: string;
  readonly context: EngineContext;
}

/** The engine of one process. Which side of the file it stands on may change while it runs. */
export class OpenEmbedded implements OpenEngine {
  readonly store = storeOn(() => this.#live);
  readonly log: OpenEngine["log"] = {
    read: (request) => this.#live.log.read(request),
    record: (at) => this.#live.log.record(at),
    ends: (topic) => this.#live.log.ends(topic),
    starts: (topic) => this.#live.log.starts(topic),
    append: (records) => this.#live.log.append(records),
    ensureTopic: (topic) => this.#live.log.ensureTopic(topic),
    topics: () => this.#live.log.topics(),
  };
  readonly operate = operateBy(async (name, args) =>
    (this.#live.operate[name] as (...args: readonly unknown[]) => unknown)(...args),
  );
  readonly #parts: EmbeddedParts;
  readonly #calls = new Calls();
  readonly #ears = new Ears();
  #reader: Database | undefined;
  #inspect: OpenEngine["inspect"] | undefined;
  #side: FileSide | undefined;
  #core: Core | undefined;
  #ownership: Ownership | undefined;
  #listening: Listening | undefined;
  #wire: MemberWire | undefined;
  #cancelAlive: Cancel = () => {};
  #cancelRetry: Cancel = () => {};
  #host: Host | undefined;
  #closing = false;
  readonly #joining: Joining;

  constructor(parts: EmbeddedParts) {
    this.#parts = parts;
    this.#reader = parts.reader;
    this.#joining = {
      member: parts.member,
      clock: parts.context.clock,
      answered: (message) => this.#calls.answered(message),
      rang: (bell) => this.#farBell(bell),
      ended: (wire) => wire === this.#wire && this.#lost(),
    };
  }

  get #live(): FileSide {
    if (this.#side === undefined) throw new Failure("APP_STOPPED", "the engine is closed");
    return this.#side;
  }

  get inspect(): OpenEngine["inspect"] {
    this.#inspect ??= createInspect(this.#reading(), this.#file);
    return this.#inspect;
  }

  get #file(): string | undefined {
    return this.#parts.dir === undefined ? undefined : join(this.#parts.dir, "millrace.db");
  }

  /** Tries to become the owner, else to join it. False when neither can be done just now. */
  async stand(): Promise<boolean> {
    const { dir, member } = this.#parts;
    if (dir === undefined) return false;
    this.#ownership = stillOwned(this.#ownership) ?? takeOwnership(dir, member);
    if (this.#ownership === undefined) return this.#attach(await joinOwner(dir, this.#joining));
    await this.#takeOver(dir, this.#ownership);
    return true;
  }

  onAppended(heard: (topics: readonly string[]) => void): () => void {
    return this.#ears.appended.add(heard);
  }

  onHandled(heard: (results: readonly OperationResult[]) => void): () => void {
    return this.#ears.handled.add(heard);
  }

  onChanged(heard: (change: Change) => void): () => void {
    return this.#ears.changed.add(heard);
  }

  async backup(file: string): Promise<void> {
    await backup(this.#reading(), file);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#cancelAlive();
    this.#cancelRetry();
    const wire = this.#wire;
    this.#wire = undefined;
    wire?.send({ type: "bye" });
    wire?.close();
    this.#calls.close(new Failure("APP_STOPPED", "the app stopped before the file's owner answered"));
    await this.#listening?.close();
    const [core, reader] = [this.#core, this.#reader];
    try {
      await this.#host?.close();
      core?.leave(this.#parts.member);
      if (reader !== undefined && reader !== this.#parts.reader) reader.close();
      await core?.close();
    } finally {
      this.#side = undefined;
      this.#ownership?.release();
    }
  }

  /** This process writes from now on. */
  own(core: Core): void {
    const { member } = this.#parts;
    this.#core = core;
    core.onBell((bell, origin) => this.#ears.hear(bell, origin !== member));
    core.leases.heard(member, Number.POSITIVE_INFINITY);
    this.#side = ownerSide({ core, reader: this.#reading(), member });
  }

  #reading(): Database {
    this.#reader ??= openDatabase(this.#file as string, { readOnly: true });
    return this.#reader;
  }

  async #takeOver(dir: string, ownership: Ownership): Promise<void> {
    const { context, member } = this.#parts;
    const file = join(dir, "millrace.db");
    let database: Database | undefined;
    try {
      refuseDamaged(dir, file);
      makePrivate(dir, file);
      database = openDatabase(file);
      const prepared = prepareFile(database, file, context.clock.now());
      ownership.stored();
      if (probeFlush(database, () => context.clock.monotonic()) >= flushMsMax) {
        database.close();
        await this.#startHost(dir, ownership);
        return;
      }
      const again = this.#side !== undefined;
      const core = new Core({ file, database, reader: this.#reading(), prepared, context });
      core.bury(ownership.before);
      this.own(core);
      this.#listening = await this.#listen(dir, ownership);
      await this.#calls.settle(core.door(member));
      if (again) this.#lookAgain();
    } catch (error) {
      if (database?.isOpen === true) database.close();
      this.#ownership = undefined;
      ownership.release();
      throw fileFailure(error);
    }
  }

  /** Alone is better than not at all: where no socket can be made, this process works, and others are refused. */
  async #listen(dir: string, ownership: Ownership): Promise<Listening | undefined> {
    const { logger } = this.#parts.context;
    const admit = (wire: { close(): void }) => {
      // Whoever came tries again at once.
      wire.close();
      this.#moveOut(dir, ownership).catch((error) => {
        logger.error({ err: error }, "the writer of the file could not move into its own thread");
        this.#lost();
      });
    };
    try {
      return await listenFor(dir, { admit }, logger);
    } catch (error) {
      logger.warn({ err: error }, "other processes cannot take part in this file");
      return undefined;
    }
  }

  /** Others want to take part: once the take-over is complete, what writes goes into a thread of its own, so that no handler of this one stops them. */
  async #moveOut(dir: string, ownership: Ownership): Promise<void> {
    const core = this.#core;
    if (core === undefined || this.#listening === undefined || this.#closing) return;
    this.#core = undefined;
    this.#calls.moveOut();
    this.#side = attachedSide(this.#reading(), this.#calls);
    await this.#listening?.close();
    this.#listening = undefined;
    await core.close();
    await this.#startHost(dir, ownership);
  }

  async #startHost(dir: string, { before }: Ownership): Promise<void> {
    const [file, { member, context }] = [join(dir, "millrace.db"), this.#parts];
    this.#host = await startHost({ dir, file, member, before }, context.logger);
    if (this.#attach(await greet(this.#host.wire, this.#joining, file))) return;
    // This process was stopped meanwhile: what it calls would never be answered, and nobody else may own the file.
    await this.#host.close();
    throw new Failure("STORE_UNAVAILABLE", `${file}: its writer did not let this process in; it is started again`);
  }

  /** Whoever writes has let this process in. */
  #attach(wire: MemberWire | undefined): boolean {
    if (wire === undefined) return false;
    const again = this.#side !== undefined;
    if (again) this.#side?.topics.refresh();
    else this.#side = attachedSide(this.#reading(), this.#calls);
    this.#wire = wire;
    this.#calls.connect(wire);
    this.#alive();
    // What happened while nobody rang: everything is looked at again.
    if (again) this.#lookAgain();
    return true;
  }

  #lookAgain(): void {
    const again = { leases: true, timers: true, amended: true, pauses: true, jobs: true, builds: true } as const;
    const change: Change = { lanes: "all", ...again };
    this.#ears.hear({ topics: [...this.#live.topics.byName.keys()], change }, true);
  }

  /** The owner has gone: one of those that are left takes its place, the others join that one. */
  #lost(): void {
    // A writer that only let go of this process must end: two of one process would fence each other.
    const ended = this.#host?.close();
    [this.#wire, this.#host] = [undefined, undefined];
    this.#calls.disconnect();
    this.#cancelAlive();
    if (this.#closing) return;
    const { context } = this.#parts;
    const retry = (waitMs: number): void => {
      this.stand().then(
        (stands) => {
          if (stands || this.#closing) return;
          this.#cancelRetry = context.clock.after(waitMs, () => retry(Math.min(waitMs * 2, retryMs.max)));
        },
        (error) => {
          context.logger.error({ err: error }, "the file's owner has gone, and this process cannot take its place yet");
          if (!this.#closing) this.#cancelRetry = context.clock.after(retryMs.max, () => retry(retryMs.max));
        },
      );
    };
    void Promise.resolve(ended).then(() => this.#closing || retry(retryMs.first));
  }

  /** Says that this process still turns, and looks for itself, in case a bell was missed. */
  #alive(): void {
    this.#cancelAlive();
    this.#cancelAlive = this.#parts.context.clock.after(aliveEveryMs, () => {
      this.#wire?.send({ type: "alive" });
      const before = new Map([...this.#live.topics.byName].map(([name, { end }]) => [name, end]));
      this.#live.topics.refresh();
      const grown = [...this.#live.topics.byName].filter(([name, { end }]) => before.get(name) !== end);
      if (grown.length > 0) this.#ears.hear({ topics: grown.map(([name]) => name) }, false);
      this.#alive();
    });
  }

  #farBell({ ends, results, change }: FarBell): void {
    if (this.#side === undefined) return;
    const { topics } = this.#side;
    for (const [name, end] of ends ?? []) {
      const topic = topics.byName.get(name);
      if (topic === undefined) topics.refresh();
      else topic.end = Math.max(topic.end, end);
    }
    this.#ears.hear(
      {
        ...(ends === undefined ? {} : { topics: ends.map(([name]) => name) }),
        ...(results === undefined ? {} : { results }),
        ...(change === undefined ? {} : { change }),
      },
      true,
    );
  }
}
