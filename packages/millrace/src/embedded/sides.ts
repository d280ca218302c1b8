import type { LogAdmin, LogReader, LogWriter } from "../log/log.js";
import type { Operate } from "../store/operate.js";
import { type Calls, farLog, farOperate, farWrites } from "./attached.js";
import { Claims } from "./claims.js";
import type { Core } from "./core.js";
import { DocumentTables } from "./documents.js";
import { translated } from "./errors.js";
import { LaneTables } from "./lane-tables.js";
import { BlockReader } from "./log.js";
import { PositionTables } from "./position-tables.js";
import { TableReads } from "./reads.js";
import type { Database } from "./sqlite.js";
import type { Side } from "./store.js";
import { Topics } from "./topics.js";

/** Everything a process does on the file, from where it stands. */
export interface FileSide extends Side {
  readonly log: LogReader & LogWriter & LogAdmin;
  readonly operate: Operate;
  readonly topics: Topics;
}

export interface OwnerSideParts {
  readonly core: Core;
  readonly reader: Database;
  readonly member: string;
}

/** Of the owner, in the thread that writes: all is answered at once. */
export function ownerSide({ core, reader, member }: OwnerSideParts): FileSide {
  const { topics, reads } = core;
  const { writes, log, operate } = core.door(member);
  return { reads, writes, operate, topics, log: { ...logReads(reader, topics), ...log } };
}

/** Of everybody else: reads over a connection of its own, and asks the owner for the rest. */
export function attachedSide(reader: Database, calls: Calls): FileSide {
  const topics = new Topics(reader);
  const positions = new PositionTables(reader);
  const lanes = new LaneTables(reader);
  const documents = new DocumentTables(reader, false);
  const claims = new Claims(reader, positions, lanes);
  const reads = new TableReads({ database: reader, reader, documents, positions, lanes, claims, topics });
  const far = farLog(calls);
  const ensureTopic: LogAdmin["ensureTopic"] = async (topic) => {
    const shape = await far.ensureTopic(topic);
    topics.refresh();
    return shape;
  };
  const log = logReads(reader, topics);
  // Positions are read from the file, which may be ahead of the owner's bell: where a topic begins and ends is, too.
  const fresh =
    <Answer>(ask: (topic: string) => Answer) =>
    (topic: string) => {
      topics.refresh();
      return ask(topic);
    };
  return {
    reads,
    writes: farWrites(calls, reader),
    operate: farOperate(calls),
    topics,
    log: { ...log, ends: fresh(log.ends), starts: fresh(log.starts), ...far, ensureTopic },
  };
}

function logReads(reader: Database, topics: Topics): LogReader & Pick<LogAdmin, "topics"> {
  const blocks = new BlockReader(reader, topics);
  const everyPartition = (name: string, offset: number) =>
    new Array<number>(topics.get(name).shape.partitions).fill(offset);
  return {
    read: (request) => translated(() => blocks.read(request)),
    record: (at) => translated(() => blocks.record(at)),
    ends: (name) => everyPartition(name, topics.get(name).end),
    starts: (name) => everyPartition(name, topics.get(name).first),
    topics: () => [...topics.byName.values()].map((topic) => topic.shape),
  };
}
