import { checkPattern, isPlain } from "./pattern.js";
import { formats } from "./wire-check.js";

type JsonSchema = Record<string, unknown>;

/** Keywords whose values are data, not schemas. */
const dataKeywords = new Set(["const", "enum", "default", "examples"]);

/**
 * A copy of a derived JSON Schema that the wire check can run.
 *
 * @throws {Failure} CONTRACT_INVALID when it holds a pattern that cannot run in bounded time.
 */
export function prepareJsonSchema(
  schema: JsonSchema,
  options: { readonly vendor: string; readonly where: string },
): JsonSchema {
  // A root id would collide when two declarations share a schema.
  const { $id: _id, ...copy } = structuredClone(schema);
  visit(copy, (node) => {
    // zod puts the pattern of its own formats beside the format, and keeps a user's apart. One of the two is enough:
    // formats are checked ten times as fast.
    if (options.vendor === "zod" && typeof node.format === "string" && formats.has(node.format)) delete node.pattern;
    if (typeof node.pattern === "string") checkPattern(node.pattern, options.where);
    const named = node.patternProperties;
    if (isObject(named)) for (const pattern of Object.keys(named)) checkPattern(pattern, options.where);
  });
  return copy;
}

/** Whether a prepared schema has a pattern that JavaScript's own engine could spend long on. */
export function hasCostlyPattern(schema: JsonSchema): boolean {
  let found = false;
  visit(schema, ({ pattern }) => {
    if (typeof pattern === "string" && !isPlain(pattern)) found = true;
  });
  return found;
}

function visit(node: unknown, see: (node: JsonSchema) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) visit(item, see);
  } else if (isObject(node)) {
    see(node);
    for (const [keyword, value] of Object.entries(node)) if (!dataKeywords.has(keyword)) visit(value, see);
  }
}

/** Keywords that say what type a value has; the others only narrow it. */
const shapeKeywords = ["type", "const", "enum", "$ref", "items", "prefixItems", "anyOf", "oneOf", "allOf"] as const;

/**
 * Whether two JSON Schemas describe values of one shape: what is written in the one can be read by the other.
 *
 * The two directions of one schema differ in what is required and what may be added; that is no difference here.
 */
export function sameShape(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => sameShape(item, b[i]));
  if (!isObject(a) || !isObject(b)) return a === b || (isObject(a) ? b : a) === undefined;
  for (const keyword of shapeKeywords) {
    if ((a[keyword] === undefined) !== (b[keyword] === undefined) || !sameShape(a[keyword], b[keyword])) return false;
  }
  return sameNames(a.properties, b.properties) && sameNames(a.$defs, b.$defs) && sameRest(a, b);
}

/**
 * Whether values of a schema may have parts of any type. In zod's output direction, every other object is a fresh one
 * with the declared properties alone.
 */
export function hasOpenPart(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.some(hasOpenPart);
  if (!isObject(schema)) return schema === true;
  if (typeKeywords.every((keyword) => schema[keyword] === undefined)) return true;
  const { type, additionalProperties: rest, properties, $defs } = schema;
  if (type === "object" && (rest === undefined || rest === true)) return true;
  const named = [properties, $defs].flatMap((parts) => (isObject(parts) ? Object.values(parts) : []));
  const { items, prefixItems, anyOf, oneOf, allOf } = schema;
  return [...named, rest, items, prefixItems, anyOf, oneOf, allOf].some(hasOpenPart);
}

const typeKeywords = ["type", "const", "enum", "$ref", "anyOf", "oneOf", "allOf", "not"] as const;

function sameNames(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return a === b;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => name in b && sameShape(a[name], b[name]));
}

/** Of records: the schema of the values. `false` and absence only say whether more may come. */
function sameRest(a: JsonSchema, b: JsonSchema): boolean {
  const [restA, restB] = [a.additionalProperties, b.additionalProperties];
  return !isObject(restA) || !isObject(restB) || sameShape(restA, restB);
}

/** Whether every value of a schema's type may have the property: looks into references and alternatives. */
export function hasProperty(schema: unknown, name: string, root: unknown = schema, depth = 0): boolean {
  if (!isObject(schema) || depth > 16) return false;
  const inside = (part: unknown): boolean => hasProperty(part, name, root, depth + 1);
  const { properties, allOf, anyOf, oneOf, $ref } = schema;
  if (isObject(properties) && Object.hasOwn(properties, name)) return true;
  if (typeof $ref === "string" && inside(resolve($ref, root))) return true;
  if (Array.isArray(allOf) && allOf.some(inside)) return true;
  return [anyOf, oneOf].some((branches) => Array.isArray(branches) && branches.length > 0 && branches.every(inside));
}

/** Follows a pointer within one document, like `#/$defs/Order`. */
function resolve(ref: string, root: unknown): unknown {
  let node = root;
  for (const part of ref.replace(/^#\/?/, "").split("/").filter(Boolean))
    node = isObject(node) ? node[part] : undefined;
  return node;
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
