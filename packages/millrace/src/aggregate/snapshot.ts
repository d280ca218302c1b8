import { isDeepStrictEqual } from "node:util";

/** A state as JSON; undefined when it would not come back as it is: it holds dates, maps, undefined or numbers JSON lacks. */
export function snapshotText(state: unknown): string | undefined {
  try {
    const text = JSON.stringify(state);
    return text !== undefined && isDeepStrictEqual(JSON.parse(text), state) ? text : undefined;
  } catch {
    return undefined;
  }
}
