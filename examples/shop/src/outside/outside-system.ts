import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How an outside system behaves. Shares are from 0 to 1. */
export interface Behaviour {
  /** How long an answer takes. */
  readonly latencyMs: number;
  /** Share of calls that fail with 503 and nothing done. */
  readonly failing: number;
  /** Share of calls whose work is done and whose answer is lost: the worst kind of failure, and the reason for idempotency keys. */
  readonly losingAnswers: number;
}

/** An outside system, running. */
export interface OutsideSystem {
  readonly url: string;
  behaviour(): Behaviour;
  behave(change: Partial<Behaviour>): void;
  stop(): Promise<void>;
}

/** What an outside system does with the body of a POST. Called once for each idempotency key. */
type Work = (path: string, body: unknown) => { readonly status: number; readonly body: unknown };

const calm: Behaviour = { latencyMs: 0, failing: 0, losingAnswers: 0 };
/** Answers remembered for repeats; the oldest are forgotten. */
const answersMax = 200_000;

/**
 * Starts a small HTTP server on a loopback port that stands for somebody else's system.
 *
 * `POST /anything` with an `Idempotency-Key` does the work; `PUT /behaviour` with some of {@link Behaviour} as JSON
 * changes how it behaves; `GET /state` shows what it has done.
 */
export async function startOutsideSystem(options: {
  readonly work: Work;
  readonly state: () => unknown;
  readonly behaviour?: Partial<Behaviour>;
  readonly port?: number;
}): Promise<OutsideSystem> {
  let behaviour: Behaviour = { ...calm, ...options.behaviour };
  const answers = new Map<string, ReturnType<Work>>();
  const behave = (change: Partial<Behaviour>) => {
    behaviour = { ...behaviour, ...change };
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "/";
    if (request.method === "GET") return reply(response, 200, options.state());
    const body = await readJson(request);
    if (request.method === "PUT") {
      behave(body as Partial<Behaviour>);
      return reply(response, 200, behaviour);
    }
    if (behaviour.latencyMs > 0) await new Promise((done) => setTimeout(done, behaviour.latencyMs));
    if (Math.random() < behaviour.failing) return reply(response, 503, { error: "out of order" });
    const key = String(request.headers["idempotency-key"] ?? "");
    const known = answers.get(key);
    const result = known ?? options.work(path, body);
    if (known === undefined && key !== "") remember(answers, key, result);
    if (Math.random() < behaviour.losingAnswers) return void response.destroy();
    reply(response, result.status, result.body);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => reply(response, 400, { error: String(error) }));
  });
  await new Promise<void>((done, failed) => {
    server.once("error", failed).listen(options.port ?? 0, "127.0.0.1", done);
  });
  // Whoever waits for this server keeps the process alive, not the server itself.
  server.unref();
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behaviour: () => behaviour,
    behave,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function remember(answers: Map<string, ReturnType<Work>>, key: string, result: ReturnType<Work>): void {
  answers.set(key, result);
  if (answers.size <= answersMax) return;
  const oldest = answers.keys().next();
  if (!oldest.done) answers.delete(oldest.value);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
