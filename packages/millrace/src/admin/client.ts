import { request } from "node:http";
import { text } from "node:stream/consumers";
import { type FailureCode, failureCodes } from "../failure/codes.js";
import { Failure } from "../failure/failure.js";
import { type AdminAddress, instanceHeader } from "./address.js";
import type { Admin } from "./admin.js";
import { calls } from "./calls.js";

/** How long an answer may take. */
export interface ClientOptions {
  readonly timeoutMs: number;
}

/** Copies of large files take their time, and so does what reads the whole log. */
const longMsMax = 3_600_000;
const long: ReadonlySet<string> = new Set(["backup", "swapProjection", "verifyProjection", "compareProjections"]);

/**
 * The admin of a running process, over its address. Failures come back as they were raised there.
 *
 * @throws {Failure} PROCESS_MISSING when nobody answers, or somebody else does: the address is left from a process that
 *   was killed. WAIT_TIMEOUT when the process is there and does not answer.
 */
export function remoteAdmin(address: AdminAddress, options: ClientOptions): Admin {
  const entries = Object.keys(calls).map((name) => {
    const timeoutMs = long.has(name) ? Math.max(options.timeoutMs, longMsMax) : options.timeoutMs;
    return [name, (args: unknown = {}) => call(address, { name, args, timeoutMs })] as const;
  });
  return Object.fromEntries(entries) as unknown as Admin;
}

interface Asked {
  readonly name: string;
  readonly args: unknown;
  readonly timeoutMs: number;
}

async function call(address: AdminAddress, what: Asked): Promise<unknown> {
  const answer = await ask(address, what);
  if (answer.instance !== address.instance) throw missing("another program answers at its address");
  const value: unknown = JSON.parse(answer.text);
  if (answer.status === 200) return value;
  throw failureOf(value);
}

interface Answer {
  readonly status: number | undefined;
  readonly instance: unknown;
  readonly text: string;
}

/** Not with fetch, whose loading alone takes a quarter of the time of a command. */
function ask(address: AdminAddress, { name, args, timeoutMs }: Asked): Promise<Answer> {
  const signal = AbortSignal.timeout(timeoutMs);
  const headers = { "content-type": "application/json", authorization: `Bearer ${address.token}` };
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void =>
      reject(signal.aborted ? late(address, timeoutMs, cause) : missing("nobody answers at its address", cause));
    const asked = request(
      `${address.url}/v1/${name}`,
      { method: "POST", headers, signal, agent: false },
      (response) => {
        text(response).then(
          (received) =>
            resolve({ status: response.statusCode, instance: response.headers[instanceHeader], text: received }),
          fail,
        );
      },
    );
    asked.once("error", fail);
    asked.end(JSON.stringify(args));
  });
}

function late(address: AdminAddress, timeoutMs: number, cause: unknown): Failure {
  const seconds = timeoutMs / 1_000;
  return new Failure(
    "WAIT_TIMEOUT",
    `process ${address.pid} did not answer within ${seconds} s; it may be stopped or very busy`,
    { cause },
  );
}

function missing(why: string, cause?: unknown): Failure {
  return new Failure(
    "PROCESS_MISSING",
    `the process that wrote admin.json is gone: ${why}; start it again: millrace start`,
    { cause },
  );
}

/** Problem details as the failure that they were made from. */
function failureOf(answer: unknown): Failure {
  const { code, detail, type: _, title: __, status: ___, instance, ...details } = answer as Record<string, unknown>;
  if (typeof code === "string" && Object.hasOwn(failureCodes, code)) {
    return new Failure(code as FailureCode, String(detail), { details });
  }
  return new Failure("CONFLICT", `the process failed inside; its log has the reason under ${String(instance)}`);
}
