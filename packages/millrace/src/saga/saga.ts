import type { Part } from "../consumer/part.js";
import type { AnyEvent, DataOf, EventName, Message, meta, ReceivedOf } from "../contract/contract.js";
import type { Duration } from "../runtime/duration.js";
import { SagaBuilder } from "./declare.js";
import type { AbortReason, StepKind } from "./plan.js";

/** An event whose data has a field: the key of a saga. */
export type Keyed<Key extends string> = {
  readonly type: EventName;
  readonly [meta]: { readonly [K in Key]: unknown };
};

/** How often a step is tried. Only a failed reply, or a refusal, is followed by another try. */
export interface SagaRetry {
  /** Commands at most (default 3). */
  readonly attemptsMax?: number;
  /** The first pause (default "1s"); it doubles up to `backoffMax` (default "5m"). */
  readonly backoffFirst?: Duration;
  readonly backoffMax?: Duration;
}

/** What one step of a saga does. Its functions are pure: they are also called to see which messages they make. */
export interface StepOptions<State, Key extends string, Done extends Keyed<Key>, Failed extends Keyed<Key>> {
  /**
   * compensatable (default with `undo`): taken back when the saga aborts. pivot (default for a last step without `undo`): once it
   * has succeeded there is no way back. retriable: comes after the pivot, and is tried until it succeeds.
   */
  readonly kind?: StepKind;
  /** Whether it is needed at all; asked when its turn comes. */
  readonly when?: (state: State) => boolean;
  readonly send: (state: State) => Message<string, unknown>;
  /** The command that takes it back: of the same service and key as `send`. "nothing" when there is nothing to take back. */
  readonly undo?: ((state: State) => Message<string, unknown>) | "nothing";
  /** What the command's handler publishes when it is done. */
  readonly done: Done;
  readonly onDone?: (state: State, event: ReceivedOf<Done>) => State;
  /** What it publishes instead when it cannot be done. A handler may also refuse, as `{ refused: "WHY" }`. */
  readonly failed?: Failed | readonly Failed[];
  /** Keeps what a failed reply said, for what comes after: another try, the undoing, `aborted`. Not called for a refusal. */
  readonly onFailed?: (state: State, event: ReceivedOf<Failed>) => State;
  /** How long its answer is waited for (default: for ever). Then the saga aborts; nothing is sent again. */
  readonly timeout?: Duration;
  /** Default: a retriable step is tried 8 times, any other once. */
  readonly retry?: SagaRetry;
}

/** Where steps can be added. */
export interface Steps<State, Key extends string> {
  step<Done extends Keyed<Key>, Failed extends Keyed<Key> = never>(
    name: string,
    step: StepOptions<State, Key, Done, Failed>,
  ): this;
}

/**
 * A long business process over several services: one command after the other, each answered by an event; when one
 * fails, those before it are taken back in reverse order. Each instance is a document, each change of it a unit of work.
 */
export interface Saga<State, Key extends string> extends Part, Steps<State, Key> {
  readonly name: string;
  /** Steps that are sent together; the next step waits for all of them. */
  parallel(add: (steps: Steps<State, Key>) => unknown): this;
  /** Hearing it takes back what was done, unless the pivot has succeeded. */
  abortOn(event: Keyed<Key>): this;
  /** Published when every step is done. */
  completed(publish: (state: State) => Message<EventName, unknown>): this;
  /** Published when everything that was done is taken back. */
  aborted(publish: (state: State, why: AbortReason) => Message<EventName, unknown>): this;
}

/** How a saga is declared. */
export interface SagaOptions<E extends AnyEvent, State, Key extends string> {
  /** Each of these events starts an instance, unless there is one of its key. */
  readonly startsOn: E;
  /** The field that tells instances apart; every event that the saga hears has it. */
  readonly key: Key;
  /** What the instance knows at first: JSON. */
  readonly state: (event: ReceivedOf<E>) => State;
  /** Of the state (default 1): grows by one when what it holds changes. */
  readonly version?: number;
  /**
   * Makes a state of today of one that an older version of the program has stored, when its instance next hears something.
   * Required from version 2 on.
   */
  readonly migrate?: (old: unknown, fromVersion: number) => State;
  /** How long instances are kept after their end (default "30d"). */
  readonly keep?: Duration | "forever";
  /** Where a new saga starts in topics that hold events already. */
  readonly from?: "beginning" | "end";
}

/**
 * Declares a saga. A service owns it: `service("orders").owns(fulfilment)`.
 *
 * @throws {Failure} OPTION_INVALID when it cannot work: a name, an option, or an order of steps that could not be taken back.
 * @example
 * ```ts
 * import { command, event, saga, service, topic } from "millrace";
 * import { z } from "zod";
 *
 * const Order = z.object({ orderId: z.string(), pence: z.int() });
 * const orders = topic("orders", { key: "orderId", events: { placed: event("order.placed", Order) } });
 * const outcomes = topic("outcomes", {
 *   key: "orderId",
 *   events: { confirmed: event("outcome.confirmed", Order), failed: event("outcome.failed", Order) },
 * });
 * const payments = topic("payments", {
 *   key: "orderId",
 *   events: { taken: event("payment.taken", Order), declined: event("payment.declined", Order) },
 * });
 * const pay = command("pay", Order, { key: "orderId" });
 * const refund = command("refund", Order, { key: "orderId" });
 *
 * export const fulfilment = saga("fulfilment", { startsOn: orders.placed, key: "orderId", state: ({ data }) => data })
 *   .step("pay", { send: (s) => pay(s), done: payments.taken, failed: payments.declined, undo: (s) => refund(s), timeout: "30s" })
 *   .completed((s) => outcomes.confirmed(s))
 *   .aborted((s) => outcomes.failed(s));
 * export const orderService = service("orders").owns(fulfilment);
 * ```
 */
export function saga<E extends AnyEvent, State, const Key extends keyof DataOf<E> & string>(
  name: string,
  options: SagaOptions<E, State, Key>,
): Saga<State, Key> {
  return new SagaBuilder(name, options as never) as unknown as Saga<State, Key>;
}
