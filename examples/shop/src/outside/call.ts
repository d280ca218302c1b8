import { Agent, type IncomingMessage, request } from "node:http";

/** What every call to an outside system carries. A handler's context is one. */
export interface Call {
  /** Stable over every repeat of one event: the other side does the work once, and answers repeats with the first answer. */
  readonly idempotencyKey: string;
  /** Aborted when the handler's time is up: nobody waits for an answer that nobody will use. */
  readonly signal: AbortSignal;
}

/** Connections stay open for the next call. Node's own client: the built-in fetch takes five times its processor time. */
const agent = new Agent({ keepAlive: true });

/**
 * Posts JSON and returns the answer, for 2xx and for the statuses that mean "no".
 *
 * @throws when the other side cannot be reached or is out of order. The handler does not catch it: its event is tried
 *   again later, in order, with the same idempotency key.
 */
export async function post(url: string, body: unknown, call: Call): Promise<{ status: number; body: unknown }> {
  const text = JSON.stringify(body);
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "idempotency-key": call.idempotencyKey,
  };
  const response = await new Promise<IncomingMessage>((answered, failed) => {
    request(url, { method: "POST", agent, headers, signal: call.signal }, answered).once("error", failed).end(text);
  });
  const answer = await readText(response);
  const status = response.statusCode ?? 0;
  if (status >= 500) throw new Error(`${new URL(url).pathname} answered ${status}`);
  return { status, body: JSON.parse(answer) };
}

function readText(response: IncomingMessage): Promise<string> {
  return new Promise((done, failed) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    response.once("end", () => done(text)).once("error", failed);
    response.once("aborted", () => failed(new Error("the answer was cut off")));
  });
}
