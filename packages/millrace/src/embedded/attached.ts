import { Failure, isFailure } from "../failure/failure.js";
import type { LogAdmin, LogWriter, NewRecord, TopicShape } from "../log/log.js";
import type { Build } from "../store/builds.js";
import { indexesOf } from "../store/document-indexes.js";
import type { Operate } from "../store/operate.js";
import type { DocumentTypeShape, Leased, Registration, ScheduleRow } from "../store/store.js";
import type { IndexEntry, Outcome, Position, Progress, Unit } from "../store/unit.js";
import type { Door } from "./core.js";
import { type CommitAnswer, documentText, perform } from "./members.js";
import { operateBy } from "./operate.js";
import { all, first } from "./query.js";
import type { Database } from "./sqlite.js";
import { type FromOwner, failureOf, type ToOwner, type Wire } from "./wire.js";
import type { StoreWrites } from "./writes.js";

export type MemberWire = Wire<ToOwner, FromOwner>;

interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly resolve: (value: unknown) => void;
  readonly reject: (failure: Failure) => void;
}

/**
 * Calls of this process to the file's owner. A call is answered once: when the owner is lost on the way, the same call
 * goes to the next owner, whose claims tell whether it was done before.
 */
export class Calls {
  readonly #open = new Map<number, Call>();
  #wire: MemberWire | undefined;
  #door: Door | undefined;
  #made = 0;

  /** From now on the calls go there, first of all those that were not answered. */
  connect(wire: MemberWire): void {
    this.#wire = wire;
    for (const [call, { name, args }] of this.#open) wire.send({ type: "call", call, name: again(name), args });
  }

  disconnect(): void {
    this.#wire = undefined;
  }

  /** This process has become the owner: what was not answered is done here. */
  async settle(door: Door): Promise<void> {
    this.#wire = undefined;
    this.#door = door;
    for (const [call, { name, args, resolve, reject }] of [...this.#open]) {
      this.#open.delete(call);
      try {
        resolve(await perform(door, again(name), args));
      } catch (error) {
        reject(
          isFailure(error)
            ? error
            : new Failure("STORE_UNAVAILABLE", `the file failed: ${String(error)}`, { cause: error }),
        );
      }
    }
  }

  /** This process still owns the file, but has it written elsewhere from now on: calls wait until that is connected. */
  moveOut(): void {
    this.#door = undefined;
  }

  /** What was not answered never will be. */
  close(failure: Failure): void {
    for (const { reject } of this.#open.values()) reject(failure);
    this.#open.clear();
  }

  async make(name: string, args: readonly unknown[]): Promise<unknown> {
    // Whoever still has the old side in hand after this process became the owner.
    if (this.#door !== undefined) return perform(this.#door, name, args);
    return await new Promise((resolve, reject) => {
      this.#made += 1;
      this.#open.set(this.#made, { name, args, resolve, reject });
      this.#wire?.send({ type: "call", call: this.#made, name, args });
    });
  }

  answered(message: Extract<FromOwner, { type: "answer" | "failure" }>): void {
    const call = this.#open.get(message.call);
    if (call === undefined) return;
    this.#open.delete(message.call);
    if (message.type === "answer") call.resolve(message.value);
    else call.reject(failureOf(message.failure));
  }
}

function again(name: string): string {
  return name === "commit" ? "recommit" : name;
}

/** The writing half of the store port, done by the owner. */
export function farWrites(calls: Calls, reader: Database): StoreWrites {
  return {
    async commit(units: readonly Unit[], progress: readonly Progress[]): Promise<readonly Outcome[]> {
      const { outcomes, offsets } = (await calls.make("commit", [units, progress])) as CommitAnswer;
      units.forEach(({ effects }, index) => {
        for (const [at, record] of (effects.records ?? []).entries()) record.offset = offsets[index]?.[at] ?? -1;
      });
      return outcomes.map((outcome) =>
        outcome.type === "failed" ? { type: "failed", error: failureOf(outcome.error) } : outcome,
      );
    },
    ensureDocumentType: (type: DocumentTypeShape) => ensureDocumentType(calls, reader, type),
    ensureBuild: async (service: string, name: string, version: number) =>
      (await calls.make("ensureBuild", [service, name, version])) as readonly Build[],
    acquire: async (registration: Registration) => (await calls.make("acquire", [registration])) as readonly Position[],
    leases: async (consumer: string) => (await calls.make("leases", [consumer])) as Leased,
    release: async (positions: readonly Position[]) => void (await calls.make("release", [positions])),
    recovered: async (positions: readonly Position[]) => void (await calls.make("recovered", [positions])),
    ensureSchedule: async (row: ScheduleRow) => (await calls.make("ensureSchedule", [row])) as ScheduleRow,
    async migrate(service: string, migrations: readonly { readonly name: string; readonly sql: string }[]) {
      if (migrations.length > 0) await calls.make("migrate", [service, migrations]);
    },
  };
}

const indexTriesMax = 10;

/** Functions do not cross: the index entries of stored documents are made here, and refused when one changed since. */
async function ensureDocumentType(calls: Calls, reader: Database, type: DocumentTypeShape): Promise<void> {
  const { indexOf, ...shape } = type;
  const select = "SELECT indexes FROM mr_document_types WHERE service = ? AND name = ?";
  const declared = first<{ indexes: string }>(reader, select, type.service, type.type);
  if (declared?.indexes === indexesOf(type)) return;
  for (let tries = 1; ; tries += 1) {
    const entries = new Map<string, readonly IndexEntry[]>();
    if (type.indexes.length + type.unique.length > 0) {
      const rows = all<{ schema: number; data: string }>(
        reader,
        `SELECT d.schema, d.data FROM mr_documents AS d JOIN mr_document_types AS t ON t.type = d.type
         WHERE t.service = ? AND t.name = ?`,
        type.service,
        type.type,
      );
      for (const { schema, data } of rows) entries.set(documentText(data, schema), indexOf(data, schema));
    }
    try {
      await calls.make("ensureDocumentType", [shape, entries]);
      return;
    } catch (error) {
      if (!isFailure(error, "VERSION_CONFLICT") || tries === indexTriesMax) throw error;
    }
  }
}

/** The log's writer and admin, done by the owner. */
export function farLog(calls: Calls): Pick<LogAdmin, "ensureTopic"> & LogWriter {
  return {
    ensureTopic: async (topic: Omit<TopicShape, "incarnation">) =>
      (await calls.make("ensureTopic", [topic])) as TopicShape,
    async append(records: readonly NewRecord[]) {
      const offsets = (await calls.make("append", [records])) as readonly number[];
      for (const [index, record] of records.entries()) record.offset = offsets[index] ?? -1;
    },
  };
}

/** Operators' acts, done by the owner. */
export function farOperate(calls: Calls): Operate {
  return operateBy((name, args) => calls.make(name, args));
}
