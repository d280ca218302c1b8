import type { App, ReadDocuments, SendOptions } from "../app/app.js";
import type { AnyContract, EventName, Message, ReceivedOf } from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import type { Duration } from "../runtime/duration.js";
import type { Service } from "../service/service.js";
import type { Operation } from "../store/unit.js";
import { RunningHarness, servicesOf } from "./running-harness.js";

/** How a harness runs an app. */
export interface HarnessOptions {
  /** When its clock begins (default: the first of January 2026). */
  readonly start?: Date;
  /** What chance there is comes from this number (default 1): the same number, the same run. */
  readonly seed?: number;
  /** Each run of a handler is thrown away once and made again, as when a process dies before its commit. */
  readonly duplicateEverything?: boolean;
  /** Handlers begin after waits of chance, so that events of different keys are handled in another order. */
  readonly reorderAcrossKeys?: boolean;
  /** The process dies after so many commits, before its callers and handlers hear of the last, and is started again. */
  readonly crashAfter?: number;
}

/** An event that could not be handled. */
export interface HarnessLetter {
  readonly consumer: string;
  readonly type: string;
  readonly key: string;
  readonly data: unknown;
  readonly code: string | undefined;
  readonly message: string | undefined;
}

/** A message that waits for its time. */
export interface HarnessTimer {
  readonly service: string;
  readonly name: string | undefined;
  readonly due: Date;
  readonly type: string;
  readonly key: string;
  readonly data: unknown;
}

/** An app on the real runtime, in memory and in virtual time. */
export interface Harness {
  /** The app itself: for its projections, aggregates and sagas. Another one after a crash. */
  readonly app: App;
  now(): Date;
  /** Publishes; the effects come when time passes. */
  publish(event: Message<EventName, unknown> | readonly Message<EventName, unknown>[]): Promise<void>;
  /** Sends a command, lets time pass until its owner has answered, and gives the answer. */
  send(command: Message<string, unknown>, options?: Pick<SendOptions, "actor" | "idempotency">): Promise<Operation>;
  /** Lets time pass: timers and retries that fall due happen on the way. */
  advance(duration: Duration): Promise<void>;
  /** Lets time pass until all is handled. Timers that are not due, and dead letters, are left. */
  atRest(): Promise<void>;
  /** What was published, oldest first: of one contract, or all. */
  events<C extends AnyContract>(contract: C): Promise<readonly ReceivedOf<C>[]>;
  events(): Promise<readonly ReceivedOf<AnyContract>[]>;
  documents<Doc>(type: DocumentType<Doc>, options?: { readonly service?: string }): ReadDocuments<Doc>;
  /** What waits for its time, the next first. */
  timers(): Promise<readonly HarnessTimer[]>;
  deadLetters(): Promise<readonly HarnessLetter[]>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What has services: an app, or the list that an app is made of. */
export type Harnessed = { readonly services: readonly Service[] } | App;

/**
 * Starts an app's services on the real runtime, in memory, in virtual time: nothing sleeps, and nothing is left behind.
 *
 * @throws {Failure} as `app.start` does; OPTION_INVALID when it is given neither an app nor services.
 * @example
 * ```ts
 * import { documents, event, millrace, service, topic } from "millrace";
 * import { harness } from "millrace/testing";
 * import { z } from "zod";
 *
 * const orders = topic("orders", { key: "id", events: { placed: event("order.placed", z.object({ id: z.string() })) } });
 * const seen = documents("seen", z.object({ id: z.string() }), { id: "id" });
 * const app = millrace({ services: [service("mail").on(orders.placed, ({ data }, ctx) => ctx.documents(seen).put(data))] });
 *
 * const run = await harness(app);
 * await run.publish(orders.placed({ id: "o-1" }));
 * await run.atRest();
 * console.log(await run.documents(seen).get("o-1")); // { id: "o-1" }
 * await run.stop();
 * ```
 */
export async function harness(of: Harnessed, options: HarnessOptions = {}): Promise<Harness> {
  const made = new RunningHarness(servicesOf(of), options);
  await made.open();
  return made;
}
