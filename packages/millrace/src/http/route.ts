import { type AnyContract, contractDeclaration } from "../contract/contract.js";
import type { ContractDeclaration } from "../contract/declaration.js";
import { Failure } from "../failure/failure.js";
import { checkOptions } from "../runtime/options.js";
import type { CommandRoute, CommandRouteTable, RequestFacts } from "./http.js";

/** A route, checked. */
export interface Route {
  /** As the user wrote it: messages name it, and idempotency keys are unique within it. */
  readonly name: string;
  readonly method: string;
  /** In Hono's form: `/orders/:orderId`. */
  readonly path: string;
  readonly params: readonly string[];
  readonly contract: AnyContract;
  readonly declaration: ContractDeclaration;
  readonly from: ((request: RequestFacts) => unknown) | undefined;
}

/**
 * The routes of a table.
 *
 * @throws {Failure} OPTION_INVALID when a name is not a method and path, two routes are the same, or one does not send a command.
 */
export function readRoutes(table: CommandRouteTable): readonly Route[] {
  const seen = new Set<string>();
  const commands = Object.entries(table).filter(([name]) => !name.startsWith("GET "));
  return commands.map(([name, target]) => {
    const route = readRoute(name, target);
    const shape = `${route.method} ${route.path.replace(/:\w+/g, ":")}`;
    if (seen.has(shape)) throw invalid(name, "matches the same requests as another route; remove one");
    seen.add(shape);
    return route;
  });
}

function readRoute(name: string, target: CommandRoute): Route {
  const [, method = "", written = ""] = /^(POST|PUT|PATCH|DELETE) (\/[\w\-./{}:~]*)$/.exec(name) ?? [];
  if (method === "") throw invalid(name, 'is not a method and a path; write it like "POST /orders/{orderId}"');
  const path = written.replace(/\{(\w+)\}/g, ":$1");
  if (/[{}]/.test(path)) throw invalid(name, "has a parameter that is not like {orderId}");
  if (typeof target !== "function")
    checkOptions(target, { command: true, from: true }, { where: `http.routes ${JSON.stringify(name)}` });
  const { command, from } = typeof target === "function" ? { command: target, from: undefined } : target;
  const declaration = contractDeclaration(command);
  if (declaration.kind !== "command") {
    throw invalid(
      name,
      `sends ${declaration.type}, which is an event; declare a command and publish the event from its handler`,
    );
  }
  const params = [...path.matchAll(/:(\w+)/g)].map((match) => match[1] as string);
  return { name, method, path, params, contract: command, declaration, from };
}

/**
 * The data of the command that a request asks for.
 *
 * @throws {Failure} CONTRACT_REJECTED when the body is no object, or says something else than the path.
 */
export function commandData(route: Route, request: RequestFacts): unknown {
  if (route.from !== undefined) return route.from(request);
  if (route.params.length === 0) return request.body;
  const body = request.body ?? {};
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw rejected(route, "/", "is not an object");
  const data: Record<string, unknown> = { ...body };
  for (const name of route.params) {
    const value = typed(route.declaration, name, request.params[name] ?? "");
    if (data[name] !== undefined && data[name] !== value)
      throw rejected(route, `/${name}`, "is not what the path says");
    data[name] = value;
  }
  return data;
}

/** Everything in a path is text; where the contract wants a number, a number is meant. */
function typed(declaration: ContractDeclaration, name: string, value: string): string | number {
  const properties = declaration.jsonSchema.properties as Readonly<Record<string, { type?: unknown }>> | undefined;
  const type = properties?.[name]?.type;
  const number = type === "integer" || type === "number" ? Number(value) : Number.NaN;
  return String(number) === value ? number : value;
}

function rejected(route: Route, path: string, reason: string): Failure {
  return new Failure(
    "CONTRACT_REJECTED",
    `${route.declaration.type} v${route.declaration.version}: ${path} ${reason}`,
    {
      details: { path },
    },
  );
}

function invalid(name: string, problem: string): Failure {
  return new Failure("OPTION_INVALID", `http.routes ${JSON.stringify(name)} ${problem}`, {
    details: { option: "http.routes" },
  });
}
