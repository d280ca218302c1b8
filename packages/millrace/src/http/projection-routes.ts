import type { Context, Hono } from "hono";
import { streamSSE } from "hono/streaming";
import type { App } from "../app/app.js";
import { Failure, isFailure } from "../failure/failure.js";
import { type Projection, type ProjectionFacts, projectionFacts } from "../projection/projection.js";
import type { ProjectionRoute, RouteTable } from "./http.js";

/** A route that answers with rows, checked. */
export interface RowsRoute {
  readonly name: string;
  /** In Hono's form: `/orders/:orderId`. */
  readonly path: string;
  /** The path's parameter that is the row's key; undefined when the route finds rows. */
  readonly param: string | undefined;
  readonly projection: Projection<unknown>;
  readonly facts: ProjectionFacts;
}

/** What rows are served with. */
export interface RowsHost {
  readonly app: App;
  /** True once the server is to end. */
  stopping(): boolean;
}

const heartbeatMs = 15_000;
const reserved = ["after", "cursor", "limit", "order"] as const;
const bounds = ["gt", "gte", "lt", "lte"] as const;

/**
 * The routes of a table that begin with GET.
 *
 * @throws {Failure} OPTION_INVALID when a name is not a method and path, or what it names is no projection.
 */
export function readRowsRoutes(table: RouteTable): readonly RowsRoute[] {
  return Object.entries(table).flatMap(([name, target]) => {
    if (!name.startsWith("GET ")) return [];
    const path = /^GET (\/[\w\-./{}:~]*)$/.exec(name)?.[1]?.replace(/\{(\w+)\}/g, ":$1");
    if (path === undefined || /[{}]/.test(path)) throw invalid(name, 'is not like "GET /orders/{orderId}"');
    const params = [...path.matchAll(/:(\w+)/g)].map((match) => match[1] as string);
    if (params.length > 1) throw invalid(name, "has two parameters; one of them is the row's key");
    const projection = target as ProjectionRoute as Projection<unknown>;
    return [{ name, path, param: params[0], projection, facts: projectionFacts(projection) }];
  });
}

/** Serves rows: one by its key, or those that the query asks for; to who accepts `text/event-stream`, their changes. */
export function addRowsRoutes(hono: Hono, routes: readonly RowsRoute[], host: RowsHost): void {
  for (const route of routes)
    hono.get(route.path, (c) => {
      c.header("cache-control", "no-store");
      return (c.req.header("accept") ?? "").includes("text/event-stream")
        ? streamChanges(c, route, host)
        : answerRows(c, route, host);
    });
}

async function answerRows(c: Context, route: RowsRoute, { app }: RowsHost): Promise<Response> {
  const rows = app.projection(route.projection);
  const after = c.req.query("after");
  if (after !== undefined) await rows.reached(after);
  if (route.param !== undefined) {
    const id = c.req.param(route.param) ?? "";
    const row = await rows.get(id);
    if (row === undefined) throw new Failure("NOT_FOUND", `there is no row of this key`);
    return c.json(row as object);
  }
  const { order, limit, cursor } = c.req.query();
  const options = {
    ...(order === undefined ? {} : { order }),
    ...(limit === undefined ? {} : { limit: Number(limit) }),
    ...(cursor === undefined ? {} : { after: cursor }),
  };
  try {
    const page = await rows.find(whereOf(c, route.facts) as never, options as never);
    return c.json({ ...page, next: page.next ?? null });
  } catch (error) {
    // The caller asks for it, not the program.
    throw isFailure(error, "INDEX_MISSING") ? new Failure("REQUEST_INVALID", error.message, { cause: error }) : error;
  }
}

/**
 * `status=placed` equals, `totalPence.gte=100` bounds. Everything in a query is text; numbers are meant where the schema has them.
 *
 * @throws {Failure} REQUEST_INVALID when it says two things of a field that cannot both be meant.
 */
function whereOf(c: Context, { schema }: ProjectionFacts): object {
  const where = new Map<string, unknown>();
  const seen = new Set<string>();
  for (const [name, value] of new URL(c.req.url).searchParams) {
    if (seen.has(name)) throw unclear(`the query has ${name} twice; ask for one value`);
    seen.add(name);
    if (reserved.some((one) => one === name)) continue;
    const dot = name.lastIndexOf(".");
    const bound = dot < 0 ? undefined : bounds.find((one) => one === name.slice(dot + 1));
    const field = bound === undefined ? name : name.slice(0, dot);
    const before = where.get(field);
    if (before !== undefined && (bound === undefined || typeof before !== "object"))
      throw unclear(`the query has a value and a bound for ${field}; ask for one of them`);
    const typed = typedValue(schema, field, value);
    where.set(field, bound === undefined ? typed : { ...(before as object | undefined), [bound]: typed });
  }
  return Object.fromEntries(where);
}

function unclear(problem: string): Failure {
  return new Failure("REQUEST_INVALID", problem);
}

function typedValue(schema: ProjectionFacts["schema"], field: string, value: string): string | number | boolean {
  const properties = schema.properties as Readonly<Record<string, { readonly type?: unknown }>> | undefined;
  const type = properties?.[field]?.type;
  if (type === "boolean" && (value === "true" || value === "false")) return value === "true";
  if (type !== "integer" && type !== "number") return value;
  const number = Number(value);
  if (value.trim() !== "" && Number.isFinite(number)) return number;
  throw unclear(`the query has ${JSON.stringify(value)} for ${field}, which is a number`);
}

/** Frames: `ready` and `gap` without rows, `row` with key and row (null: deleted). Their ids resume, as Last-Event-ID. */
function streamChanges(c: Context, route: RowsRoute, { app, stopping }: RowsHost): Response {
  const rows = app.projection(route.projection);
  const after = c.req.header("last-event-id");
  const ended = new AbortController();
  const changes = rows.subscribe({
    signal: ended.signal,
    ...(route.param === undefined ? {} : { id: c.req.param(route.param) ?? "" }),
    ...(after === undefined || after === "" ? {} : { after }),
  });
  return streamSSE(c, async (stream) => {
    stream.onAbort(() => ended.abort());
    const beat = setInterval(() => void stream.write(": \n\n"), heartbeatMs);
    const look = setInterval(() => stopping() && ended.abort(), 100);
    try {
      for await (const change of changes) {
        const { type, cursor } = change;
        const data = change.type === "row" ? { id: change.id, row: change.row ?? null } : {};
        await stream.writeSSE({ event: type, id: cursor, data: JSON.stringify(data) });
      }
    } finally {
      clearInterval(beat);
      clearInterval(look);
    }
  });
}

function invalid(name: string, problem: string): Failure {
  return new Failure("OPTION_INVALID", `http.routes ${JSON.stringify(name)} ${problem}`, {
    details: { option: "http.routes" },
  });
}
