import { decodeToken, type Token } from "../consumer/token.js";
import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { Store } from "../store/store.js";
import type { EventPlace } from "../store/unit.js";

/** How often is looked, at first and later (ms): each look is a read of a row or two. */
const lookMs = { first: 1, max: 50 };

/** Who waits, and how long. */
export interface Waiting {
  readonly store: Store;
  readonly clock: Clock;
  /** The consumer that folds the rows that answer, as of this moment. */
  consumer(): Promise<string>;
  readonly waitMs: number;
}

/**
 * Resolves when the consumer whose rows answer has handled all events of a token, wherever it runs: with its name. One that
 * takes its place from then on has handled them, too, as a swap sees to that; one that took it before is waited for.
 *
 * @throws {Failure} PROJECTION_BEHIND when the time is up; LANE_HELD when one of them is a dead letter or waits behind one;
 * OPTION_INVALID when it is no token.
 */
export async function reached(token: string, waiting: Waiting): Promise<string> {
  const { clock, store, waitMs } = waiting;
  const named = decodeToken(token);
  const until = clock.monotonic() + waitMs;
  let consumer = await waiting.consumer();
  let events: readonly EventPlace[] | undefined;
  for (let pauseMs = lookMs.first; ; pauseMs = Math.min(pauseMs * 2, lookMs.max)) {
    events ??= await eventsOf(named, store);
    if (events !== undefined) events = await left(events, { store, consumer });
    const answering = await waiting.consumer();
    if (answering === consumer && events?.length === 0) return consumer;
    if (answering !== consumer) events = undefined;
    consumer = answering;
    const leftMs = until - clock.monotonic();
    if (leftMs <= 0)
      throw new Failure("PROJECTION_BEHIND", `${consumer} has not come to the events asked for within ${waitMs} ms`, {
        details: { consumer },
      });
    await new Promise<void>((resolve) => clock.after(Math.min(pauseMs, leftMs), resolve));
  }
}

/** The events of a token; undefined while its command is not handled. */
async function eventsOf({ events, operation: id }: Token, store: Store): Promise<readonly EventPlace[] | undefined> {
  if (id === undefined) return events;
  const operation = await store.readOperation(id);
  // One that was forgotten is so old that what it published has been handled, or is dead, for long.
  if (operation === undefined) return events;
  return operation.state === "accepted" || operation.state === "failed" ? undefined : (operation.events ?? []);
}

async function left(
  events: readonly EventPlace[],
  { store, consumer }: { readonly store: Store; readonly consumer: string },
): Promise<readonly EventPlace[]> {
  for (const [at, event] of events.entries()) {
    const reach = await store.readReach(consumer, event);
    if (reach.type === "pending") return events.slice(at);
    if (reach.type === "held")
      throw new Failure(
        "LANE_HELD",
        `${consumer}: dead letter ${reach.entry} holds up ${event.type} ${event.id}; edit or skip it, and redrive: millrace dead-letters show ${reach.entry}`,
        { details: { consumer, deadLetter: reach.entry, event: event.id } },
      );
  }
  return [];
}
