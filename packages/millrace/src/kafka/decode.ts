import { decodeJson } from "../log/decode-json.js";
import type { Headers, LogRecord } from "../log/log.js";
import type { RawRecord } from "./batch-cursor.js";
import type { ByteReader } from "./bytes.js";
import { versionIn } from "./envelope.js";
import { type ForeignMapping, mapForeign } from "./foreign.js";

/** A record with its JSON text, from which fresh data can be made for a second reader. */
export interface Decoded {
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

/** Attributes of a CloudEvent by their names, from headers or from a structured event. */
interface Attributes {
  specversion?: string;
  id?: string;
  source?: string;
  type?: string;
  subject?: string;
  partitionkey?: string;
  time?: string;
  dataschema?: string;
  correlationid?: string;
  causationid?: string;
  hops?: string;
  actor?: string;
  traceparent?: string;
  tracestate?: string;
  replyto?: string;
  sequence?: string;
  contentType?: string;
}

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
  const attributes = attributesOf(reader);
  const { contentType = "application/json" } = attributes;
  if (contentType.startsWith(structured)) return unstructure(raw, { place, key, value, headersAt });
  if (attributes.type === undefined || attributes.id === undefined || attributes.source === undefined)
    return foreign(raw, { place, key, value, headersAt });
  const json = valueLength >= 0 && contentType.includes("json") ? decodeJson(value) : undefined;
  const record = recordOf({ raw, place, key, attributes, data: json?.data, bytes: json ? undefined : value });
  return { record, text: json?.text, size };
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
  const { id = "", time, dataschema, correlationid, causationid, hops } = attributes;
  const at = time === undefined ? Number.NaN : Date.parse(time);
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
    correlationId: correlationid ?? id,
    causationId: causationid,
    hops: hops === undefined ? 0 : wholeNumber(hops),
    headers: headersOf(attributes),
    data,
    bytes: bytes === undefined ? undefined : new Uint8Array(bytes),
  };
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

/** Header names are ASCII; those of other programs may be anything, and are nobody's here. */
function attributesOf(reader: ByteReader): Attributes {
  const attributes: Attributes = {};
  for (let left = reader.varint(); left > 0; left -= 1) {
    const name = reader.plainText(reader.varint());
    const length = reader.varint();
    if (length < 0) continue;
    const known = attributeNames.get(name) ?? attributeNames.get(name.toLowerCase());
    if (known === undefined) reader.at += length;
    else attributes[known] = reader.text(length);
  }
  return attributes;
}

const extensions = [
  "correlationid",
  "causationid",
  "hops",
  "actor",
  "traceparent",
  "tracestate",
  "replyto",
  "sequence",
] as const;
const standard = ["specversion", "id", "source", "type", "subject", "partitionkey", "time", "dataschema"] as const;
const attributeNames: ReadonlyMap<string, keyof Attributes> = new Map<string, keyof Attributes>([
  ["content-type", "contentType"],
  ...[...standard, ...extensions].map((name) => [`ce_${name}`, name] as const),
]);

/** Structured mode: the value is the event, its attributes and its data. */
function unstructure(raw: RawRecord, parts: Parts): Decoded {
  const { place, key, value } = parts;
  const event = decodeJson(value)?.data;
  if (typeof event !== "object" || event === null) return foreign(raw, parts);
  const { data, data_base64: base64, ...rest } = event as Readonly<Record<string, unknown>>;
  const attributes: Attributes = {};
  for (const name of [...standard, ...extensions]) {
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
  return { record: recordOf({ raw, place, key, attributes, data: said, bytes }), text, size: raw.size };
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
  const attributes: Attributes = { type, source, id };
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
  return { record: { ...record, version: mapped.version }, text: readable ? text : undefined, size: raw.size };
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
