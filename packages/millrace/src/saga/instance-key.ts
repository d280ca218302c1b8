import { type AnyEvent, contractDeclaration, type Received } from "../contract/contract.js";
import { hasProperty } from "../contract/json-schema.js";
import { keyText } from "../contract/key.js";
import { Failure } from "../failure/failure.js";

/**
 * The instance that an event is for.
 *
 * @throws {Failure} EVENT_REJECTED when the field holds no key.
 */
export function instanceKey({ type, data }: Received<string, unknown>, field: string, where: string): string {
  const found = keyText((data as Readonly<Record<string, unknown>> | null)?.[field]);
  if (found.ok) return found.key;
  throw new Failure("EVENT_REJECTED", `${where}: /${field} of ${type} ${found.reason}`);
}

/**
 * Refuses events that do not say which instance they are for.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function checkKeys(events: readonly AnyEvent[], field: string, where: string): void {
  for (const event of events) {
    const { jsonSchema, type } = contractDeclaration(event);
    if (!hasProperty(jsonSchema, field))
      throw new Failure(
        "OPTION_INVALID",
        `${where}: ${type} has no field ${JSON.stringify(field)}, so it is of no instance`,
      );
  }
}
