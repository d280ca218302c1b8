import type { NewRecord } from "../../log/log.js";
import type { Snapshot, StreamName } from "../../store/stream.js";
import type { NewTimer } from "../../store/timer.js";
import type {
  AuditNote,
  DocumentWrite,
  EntryChange,
  NewEntry,
  NewOperation,
  OperationResult,
  SqlStatement,
} from "../../store/unit.js";
import type { PositionFact } from "./facts.js";

/** A row of mr_inbox. */
export interface InboxRow {
  readonly day: number;
  readonly number: number;
  readonly generation: number;
  readonly source: string;
  readonly id: string;
}

/** A new entry, and the unit that asked for it: its outcome tells the entry's number. */
export interface StagedEntry {
  readonly unit: number;
  readonly entry: NewEntry;
  /** Its lane had become free: it is the head, and runs at once. */
  readonly freed: boolean;
}

/** What the units of a group that passed the checks change, in group order. Nothing here is undone: a group that runs again begins anew. */
export class Staged {
  readonly positions = new Map<number, PositionFact>();
  readonly inbox = new Map<string, InboxRow>();
  readonly records: NewRecord[] = [];
  /** By identity. */
  readonly named = new Map<string, { readonly record: NewRecord; readonly digest: string }>();
  /** By service. */
  readonly documents = new Map<string, DocumentWrite[]>();
  readonly streams = new Map<string, StreamName & { version: number; readonly before: number }>();
  readonly streamEvents: { readonly record: NewRecord; readonly sequence: number }[] = [];
  readonly snapshots = new Map<string, Snapshot>();
  readonly statements: { readonly unit: number; readonly statement: SqlStatement }[] = [];
  /** Names that are armed or cancelled, by service: what has them now goes. */
  readonly timerNames = new Map<string, Set<string>>();
  /** What is armed in the end, by service, in order; of one name, the last. */
  readonly timers = new Map<string, NewTimer[]>();
  readonly fired = new Set<number>();
  readonly ticks = new Map<string, number | null>();
  readonly operations: NewOperation[] = [];
  readonly results: { readonly result: OperationResult; readonly records: readonly NewRecord[] }[] = [];
  readonly changes = new Map<number, EntryChange | undefined>();
  readonly entries: StagedEntry[] = [];
  /** Lanes whose entries change. */
  readonly lanes = new Map<string, { readonly consumer: string; readonly lane: string }>();
  /** Those among them whose head may be another now. */
  readonly freed = new Map<string, { readonly consumer: string; readonly lane: string }>();
  readonly audit: AuditNote[] = [];
  /** The services whose timers change. */
  timersChanged = false;
}
