import type { PositionState } from "../../store/position-state.js";
import type { Amendment, NewEntry, Operation, Position } from "../../store/unit.js";

/** A position as its locked row says. */
export interface PositionFact {
  readonly epoch: number;
  /** The generation in which it was last moved back. */
  readonly pass: number;
  /** What stands for its consumer in the inbox. */
  readonly number: number;
  readonly state: PositionState<Pick<Position, "frontier" | "finished">>;
  /** The latest log time of what was handled. */
  handled: number;
}

/** A lane entry as its row says. */
export interface EntryFact {
  readonly attempt: number;
  readonly redrives: number;
  readonly runs: boolean;
  readonly holds: boolean;
  readonly consumer: string;
  readonly lane: string;
}

/** What is stored of all that a group touches, under its locks: exact until the transaction ends. */
export class Facts {
  /** The number of the transaction: the commit's, and the version of what it writes. */
  xid = 0;
  readonly positions = new Map<number, PositionFact>();
  /** By service, then document; what is absent is not there. */
  readonly versions = new Map<string, Map<string, number>>();
  /** Who has a unique value, by service and value. */
  readonly holders = new Map<string, string>();
  readonly streams = new Map<string, number>();
  /** How many entries hold a lane. */
  readonly held = new Map<string, number>();
  readonly entries = new Map<number, EntryFact>();
  /** Events of dead letters that were amended, for other builds of their views. */
  readonly amended = new Map<NewEntry, Pick<Amendment, "id">>();
  /** Timers that are still armed, with their names. */
  readonly timers = new Map<number, string | null>();
  readonly schedules = new Map<string, number | null>();
  readonly operations = new Map<string, Operation>();
  /** By scope and key. */
  readonly idempotent = new Map<string, Operation>();
  /** What named records hold, by identity; of one that was published without a name, it is empty. */
  readonly digests = new Map<string, string>();
  /** Of a group that is sent again: those of its events that are in the outbox. */
  readonly sent = new Set<string>();
}

/** An idempotency key within its scope, as a text. */
export function idempotencyKey({ scope, key }: { readonly scope: string; readonly key: string }): string {
  return JSON.stringify([scope, key]);
}
