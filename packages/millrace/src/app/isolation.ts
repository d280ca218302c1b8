import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Isolate } from "../consumer/isolate.js";
import type { ConsumerHost, ConsumerPlan } from "../consumer/plan.js";
import { Failure } from "../failure/failure.js";

/** The isolated handlers of an app: gives each its workers, and ends them. */
export class Isolation {
  readonly #host: ConsumerHost;
  readonly #isolates: Isolate[] = [];

  constructor(host: ConsumerHost) {
    this.#host = host;
  }

  /**
   * The plan with isolated handlers that run in their workers.
   *
   * @throws {Failure} OPTION_INVALID when a module is not there.
   */
  plan(plan: ConsumerPlan): ConsumerPlan {
    if (plan.subscriptions.every(({ isolate }) => isolate === undefined)) return plan;
    const { engine, clock, logger, routes } = this.#host;
    const subscriptions = plan.subscriptions.map((subscription) => {
      const { isolate: url, emits, concurrency, contract } = subscription;
      if (url === undefined) return subscription;
      if (!existsSync(fileURLToPath(url)))
        throw new Failure("OPTION_INVALID", `${plan.name}, ${contract.type}: isolate: there is no ${url.href}`);
      const setting = { url: url.href, consumer: plan.name, service: plan.service, routes, emits };
      const isolate = new Isolate({ setting, workersMax: concurrency, store: engine.store, clock, logger });
      this.#isolates.push(isolate);
      return { ...subscription, handler: isolate.handle };
    });
    return { ...plan, subscriptions };
  }

  async close(): Promise<void> {
    await Promise.all(this.#isolates.map((isolate) => isolate.close()));
  }
}
