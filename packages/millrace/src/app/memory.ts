import { EventMemory } from "../consumer/memory.js";
import { Failure } from "../failure/failure.js";
import { checkOptions } from "../runtime/options.js";

/** Bounds of what an app keeps in memory. */
export interface MemoryOptions {
  /**
   * Bytes of events that were fetched and are not finished, of all consumers together (default 64 MiB). Half of it is
   * guaranteed to the consumers in equal parts, the rest goes to whoever needs it; a consumer that has used up what it may
   * have fetches again when its events are finished, and the others go on. An event counts as long as its text in the
   * log; a consumer may go over by one block of the log, which is what one commit appended.
   */
  readonly eventsBytesMax?: number;
}

/**
 * The memory for fetched, unfinished events, over all consumers.
 *
 * @throws {Failure} OPTION_INVALID when it is not a number of bytes.
 */
export function eventMemory(options: MemoryOptions | undefined, consumers: number): EventMemory {
  if (options !== undefined) checkOptions(options, { eventsBytesMax: true }, { where: "memory" });
  const bytes = options?.eventsBytesMax ?? 64 * 1024 * 1024;
  if (Number.isSafeInteger(bytes) && bytes > 0) return new EventMemory(bytes, consumers);
  throw new Failure(
    "OPTION_INVALID",
    `memory.eventsBytesMax takes a whole number of bytes from 1 on, not ${String(bytes)}; leave it out for 64 MiB`,
    { details: { option: "memory.eventsBytesMax" } },
  );
}
