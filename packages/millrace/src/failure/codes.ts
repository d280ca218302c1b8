/**
 * What the runtime does next after a failure.
 *
 * `retry`: the same event again, later · `reload`: something read was stale, read and decide again ·
 * `dead-letter`: it can never succeed, move it aside · `stop`: halt this part and report.
 */
export type Verdict = "retry" | "reload" | "dead-letter" | "stop";

/** One row of the failure table: the verdict, and what the code means in one line. */
export interface FailureRow {
  readonly verdict: Verdict;
  readonly summary: string;
}

/**
 * Every way Millrace fails. Codes are public and never change their meaning; `docs/errors.md` has a section for each.
 */
export const failureCodes = {
  // Declarations, data and options.
  CONTRACT_INVALID: { verdict: "stop", summary: "A contract, topic or document type is declared wrongly." },
  CONTRACT_REJECTED: { verdict: "dead-letter", summary: "Data does not fit its contract." },
  CONTRACT_UNKNOWN: { verdict: "stop", summary: "A message was published or sent that no declaration made." },
  CONTRACT_NEWER: { verdict: "retry", summary: "An event has a newer version than this process knows; it is parked." },
  PAYLOAD_LIMIT: {
    verdict: "dead-letter",
    summary: "Data is too large, too deep, or has a forbidden key or character.",
  },
  RECORD_UNDECODABLE: { verdict: "dead-letter", summary: "The bytes of a record are not valid JSON in UTF-8." },
  OPTION_INVALID: { verdict: "stop", summary: "An option has a value that Millrace cannot use." },
  // Handlers and units of work.
  CONTEXT_CLOSED: { verdict: "stop", summary: "A handler used its context after it had returned." },
  VERSION_CONFLICT: { verdict: "reload", summary: "Something the handler read has changed since." },
  NOT_YET: { verdict: "retry", summary: "The cause of this event has not arrived yet." },
  HANDLER_TIMEOUT: { verdict: "retry", summary: "A handler took longer than its timeout." },
  PROCESS_DIED: { verdict: "dead-letter", summary: "The process died while it handled this event, and nothing else." },
  WORKER_ENDED: { verdict: "retry", summary: "An isolated handler ended the worker it ran in." },
  EVENT_REJECTED: { verdict: "dead-letter", summary: "A handler says that it can never handle this event." },
  LATE_COPY: { verdict: "dead-letter", summary: "An event reached the log so late that it may be a copy." },
  EVENT_ID_REUSED: { verdict: "stop", summary: "An event id came back with other content." },
  DECISION_INVALID: {
    verdict: "dead-letter",
    summary: "A decide, or a saga's function, returned what cannot be used.",
  },
  EVOLVE_FAILED: { verdict: "retry", summary: "An aggregate's evolve could not fold an event." },
  STREAM_CONTENDED: { verdict: "retry", summary: "An aggregate's stream changed under every decision on it." },
  UNIQUE_TAKEN: { verdict: "retry", summary: "Another document holds the value of a unique index." },
  // Documents and statements.
  DOCUMENT_NEWER: { verdict: "stop", summary: "A stored document has a newer version than this process knows." },
  DOCUMENT_REJECTED: { verdict: "dead-letter", summary: "A document does not fit its declaration." },
  INDEX_MISSING: { verdict: "stop", summary: "A query uses a field without a declared index." },
  STATEMENT_FAILED: { verdict: "dead-letter", summary: "A SQL statement of the unit of work was refused." },
  // Stores, logs and positions.
  STORE_UNAVAILABLE: { verdict: "retry", summary: "The store cannot be reached." },
  STORE_FULL: { verdict: "retry", summary: "The store has no space left." },
  LOG_UNAVAILABLE: { verdict: "retry", summary: "The log cannot be reached." },
  RISK_REFUSED: { verdict: "stop", summary: "A setting of a server would break a promise." },
  ENGINE_UNABLE: { verdict: "stop", summary: "This engine does not have the ability that was asked for." },
  PEER_MISSING: { verdict: "stop", summary: "A package that the engine needs is not installed." },
  STORE_OWNED: { verdict: "stop", summary: "Another process owns the file." },
  STORE_DAMAGED: { verdict: "stop", summary: "The file of the store is damaged." },
  STORE_FORMAT: { verdict: "stop", summary: "The file was written in a format this version does not read." },
  PARTITIONS_CHANGED: {
    verdict: "stop",
    summary: "A topic is declared with another partition count than it was created with.",
  },
  FENCED: { verdict: "stop", summary: "Another process has taken over this work." },
  TOPIC_OWNER: { verdict: "stop", summary: "Something is published to a topic that is another's to write." },
  CONSUMER_FROM: { verdict: "stop", summary: "A new consumer must say where in the topic it starts." },
  POSITION_MISSING: { verdict: "stop", summary: "The position of a registered consumer is gone." },
  CONSUMER_PAUSED: { verdict: "stop", summary: "An operator has paused this consumer, and it has events left." },
  // Callers and operators.
  NOT_FOUND: { verdict: "stop", summary: "The thing asked for does not exist." },
  CONFLICT: { verdict: "stop", summary: "The request does not fit the present state." },
  APP_STOPPED: { verdict: "stop", summary: "The app is stopping or has stopped." },
  WAIT_TIMEOUT: { verdict: "retry", summary: "What was waited for did not happen in time." },
  PROJECTION_BEHIND: { verdict: "retry", summary: "A projection has not come to the events that were waited for." },
  LANE_HELD: { verdict: "stop", summary: "A dead letter keeps a projection from the events that were waited for." },
  // HTTP and the command line.
  REQUEST_INVALID: { verdict: "stop", summary: "A request is not written as it must be." },
  METHOD_REFUSED: { verdict: "stop", summary: "A path was asked with a method that it does not take." },
  MEDIA_TYPE_REFUSED: { verdict: "stop", summary: "A request's body is not sent as JSON." },
  HOST_REFUSED: { verdict: "stop", summary: "A request names a host that this server does not answer for." },
  ORIGIN_REFUSED: { verdict: "stop", summary: "A request comes from a web page of another origin." },
  UNAUTHORISED: { verdict: "stop", summary: "A request has no token, or a wrong one." },
  IDEMPOTENCY_KEY_REUSED: { verdict: "stop", summary: "An idempotency key came back with another request." },
  COMMAND_REFUSED: { verdict: "stop", summary: "The owner of a command will not do it." },
  COMMAND_FAILED: { verdict: "stop", summary: "A command could not be handled and is a dead letter now." },
  PROCESS_MISSING: { verdict: "stop", summary: "The act needs a running process, and none answers." },
} as const satisfies Readonly<Record<string, FailureRow>>;

/** The code of a failure: a key of {@link failureCodes}. */
export type FailureCode = keyof typeof failureCodes;
