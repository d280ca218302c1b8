import { Failure } from "../failure/failure.js";
import { murmur2 } from "../log/murmur2.js";
import type { EventPlace, Operation } from "../store/unit.js";

/** Events in one token: it travels in a header. What an operation published beyond is looked up by its id. */
const placesMax = 32;

/** What a causality token names: events, and a command whose events were not known, or too many. */
export interface Token {
  readonly events: readonly EventPlace[];
  readonly operation: string | undefined;
}

// Grammar: "m1." base64url(JSON); JSON = [operation or null, [topic, partition, offset, type, key hash, source, id], …].
const prefix = "m1.";

/** The token of events that were published together. */
export function encodeToken({ events, operation }: Token): string {
  const rows = events.map(({ topic, partition, offset, type, keyHash, source, id }) => [
    ...[topic, partition, offset, type],
    ...[keyHash, source, id],
  ]);
  return prefix + Buffer.from(JSON.stringify([operation ?? null, ...rows])).toString("base64url");
}

/**
 * What a token names.
 *
 * @throws {Failure} OPTION_INVALID when it is none.
 */
export function decodeToken(token: unknown): Token {
  const text = typeof token === "string" && token.startsWith(prefix) ? token.slice(prefix.length) : "";
  try {
    const bytes = Buffer.from(text, "base64url");
    // Node passes over what is no base64url.
    if (bytes.toString("base64url") !== text) throw new Error("not as it was made");
    const [operation, ...rows] = JSON.parse(bytes.toString()) as [unknown, ...unknown[][]];
    const events = rows.slice(0, placesMax).map(placeOf);
    if (operation === null || typeof operation === "string") return { operation: operation ?? undefined, events };
  } catch {
    // It is refused below.
  }
  throw new Failure(
    "OPTION_INVALID",
    "after is no causality token; pass on what a command or a publish answered with",
    {
      details: { option: "after" },
    },
  );
}

function placeOf(row: readonly unknown[]): EventPlace {
  const [topic, partition, offset, type, keyHash, source, id] = row;
  const texts = [topic, type, source, id].every((one) => typeof one === "string");
  const numbers = [partition, offset, keyHash].every((one) => Number.isSafeInteger(one));
  if (!texts || !numbers || row.length !== 7) throw new Error("no place");
  return { topic, partition, offset, type, keyHash, source, id } as EventPlace;
}

/** The token of what a command published, as far as it is handled. */
export function operationToken({ id, state, events = [] }: Operation): string {
  // Of a key's events of one type, the last one is handled last.
  const last = new Map(
    events.map((event) => [`${event.topic}/${event.partition}/${event.keyHash}/${event.type}`, event]),
  );
  const known = (state === "committed" || state === "refused") && last.size <= placesMax;
  return encodeToken(known ? { events: [...last.values()], operation: undefined } : { events: [], operation: id });
}

/** Where a record is, once it has its offset. */
export function placeOfRecord(record: Omit<EventPlace, "keyHash"> & { readonly key: string }): EventPlace {
  const { topic, partition, offset, type, key, source, id } = record;
  return { topic, partition, offset, type, keyHash: murmur2(key), source, id };
}
