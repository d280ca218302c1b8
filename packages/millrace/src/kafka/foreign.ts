import { Failure } from "../failure/failure.js";

/** A record that another program wrote, as a mapping sees it. */
export interface ForeignRecord {
  readonly partition: number;
  readonly offset: number;
  /** When it reached the log. */
  readonly time: Date;
  /** As text; empty when it has none. */
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Its value as JSON; undefined when it is none. */
  readonly json: unknown;
}

/**
 * What records without the envelope of a CloudEvent are to be taken for. What is not said: the key is the record's own,
 * the id is `partition/offset`, the source is `kafka:` and the topic's name, the data is the record's JSON.
 */
export interface ForeignMapping {
  /** The type of the contract, like `order.imported`; undefined for records that are nobody's business. */
  readonly type: string | ((record: ForeignRecord) => string | undefined);
  readonly version?: number;
  readonly key?: (record: ForeignRecord) => string;
  readonly id?: (record: ForeignRecord) => string;
  readonly source?: string;
  readonly data?: (record: ForeignRecord) => unknown;
}

/** The type of records that nobody has said how to read: who declares an event of it gets them as dead letters. */
const unmappedType = "record.unmapped";

/** What a mapping made of a record. */
export interface Mapped {
  readonly type: string;
  readonly version: number;
  readonly key: string;
  readonly id: string;
  readonly source: string;
  /** Undefined when the mapping does not say, or failed. */
  readonly data: { readonly value: unknown } | undefined;
  readonly failed: boolean;
}

/** Reads a record by its topic's mapping. A mapping that throws leaves the record unread: its bytes are quarantined. */
export function mapForeign(record: ForeignRecord, topic: string, mapping: ForeignMapping | undefined): Mapped {
  const plain = {
    type: unmappedType,
    version: mapping?.version ?? 1,
    key: record.key,
    id: `${record.partition}/${record.offset}`,
    source: mapping?.source ?? `kafka:${topic}`,
    data: undefined,
  };
  if (mapping === undefined) return { ...plain, failed: true };
  let type = typeof mapping.type === "string" ? mapping.type : plain.type;
  try {
    if (typeof mapping.type === "function") type = mapping.type(record) ?? "";
    const { key = plain.key, id = plain.id } = { key: mapping.key?.(record), id: mapping.id?.(record) };
    const data = mapping.data === undefined ? undefined : { value: mapping.data(record) };
    return { ...plain, type, key: String(key), id: String(id), data, failed: false };
  } catch {
    return { ...plain, type, failed: true };
  }
}

/** @throws {Failure} OPTION_INVALID when a mapping has no type. */
export function checkMapping(mapping: ForeignMapping, where: string): void {
  if (typeof mapping?.type === "string" || typeof mapping?.type === "function") return;
  throw new Failure("OPTION_INVALID", `${where}: type is missing; name the contract's type, or give a function`);
}
