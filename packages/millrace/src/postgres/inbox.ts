import type { ClaimedEvent } from "../store/unit.js";
import { dayOf } from "./names.js";
import { inboxFar } from "./schema.js";

const aheadMsMax = 86_400_000;

/**
 * The partition of the inbox that an event belongs to: the day of its own time, which is the same for all its copies. What
 * says it is from the future is kept in one partition, so that nobody makes the inbox grow by thousands of them.
 */
export function inboxDay({ time, appended }: Pick<ClaimedEvent, "time" | "appended">): number {
  return time > appended + aheadMsMax ? inboxFar : dayOf(time);
}
