import type { StreamPage, StreamQuery } from "../store/stream.js";
import type { Sight } from "./sight.js";
import { readStream } from "./streams.js";

/** A page of an aggregate's events, from the service that owns its topic. */
export async function readStreamOf(sight: Sight, query: StreamQuery): Promise<StreamPage> {
  const [topic] = await sight.rows<{ owner: string }>(
    "SELECT owner FROM $shared.mr_topics WHERE name = $1",
    query.topic,
  );
  const place = sight.places.find(({ service }) => service === topic?.owner);
  return place === undefined ? { records: [], version: 0 } : readStream(sight.session, place, query);
}
