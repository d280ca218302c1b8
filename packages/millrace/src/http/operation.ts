import type { Inspect } from "../store/inspect.js";
import type { Operation, OperationState } from "../store/unit.js";

/** How far a command and everything it caused have come. */
export interface Standing {
  /**
   * settled: committed, no consumer has anything left to do with what followed, and no timer of it waits. failed: the command, or something
   * that followed, is a dead letter.
   */
  readonly state: OperationState | "settled";
  readonly dead: readonly { readonly consumer: string; readonly event: string; readonly type: string }[];
}

/** A flow larger than this is not looked through to its end: it counts as committed. */
const eventsMax = 1_000;
/** Reads that are made before the event loop gets its turn. */
const readsInTurn = 50;

/** Looks at every event of the operation's flow, at what each consumer made of it, and at the timers that wait. */
export async function standingOf(inspect: Inspect, operation: Operation): Promise<Standing> {
  if (operation.state !== "committed") return { state: operation.state, dead: [] };
  const events = await inspect.correlation(operation.correlationId, eventsMax);
  const dead: { consumer: string; event: string; type: string }[] = [];
  let pending = events.length >= eventsMax;
  for (const [index, event] of events.entries()) {
    for (const delivery of await inspect.deliveries(event)) {
      if (delivery.state === "dead") dead.push({ consumer: delivery.consumer, event: event.id, type: event.type });
      else if (delivery.state !== "applied" && delivery.state !== "skipped") pending = true;
    }
    if (index % readsInTurn === readsInTurn - 1) await new Promise<void>((turn) => setImmediate(turn));
  }
  if (dead.length > 0) return { state: "failed", dead };
  if (pending || (await goesOn(inspect, operation, events.length))) return { state: "committed", dead };
  return { state: "settled", dead };
}

/** Whether a timer waits, or the flow has grown while it was looked at: by a timer that has just fired, for instance. */
async function goesOn(inspect: Inspect, { correlationId }: Operation, seen: number): Promise<boolean> {
  if ((await inspect.timers(correlationId, 1)).length > 0) return true;
  return (await inspect.correlation(correlationId, eventsMax)).length !== seen;
}
