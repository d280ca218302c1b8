import { Hono } from "hono";
import { cors } from "hono/cors";
import type { Extension, Running } from "../app/app.js";
import { Failure } from "../failure/failure.js";
import { durationMs } from "../runtime/duration.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import { type Routable, routesOf, running } from "./command-routes.js";
import { guard, isLoopback, loopbackHosts } from "./guard.js";
import { healthRoutes } from "./health.js";
import type { HttpOptions } from "./http.js";
import { answerNotFound } from "./not-found.js";
import { answerProblem } from "./problem.js";
import { readRowsRoutes } from "./projection-routes.js";
import { readRoutes } from "./route.js";
import { closing, type Listening, listen } from "./server.js";

/** The HTTP server as a part that starts and stops with the app. */
export interface HttpExtension extends Extension {
  /** Undefined while it does not listen. */
  readonly url: string | undefined;
}

const optionNames: OptionNames<HttpOptions> = {
  routes: true,
  wait: true,
  allowedHosts: true,
  allowedOrigins: true,
  title: true,
  port: true,
  host: true,
  behindProxy: true,
  readyWithin: true,
  mount: true,
};
const portDefault = 4_000;
const hostDefault = "127.0.0.1";

/**
 * Makes the server of an app.
 *
 * @param drainMs how long requests in flight have when the app stops
 * @throws {Failure} OPTION_INVALID when an option has a value that cannot be used.
 */
export function httpExtension(app: Routable, options: HttpOptions, drainMs: number): HttpExtension {
  checkOptions(options, optionNames, { where: "http" });
  checkValues(options);
  let listening: Listening | undefined;
  let stopping = false;
  return {
    name: "http",
    get url() {
      return listening?.url;
    },
    async start(_, live) {
      checkOwners(options, live);
      const hono = serverRoutes(app, options, { live, stopping: () => stopping });
      const { port = portDefault, host = hostDefault } = options;
      listening = await listen(hono, { host, port, clock: live.clock, option: "http" });
    },
    async stop() {
      stopping = true;
      await listening?.close(drainMs);
      listening = undefined;
    },
  };
}

function serverRoutes(app: Routable, options: HttpOptions, state: { live: Running; stopping: () => boolean }): Hono {
  const { port: _, host = hostDefault, behindProxy, readyWithin, mount, ...commands } = options;
  const { allowedOrigins = [] } = commands;
  const hosts = options.allowedHosts ?? (isLoopback(host) ? loopbackHosts : undefined);
  const hono = new Hono();
  hono.onError((error, c) => answerProblem(c, error, state.live.logger));
  answerNotFound(hono, { text: "nothing answers to this path", logger: state.live.logger });
  hono.use(closing(state.stopping));
  hono.use(guard({ hosts, origins: allowedOrigins, plain: behindProxy !== true }));
  if (allowedOrigins.length > 0) hono.use(crossOrigin(allowedOrigins));
  hono.route(
    "/",
    healthRoutes(() => app[running], { readyWithinMs: durationMs(readyWithin ?? "60s", "http.readyWithin") }),
  );
  hono.route("/", routesOf(app, { ...commands, routes: commands.routes ?? {} }, state.stopping));
  mount?.(hono);
  return hono;
}

function crossOrigin(origins: readonly string[]) {
  return cors({
    origin: [...origins],
    allowMethods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
    allowHeaders: ["Content-Type", "Idempotency-Key"],
    exposeHeaders: ["Location", "Millrace-Token", "Retry-After"],
  });
}

function checkValues(options: HttpOptions): void {
  const { port = portDefault, host = hostDefault } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw invalid("http.port", `is ${String(port)}; write a whole number from 0 (any free port) to 65535`);
  }
  if (!isLoopback(host) && options.behindProxy !== true) {
    throw invalid(
      "http.host",
      `is ${host}, which other machines can reach, and this server asks nobody who they are; listen on 127.0.0.1, or set http.behindProxy: true when a proxy in front authenticates callers`,
    );
  }
  for (const origin of options.allowedOrigins ?? []) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin.replace(/\/$/, "")) {
      throw invalid(
        "http.allowedOrigins",
        `has ${JSON.stringify(origin)}, which is not an origin; write it like "https://shop.example"`,
      );
    }
  }
  durationMs(options.readyWithin ?? "60s", "http.readyWithin");
  durationMs(options.wait ?? "10s", "http.wait");
  readRoutes(options.routes ?? {});
  readRowsRoutes(options.routes ?? {});
}

/** A command that nobody handles would be accepted and never done. */
function checkOwners(options: HttpOptions, live: Running): void {
  const handled = new Set(live.services.flatMap((service) => service.commands.map((command) => command.contract.type)));
  const owned = live.services.flatMap(({ consumers }) =>
    consumers.map(({ view }) => view && `${view.name}@${view.version}`),
  );
  for (const { name, facts } of readRowsRoutes(options.routes ?? {}))
    if (!owned.includes(`${facts.name}@${facts.version}`))
      throw invalid(
        "http.routes",
        `${JSON.stringify(name)} answers with projection ${facts.name}@${facts.version}, which no service owns; add service(…).owns(…)`,
      );
  for (const route of readRoutes(options.routes ?? {})) {
    if (handled.has(route.declaration.type)) continue;
    throw invalid(
      "http.routes",
      `${JSON.stringify(route.name)} sends ${route.declaration.type}, which no service handles; add service(…).handle(…) to one`,
    );
  }
}

function invalid(option: string, problem: string): Failure {
  return new Failure("OPTION_INVALID", `${option} ${problem}`, { details: { option } });
}
