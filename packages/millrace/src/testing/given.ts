import type { Aggregate } from "../aggregate/aggregate.js";
import type { Refusal } from "../consumer/handler.js";
import { partDeclaration } from "../consumer/part.js";
import type { EventName, Message } from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import type { Projection } from "../projection/projection.js";
import { SagaBuilder, sagaDeclaration } from "../saga/declare.js";
import type { SagaStatus } from "../saga/instance.js";
import type { Process } from "../saga/process.js";
import { ProcessPart } from "../saga/process-part.js";
import type { Saga } from "../saga/saga.js";
import { serviceDeclaration } from "../service/declare.js";
import type { Service } from "../service/service.js";
import { AggregateScene } from "./given-aggregate.js";
import { type GivenDocument, type GivenService, ServiceScene } from "./given-handler.js";
import { type GivenProjection, ProjectionScene } from "./given-projection.js";
import { type GivenSaga, type Happening, type SagaOutcome, SagaScene } from "./given-saga.js";

/** What a message says beside its data, where somebody looks at it. */
export interface GivenEnvelope {
  /** By default the beginning of the year 2000. */
  readonly time?: Date;
  readonly actor?: string;
}

/** An aggregate after some events, about to be asked something. */
export interface GivenAggregate<State, Command extends string> {
  /** What the events come to. */
  readonly state: State;
  when(command: Message<Command, unknown>, envelope?: GivenEnvelope): AskedAggregate<State>;
}

/** What an aggregate has decided. */
export interface AskedAggregate<State> {
  /**
   * Checks it: the events, all of them and in order, or the refusal, whose detail counts if it is given. There is
   * nothing to await.
   *
   * @throws {Error} that shows the difference, for any test runner.
   */
  then(expected: readonly Message<EventName, unknown>[] | Refusal): DecidedAggregate<State>;
}

/** What the decision led to. */
export interface DecidedAggregate<State> {
  readonly state: State;
  /** The events that it derives for the world. */
  readonly derived: readonly Message<string, unknown>[];
}

/**
 * Tests a pattern without an engine and without a clock: given what happened, when this is asked, then that.
 *
 * Also finds what would only show later: an answer that is not the same when asked again, a state that is changed in
 * place, events that do not fit their contract, a state that a snapshot could not hold.
 *
 * @throws {Error} when an event is not one of the aggregate's, or they are not all of one key.
 * @example
 * ```ts
 * import { aggregate, command, event, topic } from "millrace";
 * import { given } from "millrace/testing";
 * import { z } from "zod";
 *
 * const Lamp = z.object({ lamp: z.string() });
 * const lamps = topic("lamps", { key: "lamp", events: { lit: event("lamp.lit", Lamp), broken: event("lamp.broken", Lamp) } });
 * const light = command("light", Lamp, { key: "lamp" });
 * const lamp = aggregate(lamps, {
 *   commands: [light],
 *   initialState: () => ({ broken: false }),
 *   decide: ({ data }, { broken }) => (broken ? { refused: "BROKEN" } : [lamps.lit(data)]),
 *   evolve: (state, { type }) => (type === "lamp.broken" ? { broken: true } : state),
 * });
 *
 * given(lamp, []).when(light({ lamp: "l-1" })).then([lamps.lit({ lamp: "l-1" })]);
 * given(lamp, [lamps.broken({ lamp: "l-1" })]).when(light({ lamp: "l-1" })).then({ refused: "BROKEN" });
 * ```
 */
export function given<State, Command extends string>(
  pattern: Aggregate<State, Command>,
  events: readonly Message<EventName, unknown>[],
): GivenAggregate<State, Command>;
/**
 * The rows that a projection makes of events, in their order.
 *
 * Each fold is made twice and may not change the row before it.
 *
 * @throws {Error} when it does not fold one of the events, or a fold is not pure; {Failure} DOCUMENT_REJECTED when a row
 * does not fit its schema or is a promise.
 * @example
 * ```ts
 * import { event, projection, topic } from "millrace";
 * import { given } from "millrace/testing";
 * import { z } from "zod";
 *
 * const Visit = z.object({ page: z.string() });
 * const visits = topic("visits", { key: "page", events: { made: event("visit.made", Visit) } });
 * const counts = projection("visit-counts", { version: 1, row: z.object({ visits: z.int() }) })
 *   .on(visits.made, (row) => ({ visits: (row?.visits ?? 0) + 1 }));
 *
 * given(counts, [visits.made({ page: "home" }), visits.made({ page: "home" })]).then({ home: { visits: 2 } });
 * ```
 */
