import type { ClaimedEvent } from "../store/unit.js";
import { dayOf } from "./names.js";

const aheadMsMax = 86_400_000;

/** The day in the inbox that an event belongs to: that of its own time, which is the same for all its copies. */
export function inboxDay({ time }: Pick<ClaimedEvent, "time">): number {
  return dayOf(time);
}

/**
 * Whether a commit makes the partition of an event's day. Not for what says it is from the future: nobody makes the inbox grow
 * by thousands of them. Its row waits in the partition of the rest until its day has come.
 */
export function makesInboxDay({ time, appended }: Pick<ClaimedEvent, "time" | "appended">): boolean {
  return time <= appended + aheadMsMax;
}
