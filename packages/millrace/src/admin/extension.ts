import { randomBytes } from "node:crypto";
import type { Extension } from "../app/app.js";
import { type Listening, listen } from "../http/server.js";
import { removeAddress, writeAddress } from "./address.js";
import { localAdmin } from "./local.js";
import { adminRoutes } from "./server.js";

/** Calls in flight when the app stops have this long. */
const drainMs = 2_000;
const tokenBytes = 32;

/** Lets the command line into the app while it runs: a server on loopback whose address and token are in `dir`. */
export function adminExtension(dir: string): Extension {
  const instance = randomBytes(8).toString("hex");
  let listening: Listening | undefined;
  let stopping: AbortController | undefined;
  return {
    name: "admin",
    async start(app, running) {
      const stop = new AbortController();
      stopping = stop;
      const now = (): number => running.clock.now();
      const admin = localAdmin({
        inspect: running.engine.inspect,
        live: { app, running },
        dir,
        now,
        stopping: stop.signal,
      });
      const token = randomBytes(tokenBytes).toString("base64url");
      const hono = adminRoutes(admin, { token, instance, logger: running.logger, closing: () => stop.signal.aborted });
      listening = await listen(hono, { host: "127.0.0.1", port: 0, clock: running.clock, option: "admin" });
      await writeAddress(dir, { url: listening.url, token, pid: process.pid, instance });
    },
    async stop() {
      stopping?.abort();
      await removeAddress(dir, instance);
      await listening?.close(drainMs);
      listening = undefined;
    },
  };
}
