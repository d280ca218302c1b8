import { handlerOf } from "../consumer/batch.js";
import { Consumer } from "../consumer/consumer.js";
import type { ConsumerHost, ConsumerPlan } from "../consumer/plan.js";
import type { View } from "../consumer/view.js";
import { isFailure } from "../failure/failure.js";
import { missingBuild } from "../store/build-acts.js";
import { type Build, buildConsumer } from "../store/builds.js";

/** What the builds of an app's views need of it. */
export interface BuildsHost {
  readonly host: ConsumerHost;
  readonly plans: readonly ConsumerPlan[];
  /** All consumers of the process: those of builds come and go. */
  readonly consumers: Consumer[];
  /** How long a dropped build's runs may take to end. */
  readonly drainMs: number;
  /** A consumer has come. */
  added(consumer: Consumer): void;
  /** A consumer knows what it begins with, or has gone: whoever is careful is looked for anew. */
  opened(): void;
}

/**
 * The consumers of views. Which builds there are is in the store: every process that declares a version runs all builds
 * of it that are not dropped, from when they were made.
 */
export class Builds {
  readonly #parts: BuildsHost;
  readonly #running = new Map<string, Consumer>();
  #looking: Promise<void> = Promise.resolve();
  #started = false;
  #closed = false;

  constructor(parts: BuildsHost) {
    this.#parts = parts;
  }

  /** Opens the builds there are, and makes the first of each view that is new. */
  async open(): Promise<void> {
    const { plans, host } = this.#parts;
    for (const plan of plans) {
      const { service, view } = plan as Viewed;
      const builds = await host.engine.store.ensureBuild(service, view.name, view.version);
      await this.#run(plan as Viewed, builds);
      this.#say(plan as Viewed, builds);
    }
  }

  /** From now on what is new starts at once. */
  started(): void {
    this.#started = true;
  }

  /** Starts what was made, and ends what was dropped. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  /** Nothing is started any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { plans, host } = this.#parts;
    if (this.#closed) return;
    try {
      for (const plan of plans) {
        const { service, view } = plan as Viewed;
        await this.#run(plan as Viewed, await this.#builds(service, view));
      }
    } catch (error) {
      if (!this.#closed) host.logger.error({ err: error }, "the builds of projections could not be looked at");
    }
  }

  /** One whose live build was forgotten is built anew, from the beginning of the log. */
  async #builds(service: string, { name, version }: View): Promise<readonly Build[]> {
    const { store } = this.#parts.host.engine;
    const builds = await store.readBuilds(service, name);
    return missingBuild(builds, version) === undefined ? builds : store.ensureBuild(service, name, version);
  }

  async #run(plan: Viewed, builds: readonly Build[]): Promise<void> {
    for (const build of builds) {
      if (build.version !== plan.view.version) continue;
      const name = buildConsumer(build);
      const consumer = this.#running.get(name);
      if (build.state === "dropped" && consumer !== undefined) await this.#end(name, consumer);
      else if (build.state !== "dropped" && consumer === undefined) {
        await this.#parts.host.engine.store.migrate(plan.service, plan.view.tables(build));
        await this.#begin(name, planOf(plan, build));
      }
    }
  }

  async #begin(name: string, plan: ConsumerPlan): Promise<void> {
    const { host, consumers, added, opened } = this.#parts;
    const consumer = new Consumer(plan, host);
    this.#running.set(name, consumer);
    consumers.push(consumer);
    added(consumer);
    try {
      await consumer.open();
    } catch (error) {
      // The others go on: a consumer whose position is gone must not take the rest down with it.
      if (!isFailure(error, "POSITION_MISSING")) throw error;
      consumer.stop(error);
    }
    opened();
    if (this.#started) consumer.start();
  }

  async #end(name: string, consumer: Consumer): Promise<void> {
    const { consumers, drainMs, opened } = this.#parts;
    this.#running.delete(name);
    consumers.splice(consumers.indexOf(consumer), 1);
    await consumer.drain(drainMs);
    opened();
  }

  #say({ service, view }: Viewed, builds: readonly Build[]): void {
    const live = builds.find(({ state }) => state === "live");
    const own = builds.find(({ version, state }) => version === view.version && state === "building");
    if (live === undefined || own === undefined || live.version === view.version) return;
    this.#parts.host.logger.info(
      { service, projection: view.name, live: live.version, building: view.version },
      `projection ${view.name}@${view.version} is built beside @${live.version}, which answers until: millrace projections swap ${view.name}`,
    );
  }
}

interface Viewed extends ConsumerPlan {
  readonly view: View;
}

/** The consumer of one build of a view. */
function planOf(plan: Viewed, build: Build): ConsumerPlan {
  const batch = plan.view.fold(build);
  const handler = handlerOf(batch);
  const subscriptions = plan.subscriptions.map((one) => ({ ...one, handler }));
  return { ...plan, name: buildConsumer(build), batch, subscriptions };
}
