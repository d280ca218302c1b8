import type { NewRecord } from "../log/log.js";
import { murmur2 } from "../log/murmur2.js";
import type { Clock } from "../runtime/clock.js";
import { decodeOperation, encodeTimer, type OperationRow } from "../store/rows.js";
import type { NewTimer } from "../store/timer.js";
import type { AuditNote, Claim, EventPlace, Operation, OperationResult, Outcome } from "../store/unit.js";
import { audit } from "./audit.js";
import type { LaneTables } from "./lane-tables.js";
import type { PositionTables } from "./position-tables.js";
import type { Database, Statement } from "./sqlite.js";

const already: Outcome = { type: "already" };
const fenced: Outcome = { type: "fenced" };
const held: Outcome = { type: "held" };

type DueRow = { readonly due: number } | undefined;

/** A process whose clock is ahead of the owner's may think that it is time. */
function early(row: DueRow, clock: Pick<Clock, "now">): Outcome | undefined {
  if (row === undefined) return already;
  return row.due > clock.now() ? held : undefined;
}

/** Takes claims, and keeps the rows that only claims touch: timers, schedules, operations. */
export class Claims {
  readonly #database: Database;
  readonly #positions: PositionTables;
  readonly #lanes: LaneTables;
  readonly #timer: Statement;
  readonly #disarm: Statement;
  readonly #arm: Statement;
  readonly #cancel: Statement;
  readonly #tick: Statement;
  readonly #advance: Statement;
  readonly #known: Statement;
  readonly #operation: Statement;
  readonly #insert: Statement;
  readonly #finish: Statement;
  readonly #events: Statement;

  constructor(database: Database, positions: PositionTables, lanes: LaneTables) {
    this.#database = database;
    this.#positions = positions;
    this.#lanes = lanes;
    this.#timer = database.prepare("SELECT due FROM mr_timers WHERE timer = ?");
    this.#disarm = database.prepare("DELETE FROM mr_timers WHERE timer = ?");
    this.#arm = database.prepare(
      `INSERT OR REPLACE INTO mr_timers(service, name, due, record, consumer, topic, partition, offset)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#cancel = database.prepare("DELETE FROM mr_timers WHERE service = ? AND name = ?");
    this.#tick = database.prepare(
      "SELECT next AS due FROM mr_schedules WHERE service = ? AND schedule = ? AND next = ?",
    );
    this.#advance = database.prepare("UPDATE mr_schedules SET next = ? WHERE service = ? AND schedule = ?");
    this.#known = database.prepare("SELECT * FROM mr_operations WHERE scope = ? AND idempotency = ?");
    this.#operation = database.prepare("SELECT * FROM mr_operations WHERE operation = ?");
    this.#insert = database.prepare(
      `INSERT INTO mr_operations(operation, scope, idempotency, fingerprint, command, key, correlation, state, created)
       VALUES (?, ?, ?, ?, ?, ?, ?, 'accepted', ?)`,
    );
    this.#finish = database.prepare(
      "UPDATE mr_operations SET state = ?, refused = ?, detail = ?, finished = ? WHERE operation = ? AND state IN ('accepted', 'failed')",
    );
    this.#events = database.prepare("UPDATE mr_operations SET events = ? WHERE operation = ?");
  }

  /** Why the claim cannot be taken; undefined when it can. */
  taken(claim: Claim, clock: Pick<Clock, "now">): Outcome | undefined {
    switch (claim.type) {
      case "record": {
        const state = this.#positions.leased(claim.position);
        if (state === undefined) return fenced;
        return state.has(claim.offset) ? already : undefined;
      }
      case "records":
        return this.#takenRecords(claim);
      case "lane-entry":
        if (this.#positions.leased(claim.position) === undefined) return fenced;
        return this.#lanes.isAt(claim.entry, claim) ? undefined : already;
      case "timer":
        return early(this.#timer.get(claim.timer) as DueRow, clock);
      case "tick":
        return early(this.#tick.get(claim.service, claim.schedule, claim.tick) as DueRow, clock);
      case "operation": {
        const { idempotency, id } = claim.operation;
        const known = idempotency && this.#known.get(idempotency.scope, idempotency.key);
        const row = known ?? this.#operation.get(id);
        return row === undefined ? undefined : { type: "already", operation: decodeOperation(row as OperationRow) };
      }
      case "publish":
        return undefined;
    }
  }

  #takenRecords({ parts, lanes }: Extract<Claim, { type: "records" }>): Outcome | undefined {
    let taken = 0;
    let wanted = 0;
    for (const { position, ranges } of parts) {
      const state = this.#positions.leased(position);
      if (state === undefined) return fenced;
      wanted += ranges.length;
      for (const [, end] of ranges) if (state.has(end - 1)) taken += 1;
    }
    if (taken > 0) return taken === wanted ? already : held;
    const consumer = parts[0]?.position.consumer ?? "";
    return lanes.some((lane) => this.#lanes.isHeld(consumer, lane)) ? held : undefined;
  }

  take(claim: Claim, now: number): void {
    switch (claim.type) {
      case "record": {
        const state = this.#positions.leased(claim.position);
        if (state === undefined) return;
        if (claim.covers !== undefined)
          for (const [start, end] of claim.covers) this.#positions.finish(state, start, end);
        this.#positions.finish(state, claim.start, claim.offset + 1);
        return;
      }
      case "records":
        for (const { position, ranges } of claim.parts) {
          const state = this.#positions.leased(position);
          if (state !== undefined) for (const [start, end] of ranges) this.#positions.finish(state, start, end);
        }
        return;
      case "timer":
        this.#disarm.run(claim.timer);
        return;
      case "tick":
        this.#advance.run(claim.next ?? null, claim.service, claim.schedule);
        return;
      case "operation": {
        const { id, idempotency, fingerprint = null, command, key, correlationId } = claim.operation;
        const { scope = null, key: idempotencyKey = null } = idempotency ?? {};
        this.#insert.run(id, scope, idempotencyKey, fingerprint, command, key, correlationId, now);
      }
    }
  }

  note({ act, target, ...by }: AuditNote, at: number): void {
    audit(this.#database, act, target, { ...by, at });
  }

  arm({ service, name, due, record, armed }: NewTimer): void {
    const by =
      armed === undefined
        ? ([null, null, null, null] as const)
        : ([armed.consumer, armed.topic, armed.partition, armed.offset] as const);
    this.#arm.run(service, name ?? null, due, encodeTimer(record), ...by);
  }

  cancel(service: string, name: string): void {
    this.#cancel.run(service, name);
  }

  /** Stores a command's outcome with its operation. False when nobody asked for one. */
  finish(result: OperationResult, now: number): boolean {
    const { operation, state, refused = null, detail = null } = result;
    return Number(this.#finish.run(state, refused, detail, now, operation).changes) === 1;
  }

  /** Keeps with a finished operation what its unit has published: whoever waits for that asks for it. */
  published(operation: string, records: readonly NewRecord[]): void {
    const places = records.map(({ topic, partition, offset, type, key, source, id }) => {
      return { topic, partition, offset, type, keyHash: murmur2(key), source, id } satisfies EventPlace;
    });
    this.#events.run(JSON.stringify(places), operation);
  }

  operation(id: string): Operation | undefined {
    const row = this.#operation.get(id) as OperationRow | undefined;
    return row === undefined ? undefined : decodeOperation(row);
  }
}
