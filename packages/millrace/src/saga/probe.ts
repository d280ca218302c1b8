import { contractDeclaration, type Message } from "../contract/contract.js";
import type { ContractDeclaration } from "../contract/declaration.js";

/** What a function makes of whatever state: which message, and where its key comes from. */
export interface Probed {
  readonly message: Message<string, unknown>;
  readonly declaration: ContractDeclaration;
  /** The place of the state that the key is read from, or its constant value; undefined when it cannot be told. */
  readonly key: string | undefined;
}

/** More than any function reads of a state: one that reads without end is given up. */
const readsMax = 10_000;

/**
 * Calls a function with a value that stands for any state: whatever is read of it is another such value, which knows
 * where it was read. Undefined when the function does not come to an end with it: then nothing is known before it runs.
 */
export function probe(make: (...args: never[]) => Message<string, unknown>): Probed | undefined {
  const places = new WeakMap<object, string>();
  let reads = 0;
  const stand = (place: string): object => {
    const standing = new Proxy(() => undefined, {
      get(_, name) {
        reads += 1;
        if (reads > readsMax) throw new Error("this function reads without end");
        if (name === Symbol.toPrimitive || name === "toString" || name === "toJSON") return () => place;
        if (name === Symbol.iterator) return () => [][Symbol.iterator]();
        if (name === "length") return 0;
        if (typeof name === "symbol" || name === "then") return undefined;
        return stand(`${place}.${name}`);
      },
      apply: () => stand(`${place}()`),
    });
    places.set(standing, place);
    return standing;
  };
  try {
    const message = make(stand("state") as never, stand("more") as never);
    const declaration = contractDeclaration(message);
    const value = (message.data as Readonly<Record<string, unknown>> | undefined)?.[declaration.key];
    return { message, declaration, key: placeOf(value, places) };
  } catch {
    return undefined;
  }
}

function placeOf(value: unknown, places: WeakMap<object, string>): string | undefined {
  if (typeof value === "string" || typeof value === "number") return JSON.stringify(value);
  const known = typeof value === "object" || typeof value === "function" ? value : null;
  return known === null ? undefined : places.get(known);
}
