import type { Received } from "../contract/contract.js";
import { checkShape } from "../contract/limits.js";
import { Failure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { Subscription } from "./plan.js";

/**
 * A record as its handler gets it, checked against the contract again: another program may have written it.
 *
 * @throws {Failure} RECORD_UNDECODABLE or CONTRACT_REJECTED (never right), PAYLOAD_LIMIT (its shape could harm a
 * handler), CONTRACT_NEWER (right for a newer program).
 */
export function receive(record: LogRecord, { contract }: Pick<Subscription, "contract">): Received<string, unknown> {
  if (record.bytes !== undefined) throw new Failure("RECORD_UNDECODABLE", `${placeOf(record)}: its bytes are not JSON`);
  if (record.version > contract.version)
    throw new Failure(
      "CONTRACT_NEWER",
      `${placeOf(record)}: this program knows version ${contract.version}; the event waits until a newer program runs`,
    );
  checkShape(record.data, `${record.type} v${record.version}`);
  const problem = contract.check(record.data);
  if (problem !== undefined) throw new Failure("CONTRACT_REJECTED", `${placeOf(record)}: ${problem}`);
  return arrived(record);
}

/** A record, checked already, as its handler gets it. */
export function arrived(record: LogRecord): Received<string, unknown> {
  return new Arrived(record) as Received<string, unknown>;
}

function placeOf(record: LogRecord): string {
  return `${record.type} v${record.version} ${record.topic}/${record.partition}@${record.offset}`;
}

/** One shape for all events: attributes that an event lacks are undefined. */
class Arrived {
  readonly type: string;
  readonly data: unknown;
  readonly id: string;
  readonly key: string;
  readonly time: Date;
  readonly source: string;
  readonly topic: string;
  readonly version: number;
  readonly correlationId: string;
  readonly causationId: string | undefined;
  readonly hops: number;
  readonly actor: string | undefined;
  readonly sequence: number | undefined;

  constructor(record: LogRecord) {
    this.type = record.type;
    this.data = record.data;
    this.id = record.id;
    this.key = record.key;
    this.time = new Date(record.time);
    this.source = record.source;
    this.topic = record.topic;
    this.version = record.version;
    this.correlationId = record.correlationId;
    this.causationId = record.causationId;
    this.hops = record.hops;
    this.actor = record.headers?.actor;
    this.sequence = record.headers?.sequence;
  }
}
