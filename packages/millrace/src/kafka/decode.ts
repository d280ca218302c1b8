import { decodeJson } from "../log/decode-json.js";
import type { Headers, LogRecord } from "../log/log.js";
import { type Attributes, attributeNames, noAttributes, readAttributes } from "./attributes.js";
import type { RawRecord } from "./batch-cursor.js";
import type { ByteReader } from "./bytes.js";
import { versionIn } from "./envelope.js";
import { type ForeignMapping, mapForeign } from "./foreign.js";

/** A record with its JSON text, from which fresh data can be made for a second reader. */
export interface Decoded {
  /** A reader has the record itself. */
  given: boolean;
  readonly record: LogRecord;
  /** Undefined when it is no JSON; then the record has its bytes. */
  readonly text: string | undefined;
  readonly size: number;
}

/** Of which topic records are, and how those of other programs are read. */
export interface DecodePlace {
  readonly topic: string;
  /** As Kafka calls it. */
  readonly kafkaTopic: string;
  readonly id: string;
  readonly partition: number;
  readonly foreign: ForeignMapping | undefined;
  /** Told of records that nobody has said how to read. */
  readonly unmapped: (where: string) => void;
}

const digit0 = 48;
const letterZ = 90;
const point = 46;
let lastDay = "";
let lastDayMs = 0;

const structured = "application/cloudevents";

/** A record as consumers get it. Nothing of it points into the buffer that it came in. */
export function decode(raw: RawRecord, place: DecodePlace): Decoded {
  const { reader, size } = raw;
  const keyLength = reader.varint();
  const key = keyLength < 0 ? undefined : reader.text(keyLength);
  const valueLength = reader.varint();
  const value = reader.bytes.subarray(reader.at, reader.at + Math.max(0, valueLength));
  reader.at += value.length;
  const headersAt = reader.at;
  const attributes = readAttributes(reader, key !== undefined);
  const { contentType = "application/json" } = attributes;
  if (contentType.startsWith(structured)) return unstructure(raw, { place, key, value, headersAt });
  if (attributes.type === undefined || attributes.id === undefined || attributes.source === undefined)
    return foreign(raw, { place, key, value, headersAt });
  const json = valueLength >= 0 && contentType.includes("json") ? decodeJson(value) : undefined;
  const record = recordOf({ raw, place, key, attributes, data: json?.data, bytes: json ? undefined : value });
  return { given: false, record, text: json?.text, size };
}

/** The parts of a record beside its attributes. */
interface Parts {
  readonly place: DecodePlace;
  readonly key: string | undefined;
  readonly value: Buffer;
  readonly headersAt: number;
}

function recordOf(from: {
  readonly raw: RawRecord;
  readonly place: DecodePlace;
  readonly key: string | undefined;
  readonly attributes: Attributes;
  readonly data: unknown;
  readonly bytes: Uint8Array | undefined;
}): LogRecord {
  const { raw, place, key, attributes, data, bytes } = from;
  const { id = "", time, dataschema, correlationid = id, causationid, hops } = attributes;
  const at = time === undefined ? Number.NaN : timeOf(time);
  return {
    topic: place.topic,
    partition: place.partition,
    offset: raw.offset,
    id,
    source: attributes.source ?? "",
    type: attributes.type ?? "",
    version: dataschema === undefined ? 1 : versionIn(dataschema),
    key: key ?? attributes.partitionkey ?? attributes.subject ?? "",
    time: Number.isNaN(at) ? raw.appended : at,
    appended: raw.appended,
    correlationId: correlationid,
    causationId: causationid,
    hops: hops === undefined ? 0 : wholeNumber(hops),
    headers: headersOf(attributes),
    data,
    bytes: bytes === undefined ? undefined : new Uint8Array(bytes),
  };
}

