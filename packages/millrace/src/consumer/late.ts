import { Failure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { Inbox } from "../store/store.js";

const dayMs = 86_400_000;

/** Whether an event came so long after its own time that a store does not know any more whether it was handled before. */
export function isLate({ time, appended }: Pick<LogRecord, "time" | "appended">, inbox: Inbox | undefined): boolean {
  return inbox !== undefined && appended - time > inbox.windowMs;
}

/** Why such an event is not handled before an operator has said so. */
export function lateCopy({ type, id, time, appended }: LogRecord, { windowMs }: Inbox): Failure {
  const days = (ms: number) => Math.round((ms / dayMs) * 10) / 10;
  return new Failure(
    "LATE_COPY",
    `${type} ${id} reached the log ${days(appended - time)} days after its own time, and copies are told for ${days(windowMs)}: ` +
      "it may have been handled before. Skip it if it was, redrive it if not",
    { details: { time: new Date(time).toISOString(), appended: new Date(appended).toISOString() } },
  );
}
