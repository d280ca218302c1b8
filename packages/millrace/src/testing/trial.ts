import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { App, AppOptions, ConsumerStatus, Extension, Running } from "../app/app.js";
import { createApp } from "../app/create.js";
import { embedded } from "../embedded/embedded.js";
import { type Database, openDatabase } from "../embedded/sqlite.js";
import type { Engine } from "../engine/engine.js";
import { isFailure } from "../failure/failure.js";
import type { Logger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import type { Service } from "../service/service.js";
import type { LaneEntry } from "../store/unit.js";
import { passUntil, passWhile } from "./passing-time.js";
import { type VirtualClock, virtualClock } from "./virtual-clock.js";

/** What a trial may be given; the rest is what most tests want. */
export interface TrialOptions extends Partial<Omit<AppOptions, "clock" | "services">> {
  /** The folder of its file; by default it is in memory. */
  readonly dir?: string;
  readonly clock?: VirtualClock;
  readonly extensions?: readonly Extension[];
}

/** One line that the app logged. */
export interface Line {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

const open = new Set<Trial>();
let made = 0;
const folders = new Set<string>();

/** For the tests of this package: an app on a real engine, in virtual time, with a look inside. */
export class Trial {
  readonly app: App;
  readonly clock: VirtualClock;
  readonly lines: Line[] = [];
  readonly #options: TrialOptions;
  #running: Running | undefined;

  constructor(services: readonly Service[], options: TrialOptions = {}) {
    const { dir = ":memory:", clock = virtualClock(), extensions = [], ...rest } = options;
    made += 1;
    this.#options = options;
    this.clock = clock;
    const look: Extension = {
      name: "look",
      start: async (_, running) => {
        this.#running = running;
      },
      stop: async () => {},
    };
    this.app = createApp(
      {
        engine: embedded(dir),
        logger: this.#logger({}),
        random: seededRandom(made),
        signals: false,
        drain: "1s",
        ...rest,
        services,
        clock,
      },
      [look, ...extensions],
    );
    open.add(this);
  }

  get running(): Running {
    if (this.#running === undefined) throw new Error("the test has not started its app");
    return this.#running;
  }

  status(consumer: string): ConsumerStatus {
    const found = this.running.consumers().find((status) => status.consumer === consumer);
    if (found === undefined) throw new Error(`the test has no consumer ${consumer}`);
    return found;
  }

  /** Lane entries, oldest first. */
  async entries(consumer?: string): Promise<readonly LaneEntry[]> {
    return await this.running.engine.inspect.entries({
      ...(consumer === undefined ? {} : { consumer }),
      limit: 10_000,
    });
  }

  /** Lets virtual time pass until everything is handled. */
  async rest(): Promise<void> {
    await passWhile(this.clock, this.app.settled());
  }

  /** As `rest`, where one consumer has stopped with work left: `settled` says so when the others are done. */
  async restBeside(consumer: string): Promise<void> {
    const error: unknown = await this.rest().catch((reason: unknown) => reason);
    if (!isFailure(error) || error.details.consumer !== consumer)
      throw error ?? new Error(`${consumer} has left nothing undone`);
  }

  /** Lets virtual time pass, a little at a time, until the condition holds. */
  async until(condition: () => unknown): Promise<void> {
    await passUntil(this.clock, condition);
  }

  /** Stops, and starts the same file with these services: a new program, or the same one again. */
  async again(services: readonly Service[], options: TrialOptions = {}): Promise<Trial> {
    await this.stop();
    return await trial(services, { ...this.#options, clock: this.clock, ...options });
  }

  async stop(): Promise<void> {
    open.delete(this);
    await passWhile(this.clock, this.app.stop());
  }

  #logger(bound: object): Logger {
    const write = (level: Line["level"]) => (fields: object, message: string) => {
      this.lines.push({ level, fields: { ...bound, ...fields }, message });
    };
    return {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: (fields) => this.#logger({ ...bound, ...fields }),
    };
  }
}

/** Where trials have their engines, in place of files, and of memory. */
export interface TrialStand {
  /** The one of a folder; without a folder, one that nothing has used. */
  engine(dir: string | undefined): Promise<Engine>;
  clock(): VirtualClock;
}

let stand: TrialStand | undefined;

/** Trials stand there from now on; without one, as they usually do. */
export function standOn(next?: TrialStand): void {
  stand = next;
}

/** The engine that a trial of this folder has here. */
export async function trialEngine(dir?: string): Promise<Engine> {
  return (await stand?.engine(dir)) ?? embedded(dir ?? ":memory:");
}

/** The clock that a trial has here. */
export function trialClock(): VirtualClock {
  return stand?.clock() ?? virtualClock(Date.UTC(2026, 0, 1));
}

/** A running app of these services. */
export async function trial(services: readonly Service[], options: TrialOptions = {}): Promise<Trial> {
  const { engine = await stand?.engine(options.dir), clock = stand?.clock() } = options;
  const made = new Trial(services, { ...options, ...(engine && { engine }), ...(clock && { clock }) });
  await made.app.start();
  return made;
}

/** A folder of the test's own, removed with it. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-trial-"));
  folders.add(folder);
  return folder;
}

/** A second connection to a trial's file, which may write: another program, or somebody who meddles. */
export function otherProgram<T>(dir: string, act: (database: Database) => T): T {
  const database = openDatabase(join(dir, "millrace.db"));
  try {
    return act(database);
  } finally {
    database.close();
  }
}

/** Stops what the tests of this file left running, and removes their folders. For `afterEach`. */
export async function endTrials(): Promise<void> {
  for (const left of [...open]) await left.stop();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

/** Something a test opens by hand: handlers wait at it. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

/** A closed {@link Gate}. */
export function gate(): Gate {
  let release = () => {};
  const opened = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { opened, open: () => release() };
}
