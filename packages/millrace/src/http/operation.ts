import type { Inspect } from "../store/inspect.js";
import type { Operation, OperationState } from "../store/unit.js";

/** How far a command and everything it caused have come. */
export interface Standing {
  /**
   * settled: committed, and no consumer has anything left to do with what followed. failed: the command, or something
   * that followed, is a dead letter.
   */
  readonly state: OperationState | "settled";
  readonly dead: readonly { readonly consumer: string; readonly event: string; readonly type: string }[];
}

/** A flow larger than this is not looked through to its end: it counts as committed. */
const eventsMax = 1_000;
/** Reads that are made before the event loop gets its turn. */
const readsInTurn = 50;

/** Looks at every event of the operation's flow and at what each consumer made of it. Timers that wait are not looked at. */
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
  return { state: pending ? "committed" : "settled", dead };
}
