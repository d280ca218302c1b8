import { Failure, isFailure } from "../failure/failure.js";
import type { NewRecord } from "../log/log.js";
import type { Cancel, Clock } from "../runtime/clock.js";
import type { DocumentTypeShape } from "../store/store.js";
import type { IndexEntry, Outcome, Progress, Unit } from "../store/unit.js";
import type { Bell, Core, Door } from "./core.js";
import { formatVersion } from "./schema.js";
import { type FailureText, type FromOwner, failureText, type ToOwner, type Wire, wireVersion } from "./wire.js";

/** How often a member says that its main loop still turns. */
export const aliveEveryMs = 3_000;

export type OwnerWire = Wire<FromOwner, ToOwner>;

/** A commit's outcomes as they cross: what an append or a failure left behind in the owner's objects goes with them. */
export interface CommitAnswer {
  readonly outcomes: readonly (
    | Exclude<Outcome, { type: "failed" }>
    | { readonly type: "failed"; readonly error: FailureText }
  )[];
  readonly offsets: readonly (readonly number[])[];
}

/** A bell as it crosses, with where each topic now ends. */
export interface FarBell extends Omit<Bell, "topics"> {
  readonly ends?: readonly (readonly [topic: string, end: number])[];
}

interface Member {
  readonly name: string;
  readonly wire: OwnerWire;
  readonly door: Door;
}

/** The other processes that take part in the owner's file: their calls, their leases, and the bell for all. */
export class Members {
  readonly #core: Core;
  readonly #clock: Clock;
  readonly #members = new Set<Member>();
  readonly #unhear: () => void;
  #cancelLook: Cancel | undefined;
  /** Called when the last one has gone. */
  onEmpty: () => void = () => {};

  constructor(core: Core, clock: Clock) {
    this.#core = core;
    this.#clock = clock;
    this.#unhear = core.onBell((bell, origin) => this.#ring(bell, origin));
  }

  get size(): number {
    return this.#members.size;
  }

