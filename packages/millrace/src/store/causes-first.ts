import type { LogRecord } from "../log/log.js";

/** In the order of the log's clock, and each after its cause: one commit may append both, under one time. */
export function causesFirst(records: readonly LogRecord[]): LogRecord[] {
  const rest = [...records].sort((a, b) => a.appended - b.appended || a.hops - b.hops || a.offset - b.offset);
  const byId = new Map(rest.map((record) => [record.id, record]));
  const placed = new Set<LogRecord>();
  for (const record of rest) {
    const chain: LogRecord[] = [];
    // The chain's own check keeps damaged data, where causes go in a circle, from looping for ever.
    let at: LogRecord | undefined = record;
    while (at !== undefined && !placed.has(at) && !chain.includes(at)) {
      chain.push(at);
      at = at.causationId === undefined ? undefined : byId.get(at.causationId);
    }
    for (const cause of chain.reverse()) placed.add(cause);
  }
  return [...placed];
}
