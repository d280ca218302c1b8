/** The file's format. A file of another format is refused: nothing is converted silently. */
export const formatVersion = 4;
/** "mill" in ASCII, so that `file` and SQLite tools can tell whose file it is. */
export const applicationId = 0x6d696c6c;

/**
 * A log row is a block: the records that one commit appended to one topic, as JSON lines (see `block.ts`).
 * Its rowid is topic × 2^offsetBits + the offset of its first record. Offsets count the records of the topic, so
 * within a partition they are increasing and sparse.
 */
const offsetBits = 38;
export const offsetSpan = 2 ** offsetBits;

export const schema = `
CREATE TABLE mr_engine(
  one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, commits INTEGER NOT NULL, created INTEGER NOT NULL);
CREATE TABLE mr_topics(
  topic INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, owner TEXT NOT NULL,
  key TEXT NOT NULL, retention_ms INTEGER, incarnation TEXT NOT NULL, first INTEGER NOT NULL DEFAULT 0,
  streams INTEGER NOT NULL DEFAULT 0);
CREATE TABLE mr_log(
  pos INTEGER PRIMARY KEY, count INTEGER NOT NULL, appended INTEGER NOT NULL, body TEXT NOT NULL, sum INTEGER NOT NULL);
-- Which blocks hold ids that were made in a given second (see traceBucket): finds an id, or a correlation's events.
CREATE TABLE mr_trace(bucket INTEGER NOT NULL, pos INTEGER NOT NULL, PRIMARY KEY (bucket, pos)) WITHOUT ROWID;
-- Ids that callers chose themselves.
CREATE TABLE mr_identities(
  source TEXT NOT NULL, id TEXT NOT NULL, topic INTEGER NOT NULL, offset INTEGER NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY (source, id)) WITHOUT ROWID;
-- Aggregates' streams: the keys of their topics, and where in the log each of their events lies. The events are in the log alone.
CREATE TABLE mr_streams(stream INTEGER PRIMARY KEY, topic INTEGER NOT NULL, key TEXT NOT NULL, UNIQUE (topic, key));
CREATE TABLE mr_stream_events(
  stream INTEGER NOT NULL, sequence INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (stream, sequence)) WITHOUT ROWID;
-- A cache: without it, states are folded from their events.
CREATE TABLE mr_snapshots(stream INTEGER PRIMARY KEY, version INTEGER NOT NULL, fold INTEGER NOT NULL, state TEXT NOT NULL);
CREATE TABLE mr_document_types(
  type INTEGER PRIMARY KEY, service TEXT NOT NULL, name TEXT NOT NULL, indexes TEXT NOT NULL, UNIQUE (service, name));
CREATE TABLE mr_documents(
  type INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, schema INTEGER NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY (type, id)) WITHOUT ROWID;
-- Values have no column type, so that the text '07' does not become the number 7. An absent value is an empty blob.
CREATE TABLE mr_document_index(
  type INTEGER NOT NULL, field TEXT NOT NULL, value NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (type, field, value, id)) WITHOUT ROWID;
CREATE INDEX mr_document_index_id ON mr_document_index(type, id);
CREATE TABLE mr_document_unique(
  type INTEGER NOT NULL, field TEXT NOT NULL, value NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (type, field, value)) WITHOUT ROWID;
CREATE INDEX mr_document_unique_id ON mr_document_unique(type, id);
-- Which documents of a type a commit changed, as a JSON list; empty where older ones were dropped.
CREATE TABLE mr_document_changes(
  type INTEGER NOT NULL, version INTEGER NOT NULL, ids TEXT NOT NULL, PRIMARY KEY (type, version)) WITHOUT ROWID;
CREATE TABLE mr_builds(
  service TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, build INTEGER NOT NULL, state TEXT NOT NULL,
  created INTEGER NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (service, name, version, build)) WITHOUT ROWID;
CREATE TABLE mr_consumers(
  consumer TEXT PRIMARY KEY, service TEXT NOT NULL, topics TEXT NOT NULL, registered INTEGER NOT NULL) WITHOUT ROWID;
-- Consumers that an operator has paused.
CREATE TABLE mr_pauses(
  consumer TEXT PRIMARY KEY, reason TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE mr_positions(
  position INTEGER PRIMARY KEY, consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
  owner TEXT NOT NULL, epoch INTEGER NOT NULL, expires INTEGER NOT NULL, generation INTEGER NOT NULL,
  crashes INTEGER NOT NULL, frontier INTEGER NOT NULL, finished TEXT NOT NULL,
  UNIQUE (consumer, topic, partition));
-- Events below "until" take effect in documents and tables alone when they are handled again.
CREATE TABLE mr_mutes(
  consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, until INTEGER NOT NULL,
  PRIMARY KEY (consumer, topic, partition)) WITHOUT ROWID;
CREATE TABLE mr_lane_entries(
  entry INTEGER PRIMARY KEY AUTOINCREMENT, consumer TEXT NOT NULL, lane TEXT NOT NULL, home INTEGER NOT NULL,
  state TEXT NOT NULL, holds INTEGER NOT NULL, attempt INTEGER NOT NULL, due INTEGER NOT NULL, redrives INTEGER NOT NULL,
  since INTEGER NOT NULL, failure TEXT, fingerprint TEXT,
  topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, record TEXT NOT NULL);
CREATE INDEX mr_lane_entries_lane ON mr_lane_entries(consumer, lane, entry);
CREATE INDEX mr_lane_entries_record ON mr_lane_entries(consumer, topic, partition, offset);
CREATE INDEX mr_lane_entries_state ON mr_lane_entries(state, consumer, entry);
CREATE TABLE mr_amendments(
  consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, act TEXT NOT NULL,
  id TEXT, data TEXT, version INTEGER, reason TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (consumer, topic, partition, offset)) WITHOUT ROWID;
-- The event whose handler armed it, and for which consumer: moved back past that event, the consumer takes it back.
CREATE TABLE mr_timers(
  timer INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, name TEXT, due INTEGER NOT NULL, record TEXT NOT NULL,
  consumer TEXT, topic TEXT, partition INTEGER, offset INTEGER, UNIQUE (service, name));
CREATE INDEX mr_timers_armed ON mr_timers(consumer, topic, partition, offset);
CREATE INDEX mr_timers_due ON mr_timers(due);
CREATE INDEX mr_timers_correlation ON mr_timers(json_extract(record, '$.correlationId'));
CREATE TABLE mr_schedules(
  service TEXT NOT NULL, schedule TEXT NOT NULL, cron TEXT NOT NULL, next INTEGER, PRIMARY KEY (service, schedule)) WITHOUT ROWID;
CREATE TABLE mr_operations(
  operation TEXT PRIMARY KEY, scope TEXT, idempotency TEXT, fingerprint TEXT, command TEXT NOT NULL, key TEXT NOT NULL,
  correlation TEXT NOT NULL, state TEXT NOT NULL, refused TEXT, detail TEXT, created INTEGER NOT NULL, finished INTEGER,
  events TEXT, UNIQUE (scope, idempotency)) WITHOUT ROWID;
CREATE TABLE mr_migrations(service TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (service, name)) WITHOUT ROWID;
-- Bulk work of operators. allowed: when one more item may start, by its rate.
CREATE TABLE mr_jobs(
  job INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, state TEXT NOT NULL, note TEXT, selection TEXT NOT NULL,
  force INTEGER NOT NULL, rate REAL, allowed REAL NOT NULL, reason TEXT NOT NULL, actor TEXT NOT NULL,
  created INTEGER NOT NULL, finished INTEGER);
CREATE TABLE mr_job_items(
  job INTEGER NOT NULL, seq INTEGER NOT NULL, step INTEGER NOT NULL, entry INTEGER NOT NULL, consumer TEXT NOT NULL,
  lane TEXT NOT NULL, state TEXT NOT NULL, detail TEXT, accepted INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (job, seq)) WITHOUT ROWID;
CREATE INDEX mr_job_items_state ON mr_job_items(job, state, step);
CREATE INDEX mr_job_items_entry ON mr_job_items(entry);
-- What an act has taken away, as JSON: an operator may want to see it, or to put it back by hand.
CREATE TABLE mr_job_exports(
  job INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (job, seq)) WITHOUT ROWID;
CREATE TABLE mr_audit(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, actor TEXT NOT NULL, act TEXT NOT NULL,
  target TEXT NOT NULL, reason TEXT NOT NULL);
`;
