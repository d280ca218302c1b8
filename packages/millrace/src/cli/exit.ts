import type { FailureCode } from "../failure/codes.js";
import { isFailure } from "../failure/failure.js";

/** What the command line's exit status says. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unauthorised: 5,
  unreachable: 6,
  timeout: 7,
  partial: 8,
  refused: 9,
  threshold: 10,
} as const;

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byFailure: Partial<Readonly<Record<FailureCode, ExitCode>>> = {
  OPTION_INVALID: exitCodes.usage,
  REQUEST_INVALID: exitCodes.usage,
  NOT_FOUND: exitCodes.notFound,
  CONTRACT_UNKNOWN: exitCodes.notFound,
  CONFLICT: exitCodes.conflict,
  EVENT_ID_REUSED: exitCodes.conflict,
  PARTITIONS_CHANGED: exitCodes.conflict,
  STORE_FORMAT: exitCodes.conflict,
  STORE_OWNED: exitCodes.conflict,
  UNAUTHORISED: exitCodes.unauthorised,
  PROCESS_MISSING: exitCodes.unreachable,
  STORE_UNAVAILABLE: exitCodes.unreachable,
  LOG_UNAVAILABLE: exitCodes.unreachable,
  RISK_REFUSED: exitCodes.refused,
  ENGINE_UNABLE: exitCodes.refused,
  PEER_MISSING: exitCodes.usage,
  WAIT_TIMEOUT: exitCodes.timeout,
  CONTRACT_REJECTED: exitCodes.refused,
  PAYLOAD_LIMIT: exitCodes.refused,
  RECORD_UNDECODABLE: exitCodes.refused,
  COMMAND_REFUSED: exitCodes.refused,
};

/** The exit status of an error that ended a command. */
export function exitCodeOf(error: unknown): ExitCode {
  return (isFailure(error) ? byFailure[error.code] : undefined) ?? exitCodes.failure;
}
