import type { NewRecord, TopicShape } from "../../log/log.js";

/** The topic that the suites of logs append to. */
export const checkedShape: Omit<TopicShape, "incarnation"> = {
  name: "orders",
  partitions: 3,
  owner: "shop",
  key: "orderId",
  retentionMs: undefined,
};

let made = 0;

/** A record that is not like any other. */
export function draft(partition: number, more: Partial<NewRecord> = {}): NewRecord {
  made += 1;
  return {
    topic: checkedShape.name,
    partition,
    id: `record-${made}`,
    source: "shop",
    type: "order.placed",
    version: 1,
    key: `key-${partition}`,
    time: 1_700_000_000_000 + made,
    correlationId: undefined,
    causationId: undefined,
    hops: 0,
    headers: undefined,
    data: JSON.stringify({ n: made }),
    named: true,
    offset: -1,
    ...more,
  };
}
