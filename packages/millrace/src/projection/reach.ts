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
  /** The consumer that folds the rows. */
  readonly consumer: string;
  readonly waitMs: number;
}

/**
 * Resolves when a consumer has handled all events of a token, wherever it runs.
 *
 * @throws {Failure} PROJECTION_BEHIND when the time is up; LANE_HELD when one of them is a dead letter or waits behind one;
 * OPTION_INVALID when it is no token.
 */
export async function reached(token: string, waiting: Waiting): Promise<void> {
  const { clock, consumer, waitMs } = waiting;
  const named = decodeToken(token);
  const until = clock.monotonic() + waitMs;
  let events: readonly EventPlace[] | undefined;
  for (let pauseMs = lookMs.first; ; pauseMs = Math.min(pauseMs * 2, lookMs.max)) {
    events ??= await eventsOf(named, waiting.store);
    if (events !== undefined) events = await left(events, waiting);
    if (events?.length === 0) return;
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

async function left(events: readonly EventPlace[], { store, consumer }: Waiting): Promise<readonly EventPlace[]> {
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
