import { jobItemStates } from "../store/jobs.js";
import type { Admin } from "./admin.js";
import { sagaStatuses } from "./saga-reads.js";

type Schema = Readonly<Record<string, unknown>>;

const text = { type: "string", maxLength: 1_024 } as const;
const count = { type: "integer", minimum: 0 } as const;

function args(properties: Schema, required: readonly string[] = []): Schema {
  return { type: "object", properties, required, additionalProperties: false };
}

const conditions: Schema = {
  type: text,
  topic: text,
  key: text,
  source: text,
  correlationId: text,
  since: { type: "number" },
  until: { type: "number" },
  data: {
    type: "array",
    maxItems: 20,
    items: args({ path: text, op: { enum: ["=", ">", "<", ">=", "<="] }, value: text }, ["path", "op", "value"]),
  },
  newestFirst: { type: "boolean" },
};
const { newestFirst: _, ...eventConditions } = conditions;
const act: Schema = { reason: text, actor: text, dryRun: { type: "boolean" } };
const selection: Schema = {
  entries: { type: "array", items: count, maxItems: 10_000 },
  consumer: text,
  fingerprint: text,
  events: args(eventConditions),
  all: { type: "boolean" },
};
const moment = args({ version: count, time: { type: "number" }, before: text });
const aggregate = { type: text, id: text } as const;
const cursor = { type: "string", maxLength: 100_000 } as const;

/** What each call of {@link Admin} takes, as JSON Schema. The keys are the calls there are. */
export const calls: Readonly<Record<keyof Admin, Schema>> = {
  status: args({}),
  search: args({ ...conditions, limit: count, after: cursor }, ["limit"]),
  event: args({ id: text }, ["id"]),
  tail: args({ query: args(conditions), after: cursor, last: count, waitMs: count }, ["query"]),
  explain: args({ id: text, key: text }),
  map: args({ since: { type: "number" }, events: count }, ["events"]),
  aggregate: args({ ...aggregate, at: moment }, ["type", "id"]),
  aggregateDiff: args({ ...aggregate, from: moment, to: moment }, ["type", "id", "from"]),
  aggregateBlame: args({ ...aggregate, path: text, at: moment }, ["type", "id", "path"]),
  consumers: args({}),
  forget: args({ ...act, consumer: text, force: { type: "boolean" } }, ["reason", "actor", "consumer"]),
  pause: args({ ...act, consumer: text }, ["reason", "actor", "consumer"]),
  resume: args({ ...act, consumer: text }, ["reason", "actor", "consumer"]),
  seek: args(
    {
      ...act,
      consumer: text,
      to: args({ type: { enum: ["beginning", "end", "offset", "time"] }, offset: count, at: { type: "number" } }, [
        "type",
      ]),
      topic: text,
      partition: count,
      mute: { type: "boolean" },
    },
    ["reason", "actor", "consumer", "to"],
  ),
  deadLetters: args(
    { consumer: text, fingerprint: text, state: { enum: ["dead", "parked"] }, after: count, limit: count },
    ["limit"],
  ),
  deadGroups: args({ consumer: text, limit: count }, ["limit"]),
  deadLetter: args({ entry: count }, ["entry"]),
  edit: args({ ...act, entry: count, data: {} }, ["reason", "actor", "entry", "data"]),
  skip: args({ ...act, ...selection }, ["reason", "actor"]),
  redrive: args({ ...act, ...selection }, ["reason", "actor"]),
  redriveJob: args(
    {
      ...act,
      ...selection,
      selection: text,
      rate: { type: "number", exclusiveMinimum: 0 },
      force: { type: "boolean" },
    },
    ["reason", "actor", "selection"],
  ),
  jobs: args({ limit: count }, ["limit"]),
  job: args({ job: count, state: { enum: jobItemStates }, limit: count }, ["job", "limit"]),
  jobExport: args({ job: count, after: count, limit: count }, ["job", "after", "limit"]),
  changeJob: args(
    {
      ...act,
      job: count,
      change: args(
        { type: { enum: ["pause", "resume", "cancel", "rate"] }, rate: { type: "number", exclusiveMinimum: 0 } },
        ["type"],
      ),
    },
    ["reason", "actor", "job", "change"],
  ),
  sagas: args({ saga: text, status: { enum: sagaStatuses }, limit: count, after: text }, ["limit"]),
  saga: args({ saga: text, key: text }, ["saga", "key"]),
  steerSaga: args(
    {
      ...act,
      saga: text,
      key: text,
      verb: { enum: ["retry", "skip", "compensate", "force"] },
      step: text,
      past: { type: "boolean" },
      end: { enum: ["completed", "aborted"] },
    },
    ["reason", "actor", "saga", "key", "verb"],
  ),
  projections: args({}),
  rebuildProjection: args({ ...act, projection: text, force: { type: "boolean" } }, ["reason", "actor", "projection"]),
  swapProjection: args({ ...act, projection: text, force: { type: "boolean" }, waitMs: count }, [
    "reason",
    "actor",
    "projection",
  ]),
  dropProjection: args({ ...act, projection: text }, ["reason", "actor", "projection"]),
  verifyProjection: args({ projection: text }, ["projection"]),
  compareProjections: args({ projection: text, with: text }, ["projection"]),
  publish: args({ type: text, data: {}, id: text, actor: text }, ["type", "data", "actor"]),
  backup: args({ file: { type: "string", maxLength: 4_096 } }, ["file"]),
  doctor: args({}),
  audit: args({ limit: count }, ["limit"]),
};
