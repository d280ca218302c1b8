import type { Consumer } from "../consumer/consumer.js";
import type { ConsumerStatus } from "./app.js";

/** A consumer as those around the app may see it. */
export function consumerStatus(consumer: Consumer): ConsumerStatus {
  const { name, state, failure, partitions, inFlight, queued, eventsBytes, coalesced, progressAt } = consumer;
  return {
    consumer: name,
    state: state === "stopped" ? "stopped" : "running",
    ...(failure === undefined ? undefined : { failure: { code: failure.code, message: failure.message } }),
    partitions,
    inFlight,
    queued,
    eventsBytes,
    coalesced,
    progressAt,
  };
}
