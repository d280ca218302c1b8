import type { TopicShape } from "../log/log.js";
import type { Sight } from "./sight.js";

interface TopicRow extends Omit<TopicShape, "retentionMs" | "streams"> {
  readonly retention_ms: number | null;
  readonly streams: boolean;
}

/** What is declared of every topic, by name. */
export async function readTopics(sight: Sight): Promise<TopicShape[]> {
  const rows = await sight.rows<TopicRow>(
    "SELECT name, partitions, owner, key, retention_ms, incarnation, streams FROM $shared.mr_topics ORDER BY name",
  );
  return rows.map(({ retention_ms, streams, ...row }) => ({
    ...row,
    retentionMs: retention_ms ?? undefined,
    ...(streams ? { streams } : {}),
  }));
}
