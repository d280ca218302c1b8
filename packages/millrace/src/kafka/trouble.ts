import { AuthenticationError, protocolErrors, protocolErrorsCodesById, TimeoutError } from "@platformatic/kafka";
import { Failure, isFailure } from "../failure/failure.js";

/** Errors of the protocol that are told apart here, by their codes. */
export const protocol = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopic: 3,
  messageTooLarge: 10,
  recordListTooLarge: 18,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  unknownProducer: 59,
  fetchSessionNotFound: 70,
  invalidFetchSessionEpoch: 71,
  invalidRecord: 87,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
  fetchSessionTopicId: 106,
} as const;

/** The library's errors, as far as we look at them. */
interface LibraryError extends Error {
  readonly code?: string;
  findBy?(property: string, value: unknown): unknown;
}

/** `NOT_LEADER_OR_FOLLOWER` for 6. */
export function protocolName(code: number): string {
  return protocolErrorsCodesById[code] ?? `error ${code}`;
}

/** Whether the same request may succeed later. */
export function isPassing(code: number): boolean {
  return protocolErrors[protocolErrorsCodesById[code] ?? ""]?.canRetry === true;
}

/** Whether a call that threw this may succeed later: what is not a refusal is the network's doing. */
export function isPassingError(error: unknown): boolean {
  if (isFailure(error)) return error.verdict === "retry";
  // The library says of a request without an answer that it is not to be sent again; our batches may be.
  if (isTimeout(error)) return true;
  if (isRefusal(error)) return false;
  const { findBy } = error as LibraryError;
  // A broker that starts anew may not know a topic yet, nor where its leaders are.
  if (findBy?.call(error, "hasStaleMetadata", true)) return true;
  return !findBy?.call(error, "canRetry", false);
}

/** Whether a call got an answer with this error of the protocol. */
export function hasCode(error: unknown, code: number): boolean {
  return Boolean((error as LibraryError).findBy?.("apiCode", code));
}

/** A request was not answered in time. The library's connection is of no use after that. */
export function isTimeout(error: unknown): boolean {
  return anywhere(error, (one) => one instanceof TimeoutError);
}

/** The brokers do not accept who the client says it is. */
function isRefusal(error: unknown): boolean {
  return anywhere(error, (one) => one instanceof AuthenticationError);
}

/** The library wraps what happened in what came of it. */
function anywhere(error: unknown, is: (error: unknown) => boolean): boolean {
  if (is(error)) return true;
  const { errors = [], cause } = error as Partial<AggregateError>;
  return errors.some((one) => anywhere(one, is)) || (cause instanceof Error && anywhere(cause, is));
}

/** An error of the client as a failure; what is one already stays as it is. */
export function failureOf(error: unknown, what: string): Failure {
  if (isFailure(error)) return error;
  if (isRefusal(error))
    return new Failure("OPTION_INVALID", `${what}: Kafka does not accept the client's sasl: ${sentence(error)}`, {
      cause: error,
    });
  return new Failure("STORE_UNAVAILABLE", `${what}: ${sentence(error)}`, { cause: error });
}

/** What an error says, with what lies behind it: the library's outermost messages name no reason. */
function sentence(error: unknown): string {
  const said: string[] = [];
  const walk = (at: unknown): void => {
    if (!(at instanceof Error) || said.length > 4) return;
    const { serverErrorMessage, apiId } = at as Error & { serverErrorMessage?: string; apiId?: string };
    const text = [apiId, serverErrorMessage ?? at.message].filter(Boolean).join(" ");
    if (text !== "" && !said.includes(text)) said.push(text);
    walk(at.cause);
    for (const inner of (at as AggregateError).errors ?? []) walk(inner);
  };
  walk(error);
  return said.join(": ") || String(error);
}
