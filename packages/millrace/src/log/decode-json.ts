import { isUtf8 } from "node:buffer";

/** Far past what a consumer takes, and far from where writing it again, in a lane entry, would exhaust the stack. */
const depthMax = 500;

/** JSON text, and what it says. */
export interface DecodedJson {
  readonly text: string;
  readonly data: unknown;
}

/** What bytes say as JSON in UTF-8; undefined when they are not that, or too deep to be written again. */
export function decodeJson(bytes: Uint8Array): DecodedJson | undefined {
  if (!isUtf8(bytes)) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  try {
    const data: unknown = JSON.parse(text);
    // Each level takes two characters at least.
    return text.length > depthMax * 2 && isDeep(data, depthMax) ? undefined : { text, data };
  } catch {
    return undefined;
  }
}

function isDeep(value: unknown, left: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value).some((child) => isDeep(child, left - 1));
}
