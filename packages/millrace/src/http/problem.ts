import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type FailureCode, failureCodes } from "../failure/codes.js";
import { type Failure, isFailure } from "../failure/failure.js";
import type { Logger } from "../runtime/logger.js";

/** Problem details as in RFC 9457, with the code of `docs/errors.md`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Absent when the failure is not one of ours. */
  readonly code?: FailureCode;
  /** This occurrence: an operation's path, or the id under which the server logged it. */
  readonly instance: string;
}

/** What callers can cause or mend. Codes that are not here are faults inside the server: 500, and their text stays inside. */
const statuses: Partial<Readonly<Record<FailureCode, ContentfulStatusCode>>> = {
  REQUEST_INVALID: 400,
  RECORD_UNDECODABLE: 400,
  OPTION_INVALID: 400,
  UNAUTHORISED: 401,
  ORIGIN_REFUSED: 403,
  NOT_FOUND: 404,
  CONTRACT_UNKNOWN: 404,
  METHOD_REFUSED: 405,
  CONFLICT: 409,
  COMMAND_REFUSED: 409,
  EVENT_ID_REUSED: 409,
  UNIQUE_TAKEN: 409,
  LANE_HELD: 409,
  MEDIA_TYPE_REFUSED: 415,
  HOST_REFUSED: 421,
  CONTRACT_REJECTED: 422,
  PAYLOAD_LIMIT: 422,
  IDEMPOTENCY_KEY_REUSED: 422,
  COMMAND_FAILED: 500,
  STORE_UNAVAILABLE: 503,
  LOG_UNAVAILABLE: 503,
  STORE_FULL: 503,
  APP_STOPPED: 503,
  PROJECTION_BEHIND: 503,
  WAIT_TIMEOUT: 504,
};

const retryAfterSeconds = 1;

/** The HTTP status of a failure. A payload over the size limit has `bytesMax` among its details. */
function statusOf(failure: Failure): ContentfulStatusCode {
  if (failure.code === "PAYLOAD_LIMIT" && "bytesMax" in failure.details) return 413;
  return statuses[failure.code] ?? 500;
}

/** Facts of a failure's details that a caller may see and needs. */
const shownDetails = ["path", "operation", "refused", "correlationId", "deadLetter"] as const;

/** The problem details of any error. Its stack, its cause and the text of what is not the caller's concern stay inside. */
function problemOf(error: unknown, instance: string = `urn:uuid:${randomUUID()}`): Problem {
  if (!isFailure(error) || (statuses[error.code] === undefined && statusOf(error) === 500)) {
    return {
      type: "about:blank",
      title: "Internal Server Error",
      status: 500,
      detail: "Something failed inside the server; its log has the reason under this instance.",
      ...(isFailure(error) ? { code: error.code } : {}),
      instance,
    };
  }
  const shown: Record<string, unknown> = {};
  for (const name of shownDetails) if (error.details[name] !== undefined) shown[name] = error.details[name];
  return {
    type: `urn:millrace:errors#${error.code.toLowerCase()}`,
    title: failureCodes[error.code].summary,
    status: statusOf(error),
    detail: error.message,
    code: error.code,
    instance,
    ...shown,
  };
}

/** Answers with problem details, and logs what the caller cannot mend. */
export function answerProblem(c: Context, error: unknown, logger: Logger, instance?: string): Response {
  const problem = problemOf(error, instance);
  const line = { err: error, instance: problem.instance, path: c.req.path };
  if (problem.status === 500) logger.error(line, "a request failed");
  else if (problem.status > 500) logger.warn(line, "a request could not be served now");
  const headers: Record<string, string> = { "content-type": "application/problem+json", "cache-control": "no-store" };
  if (problem.status === 503) headers["retry-after"] = String(retryAfterSeconds);
  if (problem.status === 401) headers["www-authenticate"] = "Bearer";
  if (isFailure(error, "METHOD_REFUSED")) headers.allow = (error.details.allowed as readonly string[]).join(", ");
  // What is left of a refused body is not read: the connection cannot be used again.
  if (problem.status === 413) headers.connection = "close";
  return c.body(JSON.stringify(problem), problem.status as ContentfulStatusCode, headers);
}
