import { limits } from "../contract/limits.js";
import type { RowsRoute } from "./projection-routes.js";
import type { Route } from "./route.js";

type Json = Readonly<Record<string, unknown>>;

/** An OpenAPI 3.1 document of the routes, made from the contracts. */
export function openApiDocument(what: {
  routes: readonly Route[];
  rows?: readonly RowsRoute[];
  title: string;
  base: string;
}): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of what.routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route);
  }
  for (const route of what.rows ?? []) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], get: rowsOf(route) };
  }
  paths["/operations/{operation}"] = { get: showOperation };
  return {
    openapi: "3.1.0",
    info: { title: what.title, version: "1" },
    servers: [{ url: what.base }],
    paths,
    components: {
      schemas: { ...Object.fromEntries(what.routes.map(schemaEntry)), Problem: problem, Operation: operation },
    },
  };
}

function operationOf(route: Route): Json {
  const { type } = route.declaration;
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replace(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary: `Sends the command ${type}.`,
    parameters: [...route.params.map((name) => pathParameter(route, name)), idempotencyKey],
    requestBody: {
      required: route.params.length === 0,
      content: { "application/json": { schema: bodySchema(route) } },
    },
    responses: {
      202: {
        description: "Stored on disk. `committed`: its owner has handled it. `accepted`: it will.",
        headers: {
          Location: { description: "The operation.", schema: { type: "string" } },
          "Millrace-Token": { description: "The causality token, as in the body.", schema: { type: "string" } },
        },
        content: { "application/json": { schema: { $ref: "#/components/schemas/Operation" } } },
      },
      400: refused("The request is not written as it must be."),
      409: refused("The owner of the command refuses it."),
      413: refused(`The body is larger than ${limits.bytesMax} bytes.`),
      415: refused("The body is not sent as JSON."),
      422: refused("The data does not fit the contract, or the idempotency key came back with another request."),
      503: refused("The server cannot store it now; try again."),
    },
  };
}

function rowsOf({ path, param, facts }: RowsRoute): Json {
  const text = (name: string, description: string): Json => ({
    name,
    in: "query",
    description,
    schema: { type: "string" },
  });
  const found = { type: "object", properties: { rows: { type: "array", items: facts.schema }, next: {} } };
  const key = { name: param, in: "path", required: true, schema: { type: "string" } };
  const asked = ["order", "limit", "cursor", ...facts.indexes].map((name) =>
    text(name, "See the docs of projections."),
  );
  return {
    operationId: `get${path.replace(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary: `Rows of the projection ${facts.name}; with Accept: text/event-stream, their changes.`,
    parameters: [text("after", "A causality token."), ...(param === undefined ? asked : [key])],
    responses: {
      200: {
        description: param === undefined ? "Rows, and where the next page begins." : "The row.",
        content: { "application/json": { schema: param === undefined ? found : facts.schema } },
      },
      400: refused("The request is not written as it must be, or asks for a field without an index."),
      ...(param === undefined ? {} : { 404: refused("There is no row of this key.") }),
      409: refused("A dead letter keeps the projection from the events of the token."),
      503: refused("The projection has not come to the events of the token yet; try again."),
    },
  };
}

/** With a `from` of the user's own, only the user knows the body. Path parameters need not be repeated in the body. */
function bodySchema(route: Route): Json {
  if (route.from !== undefined) return {};
  if (route.params.length === 0) return { $ref: `#/components/schemas/${schemaName(route)}` };
  const { properties, required, ...rest } = plainSchema(route);
  const own = Object.entries((properties ?? {}) as Json).filter(([name]) => !route.params.includes(name));
  const left = ((required ?? []) as readonly string[]).filter((name) => !route.params.includes(name));
  return { ...rest, properties: Object.fromEntries(own), ...(left.length === 0 ? {} : { required: left }) };
}

function pathParameter(route: Route, name: string): Json {
  const properties = (route.declaration.jsonSchema.properties ?? {}) as Readonly<Record<string, Json>>;
  const own = properties[name];
  const simple = own !== undefined && ["string", "integer", "number"].includes(own.type as string);
  return { name, in: "path", required: true, schema: simple && route.from === undefined ? own : { type: "string" } };
}

const schemaName = (route: Route): string => `${route.declaration.type}.v${route.declaration.version}`;
const schemaEntry = (route: Route): readonly [string, Json] => [schemaName(route), plainSchema(route)];

/** `#/$defs/…` inside a contract's schema means that schema, not this document: an `$id` of its own says so. */
function plainSchema(route: Route): Json {
  const { $schema: _, ...schema } = route.declaration.jsonSchema;
  if (!JSON.stringify(schema).includes('"$ref"')) return schema;
  return { $id: `urn:millrace:contract:${schemaName(route)}`, ...schema };
}

const refused = (description: string): Json => ({
  description,
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
});

const idempotencyKey: Json = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description: "The same key on the same route is the same command, however often it is sent.",
  schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[ -~]+$" },
};

const problem: Json = {
  type: "object",
  required: ["type", "title", "status", "detail", "instance"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    instance: { type: "string" },
    code: { type: "string" },
    path: { type: "string", description: "Where in the data." },
    refused: { type: "string", description: "The owner's reason." },
    operation: { type: "string" },
  },
};

const operation: Json = {
  type: "object",
  required: ["operation", "state", "correlationId"],
  properties: {
    operation: { type: "string" },
    state: { type: "string", enum: ["accepted", "committed", "settled", "refused", "failed"] },
    correlationId: { type: "string" },
    token: {
      type: "string",
      description: "Given as `after` to a projection, the answer holds what the command changed.",
    },
    links: { type: "object", properties: { self: { type: "string" } } },
  },
};

const showOperation: Json = {
  operationId: "getOperation",
  summary: "How far a command and everything it caused have come.",
  parameters: [{ name: "operation", in: "path", required: true, schema: { type: "string" } }],
  responses: {
    200: {
      description: "The operation.",
      content: { "application/json": { schema: { $ref: "#/components/schemas/Operation" } } },
    },
    404: refused("There is no such operation."),
  },
};
