import type { Store } from "../store/store.js";
import type { StoreReads } from "./reads.js";
import type { StoreWrites } from "./writes.js";

/** Where a process reads and where it has things written, at this moment. */
export interface Side {
  readonly reads: StoreReads;
  readonly writes: StoreWrites;
}

/**
 * The store port of one process. Which side of the file it stands on may change while it runs: a process that only
 * took part becomes the owner when the owner has died.
 */
export function storeOn(side: () => Side): Store {
  return {
    commit: (units, progress) => side().writes.commit(units, progress),
    readDocument: (service, type, id) => side().reads.readDocument(service, type, id),
    findDocuments: (query) => side().reads.findDocuments(query),
    countDocuments: (filter) => side().reads.countDocuments(filter),
    readChanges: (query) => side().reads.readChanges(query),
    ensureDocumentType: (type) => side().writes.ensureDocumentType(type),
    documentServices: (type) => side().reads.documentServices(type),
    readStream: (query) => side().reads.readStream(query),
    readSnapshot: (stream) => side().reads.readSnapshot(stream),
    readRegistration: (consumer) => side().reads.readRegistration(consumer),
    acquire: (registration) => side().writes.acquire(registration),
    leases: (consumer) => side().writes.leases(consumer),
    release: (positions) => side().writes.release(positions),
    recovered: (positions) => side().writes.recovered(positions),
    readPosition: (id) => side().reads.readPosition(id),
    readLaneHeads: (consumer) => side().reads.readLaneHeads(consumer),
    readEntry: (entry) => side().reads.readEntry(entry),
    readLaneHead: (consumer, lane) => side().reads.readLaneHead(consumer, lane),
    readMutes: (consumer) => side().reads.readMutes(consumer),
    dueJobs: () => side().reads.dueJobs(),
    readPause: (consumer) => side().reads.readPause(consumer),
    readAmendments: (consumer) => side().reads.readAmendments(consumer),
    readDueTimers: (now, limit) => side().reads.readDueTimers(now, limit),
    nextTimer: () => side().reads.nextTimer(),
    ensureSchedule: (row) => side().writes.ensureSchedule(row),
    ensureBuild: (service, name, version) => side().writes.ensureBuild(service, name, version),
    readBuilds: (service, name) => side().reads.readBuilds(service, name),
    readReach: (consumer, place) => side().reads.readReach(consumer, place),
    readOperation: (id) => side().reads.readOperation(id),
    migrate: (service, migrations) => side().writes.migrate(service, migrations),
    query: (text, params) => side().reads.query(text, params),
  };
}
