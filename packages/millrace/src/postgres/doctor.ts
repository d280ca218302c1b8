import type { SeenLog } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import type { Awaitable } from "../log/log.js";
import { systemClock } from "../runtime/clock.js";
import { deadLettersFinding, type Finding, positionsFinding, type TopicExtent } from "../store/findings.js";
import type { RegisteredConsumer } from "../store/registered.js";
import type { Position } from "../store/unit.js";
import { Extents, readPositions, readRegistrations } from "./consumer-reads.js";
import { storeFailure } from "./errors.js";
import { readApplied } from "./install.js";
import { preflight } from "./preflight.js";
import { serviceSteps, sharedSteps } from "./schema.js";
import { type InspectParts, look, type Sight } from "./sight.js";
import { readTopics } from "./topic-reads.js";

type Verdict = Omit<Finding, "check">;

const clocksMs = 5_000;
/** Well below what the command line waits. */
const logMsMax = 4_000;
const transactionMs = 60_000;

/** Looks at the server, at Millrace's tables in it, and at what they say about consumers. */
export async function examine(parts: InspectParts): Promise<Finding[]> {
  const sighted = (read: (sight: Sight) => Promise<Verdict>) => () => look(parts, read);
  const findings = [await guarded("server", sighted(server))];
  if (findings[0]?.ok === false) return findings;
  findings.push(...(await risks(parts)), await guarded("tables", sighted(tables)));
  if (findings.some(({ check, ok }) => check === "tables" && !ok)) return findings;
  const stored = await look(parts, async (sight) => ({
    registered: await readRegistrations(sight),
    positions: await readPositions(sight),
  }));
  const ofLog = await logRisks(parts);
  const logAnswers = !ofLog.some(({ check, ok }) => check === "log" && !ok);
  findings.push(...ofLog);
  findings.push(
    await guarded(
      "clock",
      sighted((sight) => clocks(sight, parts.now)),
    ),
    await guarded("transactions", sighted(transactions)),
    await guarded("standby", sighted(standbys)),
    logAnswers
      ? await guarded("positions", () => soon(positions(parts.log, stored)))
      : { check: "positions", ok: false, detail: "are not compared with the log, as it does not answer" },
    await guarded("dead-letters", sighted(deadLetters)),
  );
  return findings;
}

/** A check that fails is a finding, so that the others still run. */
async function guarded(check: string, look: () => Promise<Verdict>): Promise<Finding> {
  try {
    return { check, ...(await look()) };
  } catch (error) {
    return { check, ok: false, detail: storeFailure(error).message };
  }
}

async function server({ session }: Sight): Promise<Verdict> {
  const [row] = await session.objects<{ version: string; database: string; size: string }>(
    `SELECT current_setting('server_version') AS version, current_database()::text AS database,
       pg_size_pretty(pg_database_size(current_database())) AS size`,
  );
  return { ok: true, detail: `PostgreSQL ${row?.version}, database ${row?.database} of ${row?.size}` };
}

async function risks({ pool, shared }: InspectParts): Promise<Finding[]> {
  try {
    const found = await preflight(pool, shared, "store");
    if (found.length === 0) return [{ check: "settings", ok: true, detail: "every setting keeps Millrace's promises" }];
    return found.map(({ name, what }) => ({ check: name, ok: false, detail: what }));
  } catch (error) {
    return [{ check: "settings", ok: false, detail: storeFailure(error).message }];
  }
}

/** Whether the log answers, and what its settings would break. */
async function logRisks(parts: InspectParts): Promise<Finding[]> {
  try {
    const topics = await look(parts, readTopics);
    const found = await soon(parts.log.preflight(topics));
    if (found.length > 0) return found.map(({ name, what }) => ({ check: name, ok: false, detail: what }));
    const there = await soon(parts.log.topics());
    const detail = `it answers and has ${there.length} topics; every setting keeps Millrace's promises`;
    return [{ check: "log", ok: true, detail }];
  } catch (error) {
    return [{ check: "log", ok: false, detail: storeFailure(error).message }];
  }
}

