import { join } from "node:path";
import type { Change, EngineContext, OpenEngine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { Cancel } from "../runtime/clock.js";
import { uuidv7 } from "../runtime/ids.js";
import type { OperationResult } from "../store/unit.js";
import { Calls, type MemberWire } from "./attached.js";
import { backup } from "./backup.js";
import { type Bell, Core } from "./core.js";
import { fileFailure } from "./errors.js";
import { prepareFile } from "./format.js";
import { createInspect } from "./inspect.js";
import { aliveEveryMs, type FarBell } from "./members.js";
import { makePrivate, memberName, type Ownership, ownerOf, takeOwnership } from "./owner.js";
import { attachedSide, type FileSide, ownerSide } from "./sides.js";
import { joinOwner, type Listening, listenFor } from "./socket.js";
import { type Database, openDatabase } from "./sqlite.js";
import { storeOn } from "./store.js";

/** An engine that keeps nothing. */
export function openMemory(context: EngineContext): OpenEngine {
  const database = openDatabase(":memory:");
  const prepared = prepareFile(database, ":memory:", context.clock.now());
  const opened = new OpenEmbedded({ dir: undefined, reader: database, member: "1/memory", context });
  opened.own(new Core({ file: ":memory:", database, reader: database, prepared, context }), undefined);
  return opened;
}

const attachWithinMs = 10_000;
const retryMs = { first: 10, max: 500 };

/** The file in `dir`, as its owner when it has none, else beside the owner. */
export async function openShared(dir: string, context: EngineContext): Promise<OpenEngine> {
  const member = memberName(uuidv7(context.random).next(context.clock.now()));
  const opened = new OpenEmbedded({ dir, reader: undefined, member, context });
  const until = context.clock.monotonic() + attachWithinMs;
  for (let waitMs = retryMs.first; ; waitMs = Math.min(waitMs * 2, retryMs.max)) {
    if (await opened.stand()) return opened;
    if (context.clock.monotonic() >= until) break;
    await new Promise<void>((done) => context.clock.after(waitMs, done));
  }
  throw new Failure(
    "STORE_OWNED",
    `${dir} is in use by ${ownerOf(dir)}, which does not answer: it is stopped, hangs, or runs another version. Let it go on or end it, or give this process another folder`,
    { details: { dir } },
  );
}

interface EmbeddedParts {
  /** Undefined in memory. */
  readonly dir: string | undefined;
  /** The one connection of an engine in memory. */
  readonly reader: Database | undefined;
  readonly member: string;
  readonly context: EngineContext;
}

/** The engine of one process. Which side of the file it stands on may change while it runs. */
class OpenEmbedded implements OpenEngine {
  readonly store = storeOn(() => this.#live);
  readonly log: OpenEngine["log"] = {
    read: (request) => this.#live.log.read(request),
    ends: (topic) => this.#live.log.ends(topic),
    starts: (topic) => this.#live.log.starts(topic),
    append: (records) => this.#live.log.append(records),
    ensureTopic: (topic) => this.#live.log.ensureTopic(topic),
    topics: () => this.#live.log.topics(),
  };
  readonly operate: OpenEngine["operate"] = {
    edit: (entry, id, data, act) => this.#live.operate.edit(entry, id, data, act),
    skip: (entry, act) => this.#live.operate.skip(entry, act),
    redrive: (entries, act) => this.#live.operate.redrive(entries, act),
    forget: (consumer, act) => this.#live.operate.forget(consumer, act),
  };
  readonly #parts: EmbeddedParts;
  readonly #calls = new Calls();
  readonly #appended = new Set<(topics: readonly string[]) => void>();
  readonly #handled = new Set<(results: readonly OperationResult[]) => void>();
  readonly #changed = new Set<(change: Change) => void>();
  #reader: Database | undefined;
  #inspect: OpenEngine["inspect"] | undefined;
  #side: FileSide | undefined;
  #core: Core | undefined;
  #ownership: Ownership | undefined;
  #listening: Listening | undefined;
  #wire: MemberWire | undefined;
  #cancelAlive: Cancel = () => {};
  #cancelRetry: Cancel = () => {};
  #closing = false;

  constructor(parts: EmbeddedParts) {
    this.#parts = parts;
    this.#reader = parts.reader;
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
    const ownership = takeOwnership(dir as string, member);
    if (ownership === undefined) return await this.#join(dir as string);
    await this.#takeOver(dir as string, ownership);
    return true;
  }

  onAppended(heard: (topics: readonly string[]) => void): () => void {
    this.#appended.add(heard);
    return () => this.#appended.delete(heard);
  }

  onHandled(heard: (results: readonly OperationResult[]) => void): () => void {
    this.#handled.add(heard);
    return () => this.#handled.delete(heard);
  }

  onChanged(heard: (change: Change) => void): () => void {
    this.#changed.add(heard);
    return () => this.#changed.delete(heard);
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
    const core = this.#core;
    const reader = this.#reader;
    try {
      core?.leave(this.#parts.member);
      if (reader !== undefined && reader !== this.#parts.reader) reader.close();
      await core?.close();
    } finally {
      this.#side = undefined;
      this.#ownership?.release();
    }
  }

  /** This process writes from now on. */
  own(core: Core, ownership: Ownership | undefined): void {
    const { member } = this.#parts;
    this.#core = core;
    this.#ownership = ownership;
    core.onBell((bell, origin) => this.#heard(bell, origin !== member));
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
      makePrivate(dir, file);
      database = openDatabase(file);
      const prepared = prepareFile(database, file, context.clock.now());
      const core = new Core({ file, database, reader: this.#reading(), prepared, context });
      this.own(core, ownership);
      core.bury(ownership.before);
      this.#listening = await this.#listen(dir, core);
      await this.#calls.settle(core.door(member));
    } catch (error) {
      if (database?.isOpen === true) database.close();
      ownership.release();
      throw fileFailure(error);
    }
  }

  /** Alone is better than not at all: where no socket can be made, this process works, and others are refused. */
  async #listen(dir: string, core: Core): Promise<Listening | undefined> {
    const { context } = this.#parts;
    try {
      return await listenFor(dir, core, context);
    } catch (error) {
      context.logger.warn({ err: error }, "other processes cannot take part in this file");
      return undefined;
    }
  }

  async #join(dir: string): Promise<boolean> {
    const { context, member } = this.#parts;
    const wire = await joinOwner(dir, {
      member,
      clock: context.clock,
      answered: (message) => this.#calls.answered(message),
      rang: (bell) => this.#farBell(bell),
      ended: () => this.#lost(),
    });
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
    for (const heard of this.#appended) heard([...this.#live.topics.byName.keys()]);
    for (const heard of this.#changed) heard({ leases: true, timers: true, amended: true });
  }

  /** The owner has gone: one of those that are left takes its place, the others join that one. */
  #lost(): void {
    this.#wire = undefined;
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
    retry(retryMs.first);
  }

  /** Says that this process still turns, and looks for itself, in case a bell was missed. */
  #alive(): void {
    this.#cancelAlive();
    this.#cancelAlive = this.#parts.context.clock.after(aliveEveryMs, () => {
      this.#wire?.send({ type: "alive" });
      const before = new Map([...this.#live.topics.byName].map(([name, { end }]) => [name, end]));
      this.#live.topics.refresh();
      const grown = [...this.#live.topics.byName].filter(([name, { end }]) => before.get(name) !== end);
      if (grown.length > 0) this.#heard({ topics: grown.map(([name]) => name) }, false);
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
    this.#heard(
      {
        ...(ends === undefined ? {} : { topics: ends.map(([name]) => name) }),
        ...(results === undefined ? {} : { results }),
        ...(change === undefined ? {} : { change }),
      },
      true,
    );
  }

  #heard({ topics, results, change }: Bell, byOthers: boolean): void {
    if (topics !== undefined) for (const heard of this.#appended) heard(topics);
    if (results !== undefined) for (const heard of this.#handled) heard(results);
    if (change !== undefined && byOthers) for (const heard of this.#changed) heard(change);
  }
}
