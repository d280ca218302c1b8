import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { command } from "../contract/event.js";
import { openApiDocument } from "./openapi.js";
import { readRoutes } from "./route.js";

type Json = Record<string, unknown>;

const Line = z.object({ sku: z.string(), quantity: z.int().min(1) });
const Category = z.object({
  name: z.string(),
  get children() {
    return z.array(Category).optional();
  },
});
const placeOrder = command(
  "place-order",
  z.object({ orderId: z.string(), lines: z.array(Line), at: z.iso.datetime().optional() }),
  { key: "orderId" },
);
const fileUnder = command("file-under", z.object({ shelf: z.int(), category: Category }), { key: "shelf" });

const document = openApiDocument({
  title: "Shop",
  base: "/api",
  routes: readRoutes({
    "POST /orders": placeOrder,
    "PUT /orders/:orderId": placeOrder,
    "PATCH /shelves/{shelf}": fileUnder,
    "DELETE /shelves/{shelf}": {
      command: fileUnder,
      from: ({ params }) => ({ shelf: Number(params.shelf), category: { name: "none" } }),
    },
  }),
}) as Json;

/** Every value below `value`, with its place. */
function* walk(value: unknown, path = "#"): Generator<[string, Json]> {
  if (typeof value !== "object" || value === null) return;
  yield [path, value as Json];
  for (const [name, child] of Object.entries(value)) yield* walk(child, `${path}/${name}`);
}

describe("the OpenAPI document", () => {
  it("has the parts that OpenAPI 3.1 requires, of the right kinds", () => {
    expect(document).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\.\d+$/),
      info: { title: "Shop", version: expect.any(String) },
    });
    expect(document.servers).toEqual([{ url: "/api" }]);
    const ids = new Set<string>();
    for (const [path, item] of Object.entries(document.paths as Record<string, Json>)) {
      expect(path).toMatch(/^\//);
      for (const [method, operation] of Object.entries(item as Record<string, Json>)) {
        expect(["get", "post", "put", "patch", "delete"]).toContain(method);
        ids.add(operation.operationId as string);
        const responses = operation.responses as Record<string, Json>;
        expect(Object.keys(responses).every((status) => /^[1-5]\d\d$/.test(status))).toBe(true);
        for (const response of Object.values(responses)) expect(response.description).toEqual(expect.any(String));
        // Each template of the path is a required parameter, and each path parameter is in the template.
        const declared = (operation.parameters as Json[]).filter((parameter) => parameter.in === "path");
        expect(declared.map((parameter) => parameter.name)).toEqual(
          [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
        );
        for (const parameter of declared)
          expect(parameter).toMatchObject({ required: true, schema: expect.any(Object) });
      }
    }
    expect(ids.size).toBe(5);
  });

  it("refers only to what it contains", () => {
    const resources = new Map<string, Json>([["", document]]);
    for (const [, value] of walk(document)) if (typeof value.$id === "string") resources.set(value.$id, value);
    const inside = (root: Json, reference: string): unknown =>
      reference
        .replace(/^#\/?/, "")
        .split("/")
        .filter((part) => part !== "")
        .reduce<unknown>(
          (at, part) => (at as Json | undefined)?.[part.replaceAll("~1", "/").replaceAll("~0", "~")],
          root,
        );
    let references = 0;
    const check = (value: unknown, root: Json): void => {
      if (typeof value !== "object" || value === null) return;
      const here = typeof (value as Json).$id === "string" ? (value as Json) : root;
      const reference = (value as Json).$ref;
      if (typeof reference === "string") {
        references += 1;
        expect(inside(here, reference), reference).toBeDefined();
      }
      for (const child of Object.values(value)) check(child, here);
    };
    check(document, document);
    expect(references).toBeGreaterThan(5);
  });

  it("has schemas that compile, and that take and refuse as the contracts do", () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const schemas = (document.components as { schemas: Record<string, Json> }).schemas;
    for (const schema of Object.values(schemas)) ajv.compile(schema);
    const order = new Ajv2020({ strict: false, validateFormats: false }).compile(schemas["place-order.v1"] as Json);
    expect(order({ orderId: "o", lines: [{ sku: "s", quantity: 1 }] })).toBe(true);
    expect(order({ orderId: "o", lines: [{ sku: "s", quantity: 0 }] })).toBe(false);
  });

  it("leaves what the path says out of the body", () => {
    const paths = document.paths as Record<
      string,
      Record<string, { requestBody: { content: Record<string, { schema: Json }> }; parameters: Json[] }>
    >;
    const body = paths["/orders/{orderId}"]?.put?.requestBody.content["application/json"]?.schema;
    expect(body).toMatchObject({ required: ["lines"] });
    expect(Object.keys(body?.properties as Json)).toEqual(["lines", "at"]);
    expect(paths["/shelves/{shelf}"]?.patch?.parameters[0]).toMatchObject({
      name: "shelf",
      schema: { type: "integer" },
    });
    expect(paths["/shelves/{shelf}"]?.delete?.requestBody.content["application/json"]?.schema).toEqual({});
  });
});
