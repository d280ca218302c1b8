import { version as nodeVersion } from "node:process";
import type { AggregateDefinition } from "../aggregate/definition.js";
import { Failure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { ConsumerView, EventQuery, Inspect } from "../store/inspect.js";
import type { LaneEntry } from "../store/unit.js";
import type { Live } from "./acts.js";
import type { Admin, Origin } from "./admin.js";
import { aggregateReadsOf, aggregatesOf } from "./aggregates.js";
import { diagnose } from "./doctor.js";
import { deliveriesOf, explain } from "./explain.js";
import { readProjections } from "./projections.js";
import { findSaga, listSagas } from "./saga-reads.js";
import { type ConsumerStanding, standingOf } from "./standing.js";
import { follow } from "./tail.js";
import { entryView, eventView, exportView, groupView, iso } from "./views.js";

/** The parts of {@link Admin} that only look. */
export type Reads = Omit<
  Admin,
  | "map"
  | "forget"
  | "pause"
  | "resume"
  | "seek"
  | "edit"
  | "skip"
  | "redrive"
  | "redriveJob"
  | "changeJob"
  | "rebuildProjection"
  | "swapProjection"
  | "dropProjection"
  | "verifyProjection"
  | "compareProjections"
  | "publish"
  | "steerSaga"
  | "backup"
>;

/** What can be looked at. */
export interface Sight {
  readonly inspect: Inspect;
  /** Undefined when what is stored is read without a process. */
  readonly live: Live | undefined;
  /** Where it is stored, if not in a file. */
  readonly stored?: "file" | "servers";
  /** Those of the app's code, when it is at hand though nothing runs. */
  readonly aggregates?: readonly AggregateDefinition[] | undefined;
  readonly dir: string | undefined;
  now(): number;
  /** Aborted when the app stops: whoever waits is answered. */
  readonly stopping: AbortSignal;
}

const pageMax = 1_000;

/** Looking, in a running app or at the file alone. */
export function readsOf(sight: Sight): Reads {
  const { inspect } = sight;
  const origin = () => originOf(sight);
  const aggregates = sight.live === undefined ? sight.aggregates : aggregatesOf(sight.live.running.services);
  return {
    ...aggregateReadsOf({ inspect, aggregates, origin }),
    status: () => status(sight, origin()),
    async search(query) {
      const { events, next } = await inspect.events(bounded(query));
      return { ...origin(), events: events.map(eventView), next };
    },
    async event({ id }) {
      const record = await inspect.event(id);
      if (record === undefined) throw new Failure("NOT_FOUND", `there is no event ${id}`);
      return { ...origin(), event: eventView(record), deliveries: await deliveriesOf(inspect, record) };
    },
    async tail(args) {
      const page = await follow(sight, args);
      return { ...origin(), events: page.events.map(eventView), cursor: page.cursor };
    },
    explain: async (target) => ({ ...origin(), flows: await explain(inspect, target) }),
    consumers: async () => ({ ...origin(), consumers: await readStandings(sight) }),
    async deadLetters({ state = "dead", limit, after, ...filter }) {
      const query = {
        ...filter,
        state,
        limit: Math.min(limit, pageMax),
        ...(after === undefined ? {} : { afterEntry: after }),
      };
      const entries = await inspect.entries(query);
      const amendments = await inspect.amendments(filter.consumer);
      const views = entries.map((entry) => entryView(entry, amendments.find(amends(entry))));
      return { ...origin(), entries: views };
    },
    async deadLetter({ entry: number }) {
      const entry = await inspect.entry(number);
      if (entry === undefined)
        throw new Failure("NOT_FOUND", `there is no dead letter ${number}; it may have been redriven or skipped`);
      const amendments = await inspect.amendments(entry.consumer);
      const lane = await inspect.entries({ consumer: entry.consumer, lane: entry.lane, limit: pageMax });
      const followers = lane.filter((other) => other.state === "following").length;
      return { ...origin(), entry: entryView(entry, amendments.find(amends(entry))), followers };
    },
    deadGroups: async (query) => ({ ...origin(), groups: (await inspect.deadGroups(query)).map(groupView) }),
    projections: async () => ({ ...origin(), projections: await readProjections(inspect, sight.now()) }),
    jobs: async ({ limit }) => ({ ...origin(), jobs: await inspect.jobs(Math.min(limit, pageMax)) }),
    async job({ job: number, ...query }) {
      const job = await inspect.job(number);
      if (job === undefined) throw new Failure("NOT_FOUND", `there is no job ${number}; see millrace jobs ls`);
      return { ...origin(), job, entries: await inspect.jobItems(number, query) };
    },
    sagas: async (query) => ({
      ...origin(),
      sagas: await listSagas(inspect, { ...query, limit: Math.min(query.limit, pageMax) }),
    }),
    async saga({ saga, key }) {
      const { service, instance } = await findSaga(inspect, saga, key);
      return { ...origin(), service, instance };
    },
    async jobExport({ job, after, limit }) {
      if ((await inspect.job(job)) === undefined)
        throw new Failure("NOT_FOUND", `there is no job ${job}; see millrace jobs ls`);
      return { ...origin(), rows: (await inspect.jobExports(job, { after, limit })).map(exportView) };
    },
    doctor: async () => ({ ...origin(), findings: await diagnose(sight) }),
    audit: async ({ limit }) => ({ ...origin(), acts: await inspect.audit(Math.min(limit, pageMax)) }),
  };
}

function originOf({ live, stored = "file", now }: Sight): Origin {
  return { from: live === undefined ? stored : "process", asOf: iso(now()) };
}

const bounded = (query: EventQuery): EventQuery => ({ ...query, limit: Math.min(Math.max(1, query.limit), pageMax) });

interface Amended {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

function amends({
  consumer,
  record,
}: {
  readonly consumer: string;
  readonly record: LogRecord;
}): (amendment: Amended) => boolean {
  return (amendment) =>
    amendment.consumer === consumer &&
    amendment.topic === record.topic &&
    amendment.partition === record.partition &&
    amendment.offset === record.offset;
}

async function status(sight: Sight, origin: Origin): ReturnType<Admin["status"]> {
  const standings = await readStandings(sight);
  const counts: Record<string, number> = {};
  for (const { verdict } of standings) counts[verdict] = (counts[verdict] ?? 0) + 1;
  const topics = await sight.inspect.topics();
  return {
    ...origin,
    pid: sight.live === undefined ? undefined : process.pid,
    dir: sight.dir,
    node: nodeVersion,
    consumers: counts,
    dead: standings.reduce((sum, { dead }) => sum + dead, 0),
    topics: topics.map(({ name, owner, partitions, records }) => ({ topic: name, owner, partitions, records })),
  };
}

/** How each registered consumer stands; those who are furthest behind come first. */
export async function readStandings(
  sight: Pick<Sight, "inspect" | "live" | "now" | "stored">,
): Promise<readonly ConsumerStanding[]> {
  const now = sight.now();
  const statuses = sight.live?.running.consumers() ?? [];
  const elsewhere = sight.live?.running.elsewhere ?? [];
  const standings: ConsumerStanding[] = [];
  for (const view of await sight.inspect.consumers(now)) {
    const status = statuses.find((candidate) => candidate.consumer === view.consumer);
    standings.push(
      standingOf({
        view,
        status,
        head: await failingHead(sight.inspect, view),
        elsewhere: elsewhere.includes(view.consumer),
        live: sight.live !== undefined,
        ...(sight.stored !== undefined && { stored: sight.stored }),
        now,
      }),
    );
  }
  return standings.sort((a, b) => (b.lagMs ?? 0) - (a.lagMs ?? 0) || (a.consumer < b.consumer ? -1 : 1));
}

async function failingHead(inspect: Inspect, view: ConsumerView): Promise<LaneEntry | undefined> {
  if (view.dead + view.parked === 0) return undefined;
  const state = view.dead > 0 ? "dead" : "parked";
  return (await inspect.entries({ consumer: view.consumer, state, limit: 1 }))[0];
}
