import { createHash } from "node:crypto";
import { Failure } from "../failure/failure.js";
import type { NewRecord } from "../log/log.js";
import type { StreamName } from "./stream.js";

/** Of what a record with an id of its caller's own says: the same id with the same digest is the same event. */
export function contentDigest(record: NewRecord): string {
  return createHash("sha256")
    .update(`${record.topic}\n${record.type}\n${record.key}\n`)
    .update(record.data)
    .digest("base64");
}

/** An identity came back with other content. */
export function idReused({ type, id, source }: NewRecord): Failure {
  return new Failure(
    "EVENT_ID_REUSED",
    `${type} ${id}: ${source} has already published this id with other content; give the new event its own id`,
    { details: { id, source } },
  );
}

/** A record of a topic of streams that is not of the stream its unit appends to. */
export function notItsStream({ type, topic, key }: NewRecord): Failure {
  return new Failure(
    "TOPIC_OWNER",
    `${type} of ${key} cannot be published: topic ${topic} is written by its aggregate alone; send it a command`,
  );
}

/** The records of a unit that its stream gets, whose sequences follow the stream's version. */
export function streamRecords(
  stream: StreamName,
  version: number,
  records: readonly NewRecord[],
): readonly NewRecord[] {
  const of = records.filter(({ topic, key }) => topic === stream.topic && key === stream.key);
  for (const [index, { headers }] of of.entries())
    if (headers?.sequence !== version + index + 1)
      throw new Failure(
        "CONFLICT",
        `${stream.topic} ${stream.key}: an event has the sequence ${headers?.sequence}, and ${version + index + 1} is next`,
      );
  return of;
}
