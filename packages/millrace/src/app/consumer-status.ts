import type { Consumer } from "../consumer/consumer.js";
import type { ConsumerStatus } from "./app.js";

/** A consumer as those around the app may see it. */
export function consumerStatus(consumer: Consumer): ConsumerStatus {
  const { name, state, failure, partitions, resting, inFlight, queued, progressAt } = consumer;
  const { circuit, blocked, eventsBytes, coalesced } = consumer;
  return {
    consumer: name,
    state: state === "stopped" ? "stopped" : "running",
    ...(failure === undefined ? undefined : { failure: { code: failure.code, message: failure.message } }),
    partitions,
    resting,
    ...(circuit === undefined ? undefined : { circuit }),
    ...(blocked === undefined ? undefined : { blocked }),
    inFlight,
    queued,
    eventsBytes,
    coalesced,
    progressAt,
  };
}
