import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { basePath } from "hono/route";
import type { App, Running, Sent } from "../app/app.js";
import { Failure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { silentLogger } from "../runtime/logger.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import type { Operation } from "../store/unit.js";
import { readJson } from "./body.js";
import { guard } from "./guard.js";
import type { CommandRouteOptions } from "./http.js";
import { openApiDocument } from "./openapi.js";
import { standingOf } from "./operation.js";
import { answerProblem } from "./problem.js";
import { addRowsRoutes, readRowsRoutes } from "./projection-routes.js";
import { commandData, type Route, readRoutes } from "./route.js";

/** How an app lets the parts around it see what runs inside. */
export const running: unique symbol = Symbol("millrace running");

/** Carries the causality token of a command's events; the same as `token` in the body. */
const tokenHeader = "millrace-token";

const optionNames: OptionNames<CommandRouteOptions> = {
  routes: true,
  wait: true,
  allowedHosts: true,
  allowedOrigins: true,
  title: true,
};

/** An app that commands can be routed to; `millrace()` makes it. */
export interface Routable extends App {
  /** Undefined before the start and after the stop. */
  readonly [running]: Running | undefined;
}

/**
 * Routes that take commands, to be mounted on a server of your own. They answer once the app has started.
 *
 * A request's command is stored with its operation in one commit and handled by its owner, in the order of its key. The
 * answer waits for that: 202 with the operation's address when it is committed, 409 when the owner refuses, 422 when
 * the data does not fit. Also serves `GET /operations/{id}` and `GET /openapi.json`.
 *
 * @throws {Failure} OPTION_INVALID when a route is written wrongly, or does not send a command.
 * @example
 * ```ts no-run
 * import { Hono } from "hono";
 * import { command, commandRoutes, millrace, service } from "millrace";
 * import { z } from "zod";
 *
 * const placeOrder = command("place-order", z.object({ orderId: z.string() }), { key: "orderId" });
 * const app = millrace({ services: [service("orders").handle(placeOrder, () => {})] });
 * const server = new Hono();
 * server.route("/api", commandRoutes(app, { routes: { "POST /orders": placeOrder } }));
 * await app.start();
 * ```
 */
export function commandRoutes(app: Routable, options: CommandRouteOptions): Hono {
  return routesOf(app, options, () => false);
}

/** The same, for a server that says when it ends. */
export function routesOf(app: Routable, options: CommandRouteOptions, stopping: () => boolean): Hono {
  checkOptions(options, optionNames, { where: "commandRoutes" });
  const rows = readRowsRoutes(options.routes);
  const routes = readRoutes(options.routes);
  const wait = options.wait ?? "10s";
  durationMs(wait, "http.wait");
  const hono = new Hono();
  hono.onError((error, c) => answerProblem(c, error, app[running]?.logger ?? silentLogger));
  hono.use(guard({ hosts: options.allowedHosts, origins: options.allowedOrigins ?? [], plain: false }));
  for (const route of routes) hono.on(route.method, route.path, (c) => takeCommand(c, { app, route, wait }));
  addRowsRoutes(hono, rows, { app, stopping });
  hono.get("/operations/:id", (c) => showOperation(c, live(app)));
  hono.get("/openapi.json", (c) =>
    c.json(openApiDocument({ routes, rows, title: options.title ?? "Millrace", base: basePath(c) })),
  );
  return hono;
}

function live(app: Routable): Running {
  const found = app[running];
  if (found === undefined) throw new Failure("APP_STOPPED", "the app is not running; start it, or try again shortly");
  return found;
}

async function takeCommand(c: Context, what: { app: Routable; route: Route; wait: Duration }): Promise<Response> {
  const { app, route } = what;
  live(app);
  const key = idempotencyKey(c);
  const body = await readJson(c, route.name);
  const data = commandData(route, { params: c.req.param(), query: c.req.query(), body });
  // Nobody has checked the data so far: `send` does, against the contract.
  const operation = await app.send(route.contract(data as never), {
    waitFor: "handled",
    timeout: what.wait,
    ...(key === undefined ? {} : { idempotency: { scope: route.name, key } }),
  });
  return answerOperation(c, operation, route);
}

/** Printable ASCII, because it is stored, compared and logged. Node joins headers of one name: two keys are no key. */
function idempotencyKey(c: Context): string | undefined {
  const incoming = (c.env as Partial<HttpBindings> | undefined)?.incoming;
  if ((incoming?.headersDistinct["idempotency-key"]?.length ?? 0) > 1)
    throw new Failure("REQUEST_INVALID", "the header Idempotency-Key is there more than once; one request has one key");
  const key = c.req.header("idempotency-key");
  if (key === undefined || /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new Failure("REQUEST_INVALID", "the header Idempotency-Key must be 1 to 255 printable ASCII characters");
}

function answerOperation(c: Context, operation: Sent, route: Route): Response {
  const address = addressOf(c, operation.id);
  c.header("location", address);
  c.header("cache-control", "no-store");
  const details = { operation: operation.id, correlationId: operation.correlationId };
  if (operation.state === "refused") throw refusal(operation, route, details);
  if (operation.state === "failed") {
    throw new Failure(
      "COMMAND_FAILED",
      `${route.declaration.type} could not be handled; an operator can mend and redrive it`,
      {
        details,
      },
    );
  }
  const { token } = operation;
  c.header(tokenHeader, token);
  return c.json({ ...details, state: operation.state, token, links: { self: address } }, 202);
}

/** An owner that refuses because of the data says so with the code that the contract would have used. */
function refusal(operation: Operation, route: Route, details: Readonly<Record<string, string>>): Failure {
  const reason = operation.refused ?? "no reason given";
  const text = `${route.declaration.type} was refused: ${operation.detail ?? reason}`;
  const code = operation.refused === "CONTRACT_REJECTED" ? "CONTRACT_REJECTED" : "COMMAND_REFUSED";
  return new Failure(code, text, { details: { ...details, refused: reason } });
}

async function showOperation(c: Context, { engine }: Running): Promise<Response> {
  const id = c.req.param("id") ?? "";
  const operation = await engine.inspect.operation(id);
  if (operation === undefined) throw new Failure("NOT_FOUND", "there is no operation of this id");
  const standing = await standingOf(engine.inspect, operation);
  c.header("cache-control", "no-store");
  return c.json({
    operation: operation.id,
    command: operation.command,
    state: standing.state,
    correlationId: operation.correlationId,
    created: new Date(operation.created).toISOString(),
    ...(operation.finished === undefined ? {} : { finished: new Date(operation.finished).toISOString() }),
    ...(operation.refused === undefined ? {} : { refused: operation.refused }),
    ...(operation.detail === undefined ? {} : { detail: operation.detail }),
    ...(standing.dead.length === 0 ? {} : { dead: standing.dead }),
    links: { self: addressOf(c, operation.id) },
  });
}

/** Where the operation is found, also when the routes are mounted below a path. */
function addressOf(c: Context, operation: string): string {
  const base = basePath(c);
  return `${base === "/" ? "" : base.replace(/\/$/, "")}/operations/${encodeURIComponent(operation)}`;
}
