import { resolve } from "node:path";
import type { Engine, EngineContext, OpenEngine, Trouble } from "../engine/engine.js";
import type { LogAdapter, OpenLog, OpenStore, StoreAdapter } from "../engine/halves.js";
import { Failure, verdictOf } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import { checkOptions, checkText } from "../runtime/options.js";
import { Courtesy } from "./courtesy.js";
import { Relay } from "./relay.js";
import { refuseRisks } from "./risks.js";
import { topicsOf } from "./topics.js";

/** What an engine of two halves is made of. */
export interface EngineOptions {
  readonly log: LogAdapter;
  readonly store: StoreAdapter;
  /** Names of risks that preflight would refuse the start for; each start says in the log that they are accepted. */
  readonly acceptRisks?: readonly string[];
  /** The folder where the running process leaves its address for the command line (default "./.millrace"). */
  readonly dir?: string;
}

/** How long each part may take to close. */
const closeMs = 10_000;
/** How soon to look again whether all is sent. */
const relayedMs = 20;

/**
 * A log and a store of your own servers, like Kafka and PostgreSQL. What a commit publishes is in the store with its state,
 * and the relay sends it to the log.
 *
 * Preflight reads the servers' settings at each start.
 *
 * @throws {Failure} OPTION_INVALID; when the app starts, RISK_REFUSED or what the halves say.
 */
export function engine(options: EngineOptions): Engine {
  checkOptions(options, { log: true, store: true, acceptRisks: true, dir: true }, { where: "engine" });
  const { log, store, acceptRisks = [], dir = "./.millrace" } = options;
  for (const half of ["log", "store"] as const)
    if (typeof options[half]?.open !== "function")
      throw new Failure(
        "OPTION_INVALID",
        `engine: ${half} takes what an adapter returns, like postgresStore({ pool })`,
        {
          details: { option: half },
        },
      );
  if (!Array.isArray(acceptRisks) || acceptRisks.some((name) => typeof name !== "string"))
    throw new Failure("OPTION_INVALID", "engine: acceptRisks takes a list of names of risks", {
      details: { option: "acceptRisks" },
    });
  return {
    name: log.name === store.name ? log.name : `${log.name}+${store.name}`,
    dir: resolve(checkText(dir, "dir")),
    open: (context) => openHalves({ log, store, acceptRisks }, context),
  };
}

async function openHalves(
  { log, store, acceptRisks }: Required<Omit<EngineOptions, "dir">>,
  context: EngineContext,
): Promise<OpenEngine> {
  const openLog = await log.open(context);
  let openStore: OpenStore | undefined;
  try {
    openStore = await store.open(context, openLog);
    const risks = [...(await openLog.preflight(await openStore.topics())), ...(await openStore.preflight())];
    refuseRisks(risks, [...new Set([...acceptRisks, ...(context.acceptRisks ?? [])])], context.logger);
    const opened = new OpenHalves(openLog, openStore, context);
    await opened.start();
    return opened;
  } catch (error) {
    await closeAll(context, [() => openStore?.close(), () => openLog.close()]);
    throw error;
  }
}

/** Two halves in use by one process, with the relay between them. */
class OpenHalves implements OpenEngine {
  readonly clock: Clock;
  readonly log: OpenEngine["log"];
  readonly store: OpenEngine["store"];
  readonly inspect: OpenEngine["inspect"];
  readonly operate: OpenEngine["operate"];
  readonly publishIn?: NonNullable<OpenEngine["publishIn"]>;
  readonly onAppended: OpenEngine["onAppended"];
  readonly onHandled: OpenEngine["onHandled"];
  readonly onChanged: OpenEngine["onChanged"];
  readonly #halves: { readonly log: OpenLog; readonly store: OpenStore };
  readonly #context: EngineContext;
  readonly #courtesy: Courtesy;
  readonly #relay: Relay;
  #closed = false;

  constructor(log: OpenLog, store: OpenStore, context: EngineContext) {
    this.#halves = { log, store };
    this.#context = context;
    this.clock = store.clock ?? context.clock;
    const topics = topicsOf(log, store);
    this.log = {
      read: (request) => log.read(request),
      record: (at) => log.record(at),
      ends: (topic) => log.ends(topic),
      starts: (topic) => log.starts(topic),
      append: (records) => log.append(records),
      ensureTopic: (topic) => topics.ensureTopic(topic),
      topics: () => topics.topics(),
    };
    this.#courtesy = new Courtesy({ store: store.store, log, ...context });
    this.#relay = new Relay({ outbox: store.outbox, log, ...context });
    this.store = this.#courtesy.store;
    this.inspect = store.inspect;
    this.operate = store.operate;
    const { publishIn } = store;
    if (publishIn !== undefined) this.publishIn = (transaction, records) => publishIn(transaction, records);
    this.onAppended = (heard) => log.onAppended(heard);
    this.onHandled = (heard) => store.onHandled(heard);
    this.onChanged = (heard) => store.onChanged(heard);
  }

  async start(): Promise<void> {
    await this.#relay.start();
  }

  troubles(): readonly Trouble[] {
    return this.#relay.troubles.map(({ shard, reason }) => ({ part: `relay of ${shard}`, reason }));
  }

  async relayed(): Promise<void> {
    const { clock } = this.#context;
    while (!this.#closed && (await this.#waiting()))
      await new Promise<void>((resolve) => void clock.after(relayedMs, resolve));
  }

  async #waiting(): Promise<boolean> {
    try {
      return await this.#halves.store.outbox.waiting();
    } catch (error) {
      if (verdictOf(error) === "retry") return true;
      throw error;
    }
  }

  backup(): Promise<void> {
    const failure = new Failure(
      "ENGINE_UNABLE",
      "backup copies the embedded engine's file, and this app keeps its state in PostgreSQL: use pg_dump or your " +
        "server's own backups. After a restore the relay sends again what may not have been sent, and consumers drop copies",
    );
    return Promise.reject(failure);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const { log, store } = this.#halves;
    const parts = [() => this.#relay.close(), () => this.#courtesy.close(), () => store.close(), () => log.close()];
    await closeAll(this.#context, parts);
  }
}

type Closing = () => Promise<void> | undefined;

/** One after the other, each within a bound: whatever hangs, the process can end. */
async function closeAll({ clock, logger }: { clock: Clock; logger: Logger }, parts: readonly Closing[]): Promise<void> {
  for (const close of parts) {
    let cancel = (): void => {};
    const late = new Promise<void>((_, reject) => {
      cancel = clock.after(closeMs, () => reject(new Failure("WAIT_TIMEOUT", "a part of the engine does not close")));
    });
    try {
      await Promise.race([close(), late]);
    } catch (error) {
      logger.error({ err: error }, "a part of the engine could not be closed in order");
    } finally {
      cancel();
    }
  }
}