  /** Takes in whoever is at the other end, once it has said who it is. */
  admit(wire: OwnerWire): void {
    let member: Member | undefined;
    wire.listen(
      (message) => {
        if (message.type === "hello") member = this.#hello(message, wire) ?? member;
        else if (member !== undefined && this.#members.has(member)) this.#heard(member, message);
      },
      () => {
        if (member !== undefined) this.#left(member, false);
      },
    );
  }

  close(): void {
    this.#unhear();
    this.#cancelLook?.();
    for (const { wire } of this.#members) wire.close();
    this.#members.clear();
  }

  #hello(hello: Extract<ToOwner, { type: "hello" }>, wire: OwnerWire): Member | undefined {
    const misfit = misfitOf(hello);
    if (misfit !== undefined) {
      wire.send({ type: "refused", failure: failureText(new Failure("STORE_FORMAT", misfit)) });
      wire.close();
      return undefined;
    }
    // One that comes again before its old connection is known to have ended: that end says nothing of it any more.
    for (const old of this.#members) if (old.name === hello.member && this.#members.delete(old)) old.wire.close();
    const member = { name: hello.member, wire, door: this.#core.door(hello.member) };
    this.#members.add(member);
    this.#core.leases.heard(hello.member);
    wire.send({ type: "welcome" });
    this.#look();
    return member;
  }

  #heard(member: Member, message: ToOwner): void {
    switch (message.type) {
      case "alive":
        // One that was taken for dead has lost its leases: it is to look what it still has.
        if (this.#core.leases.heard(member.name)) this.#core.ring({ change: { leases: true } }, "");
        this.#expire();
        return;
      case "call":
        void this.#answer(member, message.call, message.name, message.args);
        return;
      case "bye":
        this.#left(member, true);
        return;
      case "hello":
    }
  }

  async #answer(member: Member, call: number, name: string, args: readonly unknown[]): Promise<void> {
    try {
      const answer = perform(member.door, name, args);
      const value = answer instanceof Promise ? await answer : answer;
      member.wire.send({ type: "answer", call, value });
    } catch (error) {
      // This process does not own the file any more: whoever does is asked again, by all that were asking here.
      if (isFailure(error, "FENCED")) this.#disown();
      else member.wire.send({ type: "failure", call, failure: failureText(error) });
    }
  }

  #disown(): void {
    for (const { wire } of [...this.#members]) wire.close();
  }

  #left(member: Member, inOrder: boolean): void {
    if (!this.#members.delete(member)) return;
    if (inOrder) this.#core.leave(member.name);
    else {
      this.#core.leases.leave(member.name);
      this.#core.ring({ change: { leases: true } }, member.name);
    }
    if (this.#members.size > 0) return;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    this.onEmpty();
  }

  /** A stopped process says nothing, and does not go away either: only time tells. */
  #look(): void {
    this.#cancelLook ??= this.#clock.after(aliveEveryMs, () => {
      this.#cancelLook = undefined;
      this.#expire();
      if (this.#members.size > 0) this.#look();
    });
  }

  #expire(): void {
    if (this.#core.leases.expire()) this.#core.ring({ change: { leases: true } }, "");
  }

  #ring({ topics, results, change }: Bell, origin: string): void {
    const ends = topics?.map((name) => [name, this.#core.topics.get(name).end] as const);
    for (const { name, wire } of this.#members) {
      if (change !== undefined && name !== origin) wire.send({ type: "bell", bell: { change } satisfies FarBell });
      if (ends !== undefined) wire.send({ type: "bell", bell: { ends } satisfies FarBell });
      if (results !== undefined) wire.send({ type: "bell", bell: { results } satisfies FarBell });
    }
  }
}

/** Why a program cannot take part; undefined when it can. It would misread the file, or be misunderstood. */
function misfitOf({ wire, format, pid }: Extract<ToOwner, { type: "hello" }>): string | undefined {
  const [owner, both] = [`process ${process.pid}, which owns the file,`, "run the same version of Millrace in both"];
  if (wire !== wireVersion)
    return `${owner} speaks version ${wireVersion} of the members' messages, process ${pid} version ${wire}; ${both}`;
  if (format !== formatVersion)
    return `${owner} writes format ${formatVersion}, process ${pid} reads format ${format}; ${both}`;
  return undefined;
}

/** Does what a member asks for. */
export function perform(door: Door, name: string, args: readonly unknown[]): unknown {
  if (name === "commit" || name === "recommit") {
    const [units, progress] = args as [readonly Unit[], readonly Progress[]];
    const commit = name === "commit" ? door.writes.commit(units, progress) : door.recommit(units, progress);
    return answerOf(units, commit);
  }
  if (name === "ensureDocumentType") {
    const [shape, entries] = args as [Omit<DocumentTypeShape, "indexOf">, ReadonlyMap<string, readonly IndexEntry[]>];
    return door.writes.ensureDocumentType({ ...shape, indexOf: (text, schema) => entryOf(entries, text, schema) });
  }
  if (name === "append") {
    const [records] = args as [readonly NewRecord[]];
    return door.log.append(records).then(() => records.map(({ offset }) => offset));
  }
  const owner = doorOf(door, name) as Record<string, (...args: readonly unknown[]) => unknown>;
  return owner[name]?.(...args);
}

const writeNames: ReadonlySet<string> = new Set([
  "acquire",
  "leases",
  "release",
  "recovered",
  "ensureSchedule",
  "ensureBuild",
  "migrate",
]);

function doorOf(door: Door, name: string): object {
  if (writeNames.has(name)) return door.writes;
  if (name === "ensureTopic") return door.log;
  if (Object.hasOwn(door.operate, name)) return door.operate;
  throw new Failure(
    "STORE_FORMAT",
    `the owner of the file knows no call ${name}; run the same version of Millrace in both`,
  );
}

function answerOf(units: readonly Unit[], outcomes: readonly Outcome[]): CommitAnswer {
  return {
    outcomes: outcomes.map((outcome) =>
      outcome.type === "failed" ? { type: "failed", error: failureText(outcome.error) } : outcome,
    ),
    offsets: units.map(({ effects }) => effects.records?.map(({ offset }) => offset) ?? []),
  };
}

/** How a stored document's index entries are named when another process has made them. */
export function documentText(text: string, schema: number): string {
  return `${schema}\n${text}`;
}

function entryOf(entries: ReadonlyMap<string, readonly IndexEntry[]>, text: string, schema: number) {
  const found = entries.get(documentText(text, schema));
  if (found !== undefined) return found;
  throw new Failure("VERSION_CONFLICT", "documents changed while their index was made; it is made again");
}
