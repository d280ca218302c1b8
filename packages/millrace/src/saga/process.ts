import type { Part } from "../consumer/part.js";
import type { AnyContract, AnyEvent, DataOf, Message, MessageOf, ReceivedOf } from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import type { Duration } from "../runtime/duration.js";
import { ProcessPart } from "./process-part.js";

/** What a process asked to be told later has come. */
export interface Woken {
  readonly type: "process.woken";
  readonly data: { readonly name: string };
}

/** A command of the process was refused, is a dead letter now, or was skipped by an operator after that. */
export interface CommandAnswer {
  readonly type: "process.answered";
  readonly data: {
    readonly command: string;
    readonly outcome: "refused" | "dead" | "skipped";
    /** The refusal, or the code of the failure. */
    readonly code?: string;
    readonly detail?: string;
  };
}

/** What a process decides by. */
export type ProcessInput<Hears extends AnyEvent> = ReceivedOf<Hears> | Woken | CommandAnswer;

/**
 * What a process decides: a command to send, an event to publish, either of them later, to be woken later or not any more,
 * or that it has ended.
 */
export type ProcessOutput<M extends Message<string, unknown>> =
  | M
  | { readonly after: Duration; readonly message: M }
  | { readonly after: Duration; readonly wake: string }
  | { readonly cancel: string }
  | { readonly end: true };

/** How a process is declared. Its functions are pure. */
export interface ProcessOptions<Hears extends AnyEvent, Emits extends AnyContract, State, Key extends string> {
  /** The field that tells instances apart; every event that it hears has it. */
  readonly key: Key;
  readonly hears: readonly Hears[];
  /** The commands and events that it decides. */
  readonly emits: readonly Emits[];
  /** What an instance knows before it has heard anything: JSON. */
  readonly initialState: () => State;
  readonly decide: (input: ProcessInput<Hears>, state: State) => readonly ProcessOutput<MessageOf<Emits>>[];
  /** Called with each input that was decided by, and then with each message that was decided. */
  readonly evolve: (state: State, event: ProcessInput<Hears> | MessageOf<Emits>) => State;
  /** Of the state (default 1): grows by one when what it holds changes. */
  readonly version?: number;
  /** As of a saga: makes a state of today of an older one. Required from version 2 on. */
  readonly migrate?: (old: unknown, fromVersion: number) => State;
  /** How long instances are kept after their end (default "30d"). */
  readonly keep?: Duration | "forever";
  /** Where a new process starts in topics that hold events already. */
  readonly from?: "beginning" | "end";
}

/** An instance of a process, as stored. Times are ms since the epoch. */
export interface ProcessInstance<State> {
  readonly key: string;
  readonly status: "running" | "ended";
  readonly state: State;
  /** When it is woken, by name. */
  readonly wakes: Readonly<Record<string, number>>;
  /** What it decided by; of a long history, the middle is dropped. */
  readonly history: readonly { readonly at: number; readonly event: string; readonly type: string }[];
  /** Commands so far. */
  readonly sent: number;
  readonly started: number;
  readonly changed: number;
  readonly ended?: number;
  readonly removal?: number;
}

/** A long business process in one's own words, for what the steps of a saga cannot say. */
export interface Process<State> extends Part {
  readonly name: string;
  /** Its instances, for `app.documents`. */
  readonly documents: DocumentType<ProcessInstance<State>>;
}

/**
 * Declares a process: a decider whose outputs are commands. A saga is one whose decisions are made for it.
 *
 * An instance begins with the first event of its key that makes it decide or learn something, and hears nothing more after its end.
 *
 * @throws {Failure} OPTION_INVALID when a name or an option is wrong.
 * @example
 * ```ts
 * import { command, event, process, service, topic } from "millrace";
 * import { z } from "zod";
 *
 * const Cart = z.object({ cartId: z.string() });
 * const carts = topic("carts", { key: "cartId", events: { filled: event("cart.filled", Cart), bought: event("cart.bought", Cart) } });
 * const remind = command("remind", Cart, { key: "cartId" });
 *
 * export const abandoned = process("abandoned-carts", {
 *   key: "cartId",
 *   hears: [carts.filled, carts.bought],
 *   emits: [remind],
 *   initialState: () => ({ cartId: "" }),
 *   decide: (input, state) => {
 *     switch (input.type) {
 *       case "cart.filled":
 *         return [{ after: "1d", wake: "still there" }];
 *       case "process.woken":
 *         return [remind(state), { end: true }];
 *       default:
 *         return [{ cancel: "still there" }, { end: true }];
 *     }
 *   },
 *   evolve: (state, input) => (input.type === "cart.filled" ? input.data : state),
 * });
 * export const reminders = service("reminders").owns(carts, abandoned).handle(remind, ({ data }, ctx) => ctx.log.info(data, "still there"));
 * ```
 */
export function process<
  Hears extends AnyEvent,
  Emits extends AnyContract,
  State,
  const Key extends keyof DataOf<Hears> & string,
>(name: string, options: ProcessOptions<Hears, Emits, State, Key>): Process<State> {
  return new ProcessPart(name, options as never) as unknown as Process<State>;
}
