import { Worker } from "node:worker_threads";
import { Failure } from "../failure/failure.js";
import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { Store } from "../store/store.js";
import type { HandlerContext } from "./context.js";
import { indexEntries } from "./documents.js";
import type { Handler } from "./handler.js";
import {
  type FromWorker,
  type IsolateEnded,
  type IsolateQuestion,
  type IsolateSetting,
  portable,
  revived,
  type ToWorker,
} from "./isolate-protocol.js";

/** What a handler that was aborted gets to come to an end; then its worker is ended. */
const graceMs = 1_000;

export interface IsolateHost {
  readonly setting: IsolateSetting;
  readonly workersMax: number;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A run that waits for its worker, or is in it. */
interface Job {
  readonly context: HandlerContext;
  readonly ended: (ended: IsolateEnded) => void;
  readonly failed: (error: unknown) => void;
}

/** The workers of one isolated handler: one at first, more as runs come up, each with one run at a time. */
export class Isolate {
  readonly #host: IsolateHost;
  readonly #workers = new Set<IsolatedWorker>();
  /** Aborted, and on their way out: those who wait need not wait for them, too. */
  readonly #leaving = new Set<IsolatedWorker>();
  #waiting: Job[] = [];
  #closed = false;

  constructor(host: IsolateHost) {
    this.#host = host;
  }

  /** The handler as the runtime calls it. */
  readonly handle: Handler = (_, ctx) => {
    const context = ctx as HandlerContext;
    return new Promise((resolve, reject) => {
      const ended = ({ effects, reads, value, error }: IsolateEnded) => {
        context.adopt(effects, reads);
        if (error === undefined) resolve(value);
        else reject(revived(error));
      };
      this.#waiting.push({ context, ended, failed: reject });
      context.signal.addEventListener("abort", () => this.#withdraw(context), { once: true });
      this.#next();
    });
  };

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#workers, ...this.#leaving].map((worker) => worker.end()));
  }

  #next(): void {
    while (this.#waiting.length > 0 && !this.#closed) {
      const free = [...this.#workers].find((worker) => worker.free) ?? this.#grow();
      if (free === undefined) return;
      free.run(this.#waiting.shift() as Job);
    }
  }

  #grow(): IsolatedWorker | undefined {
    if (this.#workers.size >= this.#host.workersMax) return undefined;
    const worker: IsolatedWorker = new IsolatedWorker(this.#host, {
      freed: () => this.#next(),
      leaving: () => {
        this.#workers.delete(worker);
        this.#leaving.add(worker);
        this.#next();
      },
      gone: () => {
        this.#workers.delete(worker);
        this.#leaving.delete(worker);
        this.#next();
      },
    });
    this.#workers.add(worker);
    return worker;
  }

  /** Its time is up before a worker had time for it. */
  #withdraw(context: HandlerContext): void {
    this.#waiting = this.#waiting.filter((job) => job.context !== context);
  }
}

interface WorkerOwner {
  freed(): void;
  /** Takes no more runs. */
  leaving(): void;
  gone(): void;
}

/** One worker thread, with one run at a time. It ends when its code ends it, or does not react to being aborted. */
class IsolatedWorker {
  readonly #host: IsolateHost;
  readonly #owner: WorkerOwner;
  readonly #worker: Worker;
  #job: Job | undefined;
  #died: unknown;
  #aborted = false;
  #cancelGrace: Cancel = () => {};

  constructor(host: IsolateHost, owner: WorkerOwner) {
    this.#host = host;
    this.#owner = owner;
    this.#worker = new Worker(new URL("./isolate-worker.js", import.meta.url), {
      name: `${host.setting.consumer} isolate`,
      workerData: host.setting,
    });
    this.#worker.on("message", (message: FromWorker) => this.#heard(message));
    this.#worker.on("error", (error) => {
      this.#died = error;
    });
    this.#worker.on("exit", (code) => this.#gone(code));
  }

  get free(): boolean {
    return this.#job === undefined;
  }

  run(job: Job): void {
    this.#job = job;
    const { context } = job;
    const { record, generation, attempt } = context.run;
    context.signal.addEventListener("abort", () => this.#abort(job), { once: true });
    // The record may be of a class with getters, which do not cross.
    const { topic, partition, offset, id, source, type, version, key, time, appended } = record;
    const { correlationId, causationId, hops, headers, data, bytes } = record;
    const facts = { topic, partition, offset, id, source, type, version, key, time, appended };
    const plain = { ...facts, correlationId, causationId, hops, headers, data, bytes };
    this.#post({ type: "run", record: plain, generation, attempt, now: this.#host.clock.now() });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #abort(job: Job): void {
    if (this.#job !== job) return;
    this.#post({ type: "abort", error: portable(job.context.signal.reason) });
    this.#aborted = true;
    this.#cancelGrace = this.#host.clock.after(graceMs, () => this.#leave());
    this.#owner.leaving();
  }

  #leave(): void {
    this.end().catch((error) => this.#host.logger.error({ err: error }, "an isolated handler could not be ended"));
  }

  #heard(message: FromWorker): void {
    const { logger } = this.#host;
    if (message.type === "log") logger[message.level](message.fields, message.message);
    else if (message.type === "ask") void this.#answer(message.ask, message.question);
    else {
      const job = this.#job;
      this.#job = undefined;
      this.#cancelGrace();
      job?.ended(message);
      if (this.#aborted) this.#leave();
      else this.#owner.freed();
    }
  }

  async #answer(ask: number, question: IsolateQuestion): Promise<void> {
    try {
      this.#post({ type: "answer", ask, value: await this.#ask(question) });
    } catch (error) {
      this.#post({ type: "refusal", ask, error: portable(error) });
    }
  }

  /** The first part runs at once, so that what a put declares is there before the run that put it has ended. */
  #ask(question: IsolateQuestion): unknown {
    const { store } = this.#host;
    if (question.what === "document") return store.readDocument(question.service, question.type, question.id);
    if (question.what === "documents") return store.findDocuments(question.query);
    const { shape } = question;
    return store.ensureDocumentType({
      ...shape,
      indexOf: (text, schema) => {
        if (schema === shape.schema) return indexEntries(shape, JSON.parse(text));
        throw new Failure(
          "OPTION_INVALID",
          `${shape.service}/${shape.type}: its indexes changed, and documents of version ${schema} have to be migrated for that; use the type in a handler that is not isolated first`,
        );
      },
    });
  }

  #gone(code: number): void {
    const job = this.#job;
    this.#job = undefined;
    this.#cancelGrace();
    const { consumer, url } = this.#host.setting;
    job?.failed(
      new Failure(
        "WORKER_ENDED",
        `${consumer}: the worker of ${url} ended with code ${code} while it handled ${job.context.run.record.type}; a handler must not call process.exit, nor throw where nobody awaits it`,
        { cause: this.#died },
      ),
    );
    this.#owner.gone();
  }
}
