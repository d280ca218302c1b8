import { afterAll, afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { isFailure } from "../failure/failure.js";
import { engineFromEnv } from "../main/engine-from-env.js";
import { millrace } from "../main/millrace.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { trialDatabase } from "../testing/trial-database.js";
import { type TcpProxy, tcpProxy } from "../testing/trial-tcp-proxy.js";

const database = await trialDatabase();
let proxy: TcpProxy | undefined;
afterEach(async () => await proxy?.close());
afterAll(async () => await database?.drop());

const steps = topic("steps", {
  key: "key",
  partitions: 2,
  events: { taken: event("step.taken", z.object({ key: z.string() })) },
});
const connectionsMax = 8;

if (database === undefined) console.info("skipped: connections that a PostgreSQL ends at once, there is none");
describe.skipIf(database === undefined)("a server that shuts down as it lets a client in", () => {
  // An error that nobody hears ends the process: here, the run of the tests.
  it("ends no process, whichever of an app's connections it is", async () => {
    proxy = await tcpProxy(database!.url);
    let dismissed = 0;
    for (let nth = 1; nth <= connectionsMax; nth += 1) {
      const heard: string[] = [];
      const walking = service("walking")
        .owns(steps)
        .on(steps.taken, { from: "beginning" }, ({ data }) => void heard.push(data.key));
      const engine = engineFromEnv({ MILLRACE_STORE: proxy.url });
      const app = millrace({ services: [walking], engine, logger: silentLogger });
      void proxy.dismiss(nth).then(() => (dismissed += 1));
      const started = await app.start().then(
        () => true,
        (error: unknown) => {
          expect(isFailure(error) && error.code).toMatch(/^(STORE|LOG)_UNAVAILABLE$/);
          return false;
        },
      );
      if (started) {
        await app.publish(steps.taken({ key: `k${nth}` }));
        await app.settled();
        expect(heard).toContain(`k${nth}`);
      }
      await app.stop();
    }
    expect(dismissed).toBeGreaterThanOrEqual(4);
  }, 60_000);
});