/** A log that is away is waited for by whoever needs it; who asks what is wrong wants to hear that. */
async function soon<T>(answer: Awaitable<T>): Promise<T> {
  let cancel = (): void => {};
  const late = new Promise<never>((_, reject) => {
    cancel = systemClock.after(logMsMax, () =>
      reject(
        new Failure(
          "LOG_UNAVAILABLE",
          `it does not answer within ${logMsMax / 1_000} s: see that its servers run and can be reached from here. Commits go on, and what they publish waits in the outbox`,
        ),
      ),
    );
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    cancel();
  }
}

/** Which steps the tables have had. */
async function tables(sight: Sight): Promise<Verdict> {
  const wanted = [
    { schema: sight.shared, steps: sharedSteps },
    ...sight.places.map(({ schema }) => ({ schema, steps: serviceSteps })),
  ];
  const problems: string[] = [];
  const said: string[] = [];
  for (const { schema, steps } of wanted) {
    const applied = await readApplied(sight.session, schema);
    const last = applied.at(-1);
    said.push(`${schema} ${applied.map(({ number, name, at }) => `${number} (${name}, ${day(at)})`).join(", ")}`);
    if (last === undefined) problems.push(`${schema} has no tables of Millrace`);
    else if (last.number < steps.length) problems.push(`${schema} is at step ${last.number} of ${steps.length}`);
    else if (last.number > steps.length) problems.push(`${schema} is at step ${last.number}, newer than this version`);
  }
  if (problems.length === 0) return { ok: true, detail: `steps applied: ${said.join("; ")}` };
  return {
    ok: false,
    detail: `${problems.join("; ")}. Starting the app of the newest version applies what is missing`,
  };
}

async function clocks({ session }: Sight, now: () => number): Promise<Verdict> {
  const before = now();
  const [row] = await session.objects<{ at: number }>(
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at",
  );
  const difference = Math.round((row?.at ?? 0) - (before + now()) / 2);
  const detail = `the database's clock is ${Math.abs(difference)} ms ${difference < 0 ? "behind" : "ahead of"} this machine's`;
  if (Math.abs(difference) <= clocksMs) return { ok: true, detail };
  return {
    ok: false,
    detail: `${detail}: timers, schedules and ctx.now() go by the database's in place of it; set both by NTP`,
  };
}

/** The relay passes by what is open. */
async function transactions({ session }: Sight): Promise<Verdict> {
  const open = await session.objects<{ who: string; ms: number }>(
    `SELECT format('pid %s (%s, %s)', pid, coalesce(nullif(application_name, ''), 'no name'), state) AS who,
       (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::bigint AS ms
     FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
       AND backend_xid IS NOT NULL
     UNION ALL
     SELECT format('prepared transaction %s', gid), (extract(epoch FROM clock_timestamp() - prepared) * 1000)::bigint
     FROM pg_prepared_xacts WHERE database = current_database()
     ORDER BY ms DESC LIMIT 5`,
  );
  const long = open.filter(({ ms }) => ms > transactionMs);
  if (long.length === 0) return { ok: true, detail: "no transaction is open for long" };
  const said = long.map(({ who, ms }) => `${who} for ${Math.round(ms / 1_000)} s`).join("; ");
  return {
    ok: false,
    detail: `transactions are open: ${said}. What they have published is not sent before they commit, and rows that were replaced since cannot be cleaned away; end them: SELECT pg_terminate_backend(pid), ROLLBACK PREPARED`,
  };
}

/** A failover to a standby that is behind would take back what others have been told. */
async function standbys({ session }: Sight): Promise<Verdict> {
  const [row] = await session.objects<{ n: number; names: string }>(
    "SELECT count(*) AS n, current_setting('synchronous_standby_names') AS names FROM pg_stat_replication",
  );
  const { n = 0, names = "" } = row ?? {};
  if (n === 0) return { ok: true, detail: "no standby is connected" };
  if (names !== "") return { ok: true, detail: `${n} standbys are connected, synchronous: ${names}` };
  return {
    ok: true,
    detail: `${n} standbys are connected, none of them synchronous: a failover can take back what was acknowledged and sent; for a durable failover set synchronous_standby_names`,
  };
}

async function positions(
  log: SeenLog,
  {
    registered,
    positions: known,
  }: { readonly registered: readonly RegisteredConsumer[]; readonly positions: readonly Position[] },
): Promise<Verdict> {
  const extents = new Extents(log);
  const topics = new Map<string, TopicExtent>();
  for (const { name, partitions, incarnation } of await log.topics()) {
    const { starts = [], ends = [] } = (await extents.of(name)) ?? {};
    const extent = { first: (at: number) => starts[at] ?? 0, end: (at: number) => ends[at] ?? 0 };
    topics.set(name, { partitions, incarnation, ...extent });
  }
  return positionsFinding(registered, known, topics);
}

async function deadLetters(sight: Sight): Promise<Verdict> {
  const rows = await sight.all<{ n: number; since: number | null }>(
    "SELECT count(*) AS n, min(since) AS since FROM $schema.mr_lane_entries WHERE state = 'dead'",
    {},
  );
  const since = rows.map((row) => row.since).filter((at) => at !== null);
  return deadLettersFinding(
    rows.reduce((sum, { n }) => sum + n, 0),
    since.length === 0 ? undefined : Math.min(...since),
  );
}

const day = (at: number) => new Date(at).toISOString().slice(0, 10);