export function given<Row>(
  pattern: Projection<Row>,
  events: readonly Message<EventName, unknown>[],
): GivenProjection<Row>;
/**
 * What a saga does next. An event that answers a step replies to the command which that step has sent last.
 *
 * @example
 * ```ts
 * import { command, event, saga, topic } from "millrace";
 * import { given } from "millrace/testing";
 * import { z } from "zod";
 *
 * const Order = z.object({ orderId: z.string() });
 * const orders = topic("orders", { key: "orderId", events: { placed: event("order.placed", Order), paid: event("order.paid", Order) } });
 * const payments = topic("payments", { key: "orderId", events: { taken: event("payment.taken", Order) } });
 * const pay = command("pay", Order, { key: "orderId" });
 * const paying = saga("paying", { startsOn: orders.placed, key: "orderId", state: ({ data }) => data })
 *   .step("pay", { send: (s) => pay(s), done: payments.taken })
 *   .completed((s) => orders.paid(s));
 *
 * const order = { orderId: "o-1" };
 * await given(paying, []).when(orders.placed(order)).then([pay(order)]);
 * await given(paying, [orders.placed(order)]).when(payments.taken(order)).then([orders.paid(order)]);
 * await given(paying, [orders.placed(order)]).when({ command: "pay", outcome: "refused", code: "BROKE" }).then([]);
 * ```
 */
export function given<State, Key extends string>(
  pattern: Saga<State, Key>,
  happened: readonly Happening[],
): GivenSaga<SagaOutcome<State, SagaStatus>>;
/**
 * What a process decides next.
 *
 * @example
 * ```ts
 * import { command, event, process, topic } from "millrace";
 * import { given } from "millrace/testing";
 * import { z } from "zod";
 *
 * const Cart = z.object({ cartId: z.string() });
 * const carts = topic("carts", { key: "cartId", events: { filled: event("cart.filled", Cart) } });
 * const remind = command("remind", Cart, { key: "cartId" });
 * const left = process("left-carts", {
 *   key: "cartId",
 *   hears: [carts.filled],
 *   emits: [remind],
 *   initialState: () => ({ cartId: "" }),
 *   decide: (input, state) => (input.type === "cart.filled" ? [{ after: "1d", wake: "still there" }] : [remind(state), { end: true }]),
 *   evolve: (state, input) => (input.type === "cart.filled" ? input.data : state),
 * });
 *
 * const filled = carts.filled({ cartId: "c-1" });
 * await given(left, []).when(filled).then([{ after: "1d", wake: "still there" }]);
 * await given(left, [filled]).when({ elapsed: "1d" }).then([remind({ cartId: "c-1" })]);
 * ```
 */
export function given<State>(
  pattern: Process<State>,
  happened: readonly Happening[],
): GivenSaga<SagaOutcome<State, "running" | "ended">>;
/**
 * What a service's handlers do, with these documents of the service there before.
 *
 * @throws {Failure} DOCUMENT_REJECTED when a document does not fit.
 * @example
 * ```ts
 * import { command, documents, event, service, topic } from "millrace";
 * import { given } from "millrace/testing";
 * import { deepEqual } from "node:assert/strict";
 * import { z } from "zod";
 *
 * const Seat = z.object({ seat: z.string() });
 * const seats = topic("seats", { key: "seat", events: { taken: event("seat.taken", Seat) } });
 * const take = command("take-seat", Seat, { key: "seat" });
 * const taken = documents("taken-seats", Seat, { id: "seat" });
 * const hall = service("hall").handle(take, { emits: [seats.taken] }, async ({ data }, ctx) => {
 *   if ((await ctx.documents(taken).get(data.seat)) !== undefined) return { refused: "TAKEN" };
 *   ctx.documents(taken).put(data);
 *   ctx.publish(seats.taken(data));
 * });
 *
 * const a1 = { seat: "A1" };
 * const after = await given(hall).when(take(a1)).then([seats.taken(a1)]);
 * deepEqual(after.documents(taken).get("A1"), a1);
 * await given(hall, [[taken, a1]]).when(take(a1)).then({ refused: "TAKEN" });
 * ```
 */
export function given<const Docs extends readonly unknown[] = []>(
  service: Service,
  documents?: { readonly [At in keyof Docs]: readonly [type: DocumentType<Docs[At]>, document: NoInfer<Docs[At]>] },
): GivenService;
export function given(pattern: object, before: readonly unknown[] = []): unknown {
  if (typeof pattern !== "object" || pattern === null) throw notPattern();
  const part = partDeclaration(pattern);
  if (part === undefined) {
    if (!isService(pattern)) throw notPattern();
    return new ServiceScene(pattern, before as readonly GivenDocument[]);
  }
  if (pattern instanceof SagaBuilder) {
    const { plan, documents } = sagaDeclaration(pattern);
    return new SagaScene({ part, plan, documents }, before as readonly Happening[]);
  }
  if (pattern instanceof ProcessPart)
    return new SagaScene({ part, plan: undefined, documents: pattern.documents }, before as readonly Happening[]);
  const events = before as readonly Message<EventName, unknown>[];
  return part.consumers.some(({ view }) => view !== undefined)
    ? new ProjectionScene(part, events)
    : new AggregateScene(pattern as Aggregate<unknown, string>, events);
}

function notPattern(): Error {
  return new Error("given(…) takes what aggregate(), projection(), saga(), process() or service() made, uncopied");
}

function isService(pattern: object): pattern is Service {
  try {
    serviceDeclaration(pattern as Service);
    return true;
  } catch {
    return false;
  }
}
