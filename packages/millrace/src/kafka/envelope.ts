import type { NewRecord } from "../log/log.js";
import { ByteWriter } from "./bytes.js";

// A record is a CloudEvent 1.0 in binary mode (Kafka protocol binding for CloudEvents 1.0.2): the data is the value,
// attributes are headers with the prefix "ce_", the key is the record's key.

const version = "1.0";
const schemaPrefix = "urn:millrace:";
/** Headers of {@link Headers}, beside those of the envelope. */
const extras = ["actor", "traceparent", "tracestate", "replyto"] as const;

/** `dataschema` of a contract: `urn:millrace:order.placed:2`. */
function schemaOf(type: string, contractVersion: number): string {
  return `${schemaPrefix}${type}:${contractVersion}`;
}

/** The version that a `dataschema` names; 1 for those of other programs. */
export function versionIn(dataschema: string): number {
  if (!dataschema.startsWith(schemaPrefix)) return 1;
  const found = Number(dataschema.slice(dataschema.lastIndexOf(":") + 1));
  return Number.isSafeInteger(found) && found > 0 ? found : 1;
}

/** What all records of one contract have in common, written once. */
const contracts = new Map<string, { readonly version: number; readonly source: string; readonly bytes: Buffer }>();
const contractsMax = 10_000;

function contractHeaders({ type, version: contractVersion, source }: NewRecord): Buffer {
  const known = contracts.get(type);
  if (known !== undefined && known.version === contractVersion && known.source === source) return known.bytes;
  const writer = new ByteWriter();
  header(writer, "content-type", "application/json");
  header(writer, "ce_specversion", version);
  header(writer, "ce_type", type);
  header(writer, "ce_source", source);
  header(writer, "ce_dataschema", schemaOf(type, contractVersion));
  const bytes = Buffer.from(writer.done());
  if (contracts.size < contractsMax) contracts.set(type, { version: contractVersion, source, bytes });
  return bytes;
}

function header(writer: ByteWriter, name: string, value: string): void {
  writer.text(name);
  writer.text(value);
}

/** Writes the headers of a record behind their number, as a record of a batch has them. */
export function writeHeaders(writer: ByteWriter, record: NewRecord): void {
  const { id, key, causationId, correlationId = id, hops, headers } = record;
  let count = 10;
  if (causationId !== undefined) count += 1;
  if (hops > 0) count += 1;
  if (headers !== undefined) {
    for (const name of extras) if (headers[name] !== undefined) count += 1;
    if (headers.sequence !== undefined) count += 1;
  }
  writer.varint(count);
  writer.raw(contractHeaders(record));
  header(writer, "ce_id", id);
  header(writer, "ce_subject", key);
  header(writer, "ce_partitionkey", key);
  header(writer, "ce_time", new Date(record.time).toISOString());
  header(writer, "ce_correlationid", correlationId);
  if (causationId !== undefined) header(writer, "ce_causationid", causationId);
  if (hops > 0) header(writer, "ce_hops", String(hops));
  if (headers === undefined) return;
  for (const name of extras) {
    const value = headers[name];
    if (value !== undefined) header(writer, `ce_${name}`, value);
  }
  if (headers.sequence !== undefined) header(writer, "ce_sequence", String(headers.sequence));
}
