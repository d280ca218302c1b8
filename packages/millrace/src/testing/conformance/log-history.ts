import { deepEqual } from "node:assert/strict";
import type { Awaitable, LogHistory, LogReader, LogWriter, NewRecord, TopicShape } from "../../log/log.js";
import { checkedShape, draft } from "./log-drafts.js";
import { type Check, type ConformanceCase, type Exceptions, type Opened, suite } from "./suite.js";

/** A log that holds nothing yet, and whose own time goes on between two appends. */
export interface LogHistoryUnderTest extends Opened {
  readonly log: LogReader &
    LogWriter &
    LogHistory & { ensureTopic(topic: Omit<TopicShape, "incarnation">): Awaitable<unknown> };
}

/**
 * The promises of logs that find their way by time.
 *
 * @param exceptions what the adapter cannot promise, by the name of the case, with the reason
 * @example
 * ```ts no-check
 * for (const { name, run } of logHistoryConformance(openMyLog)) it(name, run);
 * ```
 */
export function logHistoryConformance(
  open: () => Promise<LogHistoryUnderTest>,
  exceptions: Exceptions = {},
): readonly ConformanceCase[] {
  return suite(checks, open, exceptions);
}

const checks: Readonly<Record<string, Check<LogHistoryUnderTest>>> = {
  "finds the first record of each partition that reached the log at a moment or later": async ({ log }) => {
    await log.ensureTopic(checkedShape);
    const drafts = [draft(0), draft(0), draft(1)];
    // One by one, until the log's clock has gone on.
    await log.append([drafts[0] as NewRecord]);
    const first = await appendedAt(log, drafts[0] as NewRecord);
    let second = first;
    let last = drafts[1] as NewRecord;
    await log.append([last]);
    for (second = await appendedAt(log, last); second === first; second = await appendedAt(log, last)) {
      last = draft(0);
      await log.append([last]);
    }
    await log.append([drafts[2] as NewRecord]);
    deepEqual((await log.offsetsAt("orders", first))[0], (drafts[0] as NewRecord).offset);
    deepEqual((await log.offsetsAt("orders", second))[0], last.offset);
  },

  "answers with the end where no record is so late, and with the start where all are": async ({ log }) => {
    await log.ensureTopic(checkedShape);
    const drafts = [draft(0), draft(1)];
    await log.append(drafts);
    const latest = Math.max(...(await Promise.all(drafts.map((record) => appendedAt(log, record)))));
    deepEqual(await log.offsetsAt("orders", latest + 1), await log.ends("orders"));
    deepEqual(await log.offsetsAt("orders", 0), await log.starts("orders"));
  },
};

async function appendedAt(log: LogReader, record: NewRecord): Promise<number> {
  const stored = await log.record(record);
  if (stored === undefined) throw new Error(`${record.id} is not stored`);
  return stored.appended;
}