/** What `toISOString` writes, nearly always of a day that was met before; anything else is for the language to read. */
function timeOf(text: string): number {
  if (text.length !== 24 || text.charCodeAt(23) !== letterZ || text.charCodeAt(19) !== point) return Date.parse(text);
  const day = text.slice(0, 10);
  if (day !== lastDay) {
    lastDayMs = Date.parse(`${day}T00:00:00.000Z`);
    lastDay = day;
  }
  const two = (from: number) => (text.charCodeAt(from) - digit0) * 10 + text.charCodeAt(from + 1) - digit0;
  const ms = two(20) * 10 + text.charCodeAt(22) - digit0;
  return lastDayMs + ((two(11) * 60 + two(14)) * 60 + two(17)) * 1_000 + ms;
}

function headersOf({ actor, traceparent, tracestate, replyto, sequence }: Attributes): Headers | undefined {
  if (
    actor === undefined &&
    traceparent === undefined &&
    tracestate === undefined &&
    replyto === undefined &&
    sequence === undefined
  )
    return undefined;
  return {
    ...(actor === undefined ? {} : { actor }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
    ...(replyto === undefined ? {} : { replyto }),
    ...(sequence === undefined ? {} : { sequence: wholeNumber(sequence) }),
  };
}

function wholeNumber(text: string): number {
  const found = Number(text);
  return Number.isSafeInteger(found) && found >= 0 ? found : 0;
}

/** Structured mode: the value is the event, its attributes and its data. */
function unstructure(raw: RawRecord, parts: Parts): Decoded {
  const { place, key, value } = parts;
  const event = decodeJson(value)?.data;
  if (typeof event !== "object" || event === null) return foreign(raw, parts);
  const { data, data_base64: base64, ...rest } = event as Readonly<Record<string, unknown>>;
  const attributes = noAttributes();
  for (const name of attributeNames) {
    const found = rest[name];
    if (typeof found === "string" || typeof found === "number") attributes[name] = String(found);
  }
  if (attributes.type === undefined || attributes.id === undefined || attributes.source === undefined)
    return foreign(raw, parts);
  const packed = typeof base64 === "string" ? Buffer.from(base64, "base64") : undefined;
  const json = packed === undefined ? undefined : decodeJson(packed);
  const given = packed === undefined ? data : json?.data;
  const bytes = packed !== undefined && json === undefined ? packed : undefined;
  const text = bytes === undefined ? (JSON.stringify(given) ?? "null") : undefined;
  const said = bytes === undefined ? (given ?? null) : undefined;
  return { given: false, record: recordOf({ raw, place, key, attributes, data: said, bytes }), text, size: raw.size };
}

/** No CloudEvent: read as its topic's mapping says, or kept as it is. */
function foreign(raw: RawRecord, { place, key, value, headersAt }: Parts): Decoded {
  const json = decodeJson(value);
  const mapped = mapForeign(
    {
      partition: place.partition,
      offset: raw.offset,
      time: new Date(raw.appended),
      key: key ?? "",
      headers: allHeaders(raw.reader, headersAt),
      json: json?.data,
    },
    place.kafkaTopic,
    place.foreign,
  );
  if (place.foreign === undefined) place.unmapped(`${place.partition}@${raw.offset}`);
  const { type, source, id } = mapped;
  const attributes = { ...noAttributes(), type, source, id };
  const data = mapped.data === undefined ? json?.data : mapped.data.value;
  const text = mapped.data === undefined ? json?.text : JSON.stringify(data);
  const readable = !mapped.failed && text !== undefined;
  const record = recordOf({
    raw,
    place,
    key: mapped.key,
    attributes,
    data: readable ? data : undefined,
    bytes: readable ? undefined : value,
  });
  return {
    given: false,
    record: { ...record, version: mapped.version },
    text: readable ? text : undefined,
    size: raw.size,
  };
}

function allHeaders(reader: ByteReader, at: number): Readonly<Record<string, string>> {
  reader.at = at;
  const headers: Record<string, string> = Object.create(null);
  for (let left = reader.varint(); left > 0; left -= 1) {
    const name = reader.text(reader.varint());
    const length = reader.varint();
    headers[name] = length < 0 ? "" : reader.text(length);
  }
  return headers;
}
