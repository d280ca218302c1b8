import type { ClaimedEvent } from "../store/unit.js";
import { dayOf } from "./names.js";
import { inboxFar } from "./schema.js";

const aheadMsMax = 86_400_000;

/**
 * Where in the inbox an event belongs: the day of its own time, which is the same for all its copies. Days of what says it is
 * from the future begin at {@link inboxFar}: they share one partition, so that nobody makes the inbox grow by thousands of them.
 */
export function inboxDay({ time, appended }: Pick<ClaimedEvent, "time" | "appended">): number {
  return time > appended + aheadMsMax ? inboxFar + dayOf(time) : dayOf(time);
}
