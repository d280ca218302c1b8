import type { ByteReader } from "./bytes.js";

/** Attributes of a CloudEvent, from headers or from a structured event. All are there, so that all have one shape. */
export interface Attributes {
  id: string | undefined;
  source: string | undefined;
  type: string | undefined;
  subject: string | undefined;
  partitionkey: string | undefined;
  time: string | undefined;
  dataschema: string | undefined;
  correlationid: string | undefined;
  causationid: string | undefined;
  hops: string | undefined;
  actor: string | undefined;
  traceparent: string | undefined;
  tracestate: string | undefined;
  replyto: string | undefined;
  sequence: string | undefined;
  contentType: string | undefined;
}

/** None is given. */
export function noAttributes(): Attributes {
  return {
    id: undefined,
    source: undefined,
    type: undefined,
    subject: undefined,
    partitionkey: undefined,
    time: undefined,
    dataschema: undefined,
    correlationid: undefined,
    causationid: undefined,
    hops: undefined,
    actor: undefined,
    traceparent: undefined,
    tracestate: undefined,
    replyto: undefined,
    sequence: undefined,
    contentType: undefined,
  };
}

/** The attributes that a structured event has by the same names. */
export const attributeNames = (Object.keys(noAttributes()) as (keyof Attributes)[]).filter(
  (name) => name !== "contentType",
);

const headerNames: ReadonlyMap<string, keyof Attributes> = new Map([
  ["content-type", "contentType"],
  ...attributeNames.map((name) => [`ce_${name}`, name] as const),
]);

/** A name as its bytes. */
interface Named {
  readonly bytes: Buffer;
  readonly name: keyof Attributes;
}

/** Names by their length and fifth character, which tell nearly all of them apart. */
const byShape: (readonly Named[] | undefined)[] = [];
for (const [header, name] of headerNames) {
  const bytes = Buffer.from(header);
  const shape = shapeOf(bytes, 0, bytes.length);
  byShape[shape] = [...(byShape[shape] ?? []), { bytes, name }];
}

function shapeOf(bytes: Uint8Array, at: number, length: number): number {
  return (length << 8) | (bytes[at + 4] as number);
}

/** The headers that all records of one contract begin with, as we write them, and what they say. */
interface Beginning {
  readonly bytes: Buffer;
  readonly said: Pick<Attributes, "type" | "source" | "dataschema" | "contentType">;
}

const beginningHeaders = 5;
const beginningsMax = 16;
const beginnings: Beginning[] = [];
let turn = 0;

/** Reads the headers of a record. What only repeats its key is left out when it has one. */
export function readAttributes(reader: ByteReader, hasKey: boolean): Attributes {
  const attributes = noAttributes();
  let left = reader.varint();
  const start = reader.at;
  const known = left > beginningHeaders ? beginningAt(reader) : undefined;
  if (known !== undefined) {
    attributes.type = known.said.type;
    attributes.source = known.said.source;
    attributes.dataschema = known.said.dataschema;
    attributes.contentType = known.said.contentType;
    reader.at += known.bytes.length;
    left -= beginningHeaders;
  }
  for (let read = 1; left > 0; left -= 1, read += 1) {
    const nameLength = reader.varint();
    const name = nameAt(reader, nameLength);
    reader.at += nameLength;
    const length = reader.varint();
    if (length < 0) continue;
    if (name === undefined || (hasKey && (name === "subject" || name === "partitionkey"))) reader.at += length;
    else attributes[name] = reader.text(length);
    if (read === beginningHeaders && known === undefined) remember(reader.bytes.subarray(start, reader.at), attributes);
  }
  return attributes;
}

function beginningAt({ bytes, at }: ByteReader): Beginning | undefined {
  for (const one of beginnings) {
    const end = at + one.bytes.length;
    if (end <= bytes.length && bytes.compare(one.bytes, 0, one.bytes.length, at, end) === 0) return one;
  }
  return undefined;
}

/** Only what has the headers that do not change from record to record, and no others. */
function remember(bytes: Buffer, { id, time, type, source, dataschema, contentType, correlationid }: Attributes): void {
  const whole = type !== undefined && source !== undefined && dataschema !== undefined && contentType !== undefined;
  if (!whole || id !== undefined || time !== undefined || correlationid !== undefined) return;
  beginnings[turn % beginningsMax] = { bytes: Buffer.from(bytes), said: { type, source, dataschema, contentType } };
  turn += 1;
}

function nameAt({ bytes, at }: ByteReader, length: number): keyof Attributes | undefined {
  for (const one of byShape[shapeOf(bytes, at, length)] ?? []) if (startsWith(bytes, at, one.bytes)) return one.name;
  // Header names are told apart by case in Kafka, and not in CloudEvents.
  return headerNames.get(bytes.toString("latin1", at, at + length).toLowerCase());
}

function startsWith(bytes: Uint8Array, at: number, name: Buffer): boolean {
  for (let index = 0; index < name.length; index += 1) if (bytes[at + index] !== name[index]) return false;
  return true;
}
