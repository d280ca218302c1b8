import { Failure, isFailure } from "../failure/failure.js";

/**
 * Makes what a handler computed wrongly the fault of its event. Outside handlers a wrong argument is the caller's
 * (OPTION_INVALID); inside it came from the data of one event, which must not halt the whole consumer.
 *
 * @throws {Failure} EVENT_REJECTED in place of OPTION_INVALID.
 */
export function blameEvent<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (!isFailure(error, "OPTION_INVALID")) throw error;
    throw new Failure("EVENT_REJECTED", error.message, { cause: error, details: error.details });
  }
}
