import { checkOptions } from "../runtime/options.js";
import type { Contract, EventName } from "./contract.js";
import { callable, Declared } from "./declared.js";
import { requireKey } from "./key.js";
import { checkEventName, checkKebabName, checkVersion } from "./names.js";
import { compileSchema, type Out, type StandardSchema } from "./schema.js";

/**
 * Declares an event: an immutable fact. A topic gives it a place.
 *
 * @param type past tense, dotted: `order.placed`
 * @throws {Failure} CONTRACT_INVALID when the name is wrong or the schema holds what JSON cannot.
 * @example
 * ```ts
 * import { event } from "millrace";
 * import { z } from "zod";
 *
 * const placed = event("order.placed", z.object({ orderId: z.string(), totalPence: z.int() }));
 * placed({ orderId: "o-1", totalPence: 1250 }); // a message, for publish
 * ```
 */
export function event<const Type extends EventName, S extends StandardSchema>(
  type: Type,
  schema: S,
  options: { readonly version?: number } = {},
): Contract<Type, Out<S>> {
  checkEventName(type);
  checkOptions(options, { version: true }, { where: type, code: "CONTRACT_INVALID" });
  const version = options.version ?? 1;
  checkVersion(version, type);
  return callable(
    new Declared({ kind: "event", type, version, key: "", schema: compileSchema(schema, `${type} v${version}`) }),
  );
}

/**
 * Declares a command: a request to the one service that handles it, which may refuse.
 *
 * @param type imperative, without a dot: `process-payment`
 * @throws {Failure} CONTRACT_INVALID when the name or key is wrong or the schema holds what JSON cannot.
 * @example
 * ```ts
 * import { command } from "millrace";
 * import { z } from "zod";
 *
 * const processPayment = command("process-payment", z.object({ orderId: z.string(), pence: z.int() }), { key: "orderId" });
 * processPayment({ orderId: "o-1", pence: 1250 }); // a message, for send
 * ```
 */
export function command<const Type extends string, S extends StandardSchema>(
  type: Type,
  schema: S,
  options: { readonly key: keyof Out<S> & string; readonly version?: number },
): Contract<Type, Out<S>> {
  checkKebabName(type, "a command");
  checkOptions(options, { key: true, version: true }, { where: type, code: "CONTRACT_INVALID" });
  const version = options.version ?? 1;
  checkVersion(version, type);
  const where = `${type} v${version}`;
  const compiled = compileSchema(schema, where);
  requireKey(compiled.jsonSchema, options.key, where);
  return callable(new Declared({ kind: "command", type, version, key: options.key, schema: compiled }));
}
