import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type App,
  declarations,
  type Extension,
  type ReadDocuments,
  type Running,
  type SendOptions,
} from "../app/app.js";
import { createApp } from "../app/create.js";
import { isList } from "../app/publisher.js";
import { arrived } from "../consumer/received.js";
import type { AnyContract, EventName, Message } from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import { embedded } from "../embedded/embedded.js";
import { Failure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { type Ids, uuidv7 } from "../runtime/ids.js";
import { silentLogger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import { declaredService, serviceDeclaration } from "../service/declare.js";
import type { ServiceDeclaration } from "../service/service.js";
import type { Operation } from "../store/unit.js";
import { type Crash, crashing, rerunning, shuffling } from "./disturbed.js";
import type { Harness, Harnessed, HarnessLetter, HarnessOptions, HarnessTimer } from "./harness.js";
import { passUntil, passWhile } from "./passing-time.js";
import { type VirtualClock, virtualClock } from "./virtual-clock.js";

/** What an app is made of. */
export function servicesOf(of: Harnessed): readonly ServiceDeclaration[] {
  if (typeof of !== "object" || of === null) throw notHarnessed();
  const declared = (of as { readonly [declarations]?: readonly ServiceDeclaration[] })[declarations];
  if (declared !== undefined) return declared;
  if ("services" in of && Array.isArray(of.services)) return of.services.map(serviceDeclaration);
  throw notHarnessed();
}

function notHarnessed(): Failure {
  return new Failure("OPTION_INVALID", "harness: takes an app that millrace() made, or { services: [ … ] }");
}

const most = 10_000;

/** A {@link Harness}, and what `verify` looks at beside. */
export class RunningHarness implements Harness {
  readonly #declared: readonly ServiceDeclaration[];
  readonly #options: HarnessOptions;
  readonly #clock: VirtualClock;
  readonly #ids: Ids;
  readonly #crash: Crash;
  readonly #dir: string | undefined;
  #app: App | undefined;
  #running: Running | undefined;

  constructor(declared: readonly ServiceDeclaration[], options: HarnessOptions) {
    this.#options = options;
    this.#clock = virtualClock(options.start?.getTime());
    this.#ids = uuidv7(seededRandom(options.seed ?? 1));
    const random = seededRandom((options.seed ?? 1) + 1);
    this.#declared = options.reorderAcrossKeys === true ? shuffling(declared, this.#clock, random) : declared;
    this.#crash = { after: options.crashAfter, commits: 0, dead: false };
    // Memory does not outlive a process, not even one that only plays dead.
    if (options.crashAfter !== undefined) this.#dir = mkdtempSync(join(tmpdir(), "millrace-harness-"));
  }

  get app(): App {
    if (this.#app === undefined) throw new Failure("APP_STOPPED", "harness: it was stopped");
    return this.#app;
  }

  /** How many commits there were. */
  get commits(): number {
    return this.#crash.commits;
  }

  async open(): Promise<void> {
    const { duplicateEverything, seed = 1 } = this.#options;
    const plain = embedded(this.#dir ?? ":memory:");
    const engine = crashing(duplicateEverything === true ? rerunning(plain) : plain, this.#crash);
    const look: Extension = {
      name: "harness",
      start: async (_, running) => {
        this.#running = running;
      },
      stop: async () => {},
    };
    this.#app = createApp(
      {
        services: this.#declared.map(declaredService),
        engine,
        clock: this.#clock,
        random: seededRandom(seed),
        logger: silentLogger,
        signals: false,
        drain: "1s",
      },
      [look],
    );
    await passWhile(this.#clock, this.#app.start());
  }

  now(): Date {
    return new Date(this.#clock.now());
  }

  async publish(event: Message<EventName, unknown> | readonly Message<EventName, unknown>[]): Promise<void> {
    const events = isList(event) ? event : [event];
    const ids = events.map(() => this.#ids.next(this.#clock.now()));
    await this.#surely((app) => app.publish(events, { ids }));
  }

  async send(
    command: Message<string, unknown>,
    options: Pick<SendOptions, "actor" | "idempotency"> = {},
  ): Promise<Operation> {
    const id = this.#ids.next(this.#clock.now());
    return await this.#surely((app) => app.send(command, { ...options, id, waitFor: "handled", timeout: "1d" }));
  }

  async advance(duration: Duration): Promise<void> {
    const end = this.#clock.now() + durationMs(duration, "advance");
    for (;;) {
      await this.#clock.advance(Math.min(advanceMs, end - this.#clock.now()));
      await this.#revived();
      if (this.#clock.now() >= end) return;
    }
  }

  async atRest(): Promise<void> {
    await this.#surely((app) => app.settled());
  }

  async events(contract?: AnyContract): Promise<readonly never[]> {
    const found: unknown[] = [];
    const filter = contract === undefined ? {} : { type: contract.type };
    let after: string | undefined;
    do {
      const cursor = after === undefined ? {} : { after };
      const page = await this.#live.engine.inspect.events({ ...filter, ...cursor, limit: 1_000 });
      found.push(...page.events.map(arrived));
      after = page.next;
    } while (after !== undefined);
    return found as never[];
  }

  documents<Doc>(type: DocumentType<Doc>, options?: { readonly service?: string }): ReadDocuments<Doc> {
    return this.app.documents(type, options);
  }

  async timers(): Promise<readonly HarnessTimer[]> {
    const waiting = await this.#live.engine.store.readDueTimers(Number.MAX_SAFE_INTEGER, most);
    return waiting.map(({ service, name, due, record }) => {
      const { type, key, data } = record;
      return {
        service,
        name,
        due: new Date(due),
        type,
        key,
        data: JSON.parse(Buffer.from(data).toString()) as unknown,
      };
    });
  }

  async deadLetters(): Promise<readonly HarnessLetter[]> {
    const letters = await this.#live.engine.inspect.entries({ state: "dead", limit: most });
    return letters.map(({ consumer, failure, record: { type, key, data } }) => {
      return { consumer, type, key, data, code: failure?.code, message: failure?.message };
    });
  }

  /** Every document there is, as JSON text by service, type and id. */
  async stored(): Promise<ReadonlyMap<string, string>> {
    const text = `SELECT t.service || '/' || t.name || '/' || d.id AS name, d.data AS data
      FROM mr_documents AS d JOIN mr_document_types AS t ON t.type = d.type ORDER BY name`;
    const rows = await this.#live.engine.store.query(text, []);
    return new Map(rows.map(({ name, data }) => [String(name), String(data)]));
  }

  async stop(): Promise<void> {
    const app = this.#app;
    this.#app = undefined;
    if (app !== undefined) await passWhile(this.#clock, app.stop());
    if (this.#dir !== undefined) rmSync(this.#dir, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #live(): Running {
    if (this.#app === undefined || this.#running === undefined)
      throw new Failure("APP_STOPPED", "harness: it was stopped");
    return this.#running;
  }

  /** Asks until there is an answer, over a crash: ids make what was asked twice one. */
  async #surely<T>(ask: (app: App) => Promise<T>): Promise<T> {
    for (;;) {
      let settled = false;
      const asked = ask(this.app).finally(() => {
        settled = true;
      });
      asked.catch(() => undefined);
      await passUntil(this.#clock, () => settled || this.#crash.dead);
      if (!(await this.#revived())) return await asked;
    }
  }

  async #revived(): Promise<boolean> {
    if (!this.#crash.dead) return false;
    await passWhile(this.#clock, this.app.stop());
    Object.assign(this.#crash, { dead: false, after: undefined });
    await this.open();
    return true;
  }
}

/** A crash is not noticed later than this. */
const advanceMs = 60_000;
