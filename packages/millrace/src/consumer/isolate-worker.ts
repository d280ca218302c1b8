import { parentPort, workerData } from "node:worker_threads";
import { describeError, Failure } from "../failure/failure.js";
import type { Logger } from "../runtime/logger.js";
import type { Store } from "../store/store.js";
import { HandlerContext } from "./context.js";
import { DocumentTypes } from "./document-types.js";
import type { Handler } from "./handler.js";
import {
  type FromWorker,
  type IsolateEnded,
  type IsolateQuestion,
  type IsolateRun,
  type IsolateSetting,
  portable,
  revived,
  type ToWorker,
} from "./isolate-protocol.js";
import { Seeds } from "./plan.js";
import { arrived } from "./received.js";

// Runs the handler of one module, one event at a time. Its effects go back as data; what it reads, the main thread reads.

const port = parentPort;
if (port === null) throw new Error("isolate-worker is started by an app, as a worker");
const { url, consumer, service, routes, emits } = workerData as IsolateSetting;
const post = (message: FromWorker) => port.postMessage(message);

const asked = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
let asks = 0;
function ask(question: IsolateQuestion): Promise<unknown> {
  asks += 1;
  const number = asks;
  return new Promise((resolve, reject) => {
    asked.set(number, { resolve, reject });
    post({ type: "ask", ask: number, question });
  });
}

/** What a handler's context uses of a store. */
const store = {
  readDocument: (of: string, type: string, id: string) => ask({ what: "document", service: of, type, id }),
  findDocuments: (query) => ask({ what: "documents", query }),
  ensureDocumentType: async ({ indexOf: _, ...shape }) => {
    await ask({ what: "declare", shape });
  },
} as Pick<Store, "readDocument" | "findDocuments" | "ensureDocumentType"> as Store;

const logger = loggerOf({});
function loggerOf(bound: object): Logger {
  const write = (level: "debug" | "info" | "warn" | "error") => (fields: object, message: string) =>
    post({ type: "log", level, fields: plain({ ...bound, ...fields }), message });
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (fields) => loggerOf({ ...bound, ...fields }),
  };
}

/** Fields may hold what cannot cross, like functions; errors lose their class. */
function plain(fields: object): object {
  try {
    return structuredClone(fields);
  } catch {
    return JSON.parse(JSON.stringify(fields)) as object;
  }
}

const documentTypes = new DocumentTypes(store, service);
const seeds = new Seeds(consumer);
const loading = load();
// Whoever runs it is told; until then nobody is.
loading.catch(() => {});

async function load(): Promise<Handler> {
  let module: { readonly default?: unknown };
  try {
    module = (await import(url)) as { readonly default?: unknown };
  } catch (cause) {
    throw new Failure("OPTION_INVALID", `isolate: ${url} cannot be loaded: ${describeError(cause).message}`, { cause });
  }
  if (typeof module.default === "function") return module.default as Handler;
  throw new Failure("OPTION_INVALID", `isolate: the default export of ${url} is no function; export the handler`);
}

let current: HandlerContext | undefined;

async function run({ record, generation, attempt, now }: IsolateRun): Promise<void> {
  const begun = performance.now();
  const clock = {
    now: () => Math.floor(now + performance.now() - begun),
    monotonic: () => performance.now(),
    after: () => () => {},
  };
  const host = { consumer, service, routes, seeds, store, clock, logger, documentTypes };
  const context = new HandlerContext(host, record, generation, emits, attempt);
  current = context;
  const ended = { effects: {}, value: undefined, error: undefined };
  try {
    const handle = await loading;
    const value = await handle(arrived(record), context);
    // What a put declares, it does not wait for.
    await Promise.all(context.declaring);
    finish(context, { ...ended, effects: context.effects, value: refusalOf(value) });
  } catch (error) {
    finish(context, { ...ended, error: portable(error) });
  }
}

function finish(context: HandlerContext, ended: Omit<IsolateEnded, "type" | "reads">): void {
  context.close();
  current = undefined;
  post({ type: "ended", reads: context.reads, ...ended });
}

/** All that a handler's return value can mean. */
function refusalOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("refused" in value)) return undefined;
  const { refused, detail } = value as { readonly refused: unknown; readonly detail?: unknown };
  return { refused: String(refused), ...(detail === undefined ? undefined : { detail: String(detail) }) };
}

port.on("message", (message: ToWorker) => {
  switch (message.type) {
    case "run":
      void run(message);
      return;
    case "abort":
      current?.abort(revived(message.error) as Failure);
      return;
    case "answer":
      asked.get(message.ask)?.resolve(message.value);
      asked.delete(message.ask);
      return;
    case "refusal":
      asked.get(message.ask)?.reject(revived(message.error));
      asked.delete(message.ask);
  }
});
