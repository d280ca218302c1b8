import { type DocumentType, ownDocuments } from "../contract/documents.js";
import { Failure } from "../failure/failure.js";
import { shown } from "../runtime/options.js";
import { checkedState } from "./state.js";

/** Where an instance of a saga stands. */
export type SagaStatus = "early" | "running" | "compensating" | "stuck" | "completed" | "aborted";

/**
 * Where a step stands. waiting: its turn has not come. sent: its command is out. again: it failed, and is sent again later.
 * late: its answer is not waited for any more; should it have succeeded, it is taken back. stuck: an operator is needed.
 * undoing, undo-again, undone: the same of its compensation. kept: done, and left so by an operator.
 */
export type StepStatus =
  | "waiting"
  | "sent"
  | "again"
  | "done"
  | "failed"
  | "skipped"
  | "late"
  | "stuck"
  | "undoing"
  | "undo-again"
  | "undone"
  | "kept";

/** A step of one instance, as stored. */
export interface StepState {
  readonly status: StepStatus;
  /** Commands so far, undoing ones included. */
  readonly tries: number;
  /** The number of the last command that was to do it: a reply matches on it. */
  readonly sent: number;
  /** Set from its first undoing command on. */
  readonly undo?: true;
  /** Failures since it was last begun, forward or back. */
  readonly failures: number;
  /** When its timer is due: its timeout, or its next try. */
  readonly due?: number;
  readonly why?: string;
  /** The command that is a dead letter. */
  readonly dead?: string;
  /** Its timeout is over, and it is still waited for. */
  readonly overdue?: true;
}

/** What happened to an instance, one line of its history. */
export interface Fact {
  readonly type:
    | "early"
    | "started"
    | "sent"
    | "done"
    | "failed"
    | "again"
    | "skipped"
    | "late"
    | "overdue"
    | "stuck"
    | "redriven"
    | "asked"
    | "too-late"
    | "aborting"
    | "undoing"
    | "undo-again"
    | "undone"
    | "completed"
    | "aborted"
    | "forced";
  readonly step?: string;
  readonly number?: number;
  readonly why?: string;
  readonly due?: number;
  readonly dead?: string;
  readonly actor?: string;
}

/** A fact, when it happened, and the event that made it happen. */
export interface Transition extends Fact {
  readonly at: number;
  readonly event: string;
}

/** An instance of a saga, as stored. */
export interface Instance {
  readonly key: string;
  readonly status: SagaStatus;
  readonly direction: "forward" | "back";
  readonly state: unknown;
  readonly steps: Readonly<Record<string, StepState>>;
  /** Why it takes back what it did. */
  readonly why?: string;
  /** Somebody asked it to abort while its pivot was under way: that decides. */
  readonly asked?: string;
  /** Whom its last event replies to: its first event was a reply itself. */
  readonly replyTo?: string;
  readonly history: readonly Transition[];
  /** Transitions in all; the history holds the first and the last of them. */
  readonly seen: number;
  readonly started: number;
  readonly changed: number;
  readonly end?: "completed" | "aborted";
  readonly ended?: number;
  /** When it is removed. */
  readonly removal?: number;
  /** When its one timer is due: at the first of all that it waits for, or before. */
  readonly timer?: number;
}

/** The beginning of a history that is kept whole, and how long it gets. */
const historyFirst = 20;
const historyMax = 200;

/** A history with more transitions: of a long one, the middle is dropped. */
export function remember<Kept>(history: readonly Kept[], added: readonly Kept[]): readonly Kept[] {
  const all = [...history, ...added];
  const over = all.length - historyMax;
  return over <= 0 ? all : [...all.slice(0, historyFirst), ...all.slice(historyFirst + over)];
}

/** A step that nothing has happened to. */
export const waiting: StepState = { status: "waiting", tries: 0, sent: 0, failures: 0 };

/** How a saga's or process's documents are called in the store; users' types have no blank in their names. */
function instanceTypeName(kind: "saga" | "process", name: string): string {
  return `${kind} ${name}`;
}

/** The name of the saga or process whose documents are called so; undefined for other documents. */
export function documentKind(type: string, kind: "saga" | "process"): string | undefined {
  return type.startsWith(`${kind} `) ? type.slice(kind.length + 1) : undefined;
}

/** Which version of the state a declaration knows, and how older ones become it. */
export interface StateVersion {
  readonly version?: number;
  readonly migrate?: (old: unknown, fromVersion: number) => unknown;
}

/**
 * The documents of a saga's or process's instances.
 *
 * @throws {Failure} OPTION_INVALID when states of older versions may exist, and nothing says what becomes of them.
 */
export function instanceDocuments<Doc extends { readonly key: string; readonly status: string }>(
  kind: "saga" | "process",
  name: string,
  { version = 1, migrate }: StateVersion,
): DocumentType<Doc> {
  const where = `${kind} ${name}`;
  if (!Number.isSafeInteger(version) || version < 1)
    throw new Failure("OPTION_INVALID", `${where}: version is ${shown(version)}; write a whole number from 1 on`);
  if (migrate !== undefined && typeof migrate !== "function")
    throw new Failure(
      "OPTION_INVALID",
      `${where}: migrate is ${shown(migrate)}; it is a function of an older state and its version`,
    );
  if (version > 1 && migrate === undefined)
    throw new Failure(
      "OPTION_INVALID",
      `${where}: instances with a state of an older version than ${version} may be under way; give a migrate function`,
    );
  return ownDocuments<Doc>(instanceTypeName(kind, name), {
    id: "key",
    indexes: ["status"] as never,
    indexedAsStored: true,
    version,
    ...(migrate === undefined ? {} : { migrate: (old, from) => migrated(old as Doc, from, { where, migrate }) }),
  });
}

/** What is under way goes on where it is: only its state becomes one of today. One that was not begun has none yet. */
function migrated<Doc extends { readonly key: string; readonly status: string }>(
  old: Doc,
  from: number,
  { where, migrate }: { readonly where: string; readonly migrate: NonNullable<StateVersion["migrate"]> },
): Doc {
  const { state } = old as { readonly state?: unknown };
  if (old.status === "early") return old;
  const what = `${where} ${old.key}: the state that migrate returned for one of version ${from}`;
  return { ...old, state: checkedState(migrate(state, from), what) };
}
