import type { Clock } from "../../runtime/clock.js";
import type { Logger } from "../../runtime/logger.js";
import type { OperationResult, Outcome } from "../../store/unit.js";
import type { DocumentTypes } from "../document-types.js";
import { isConnectionLost } from "../errors.js";
import type { Place, Places } from "../places.js";
import type { PgPool } from "../pool.js";
import { idleMsMax, Session } from "../session.js";
import type { Topics } from "../topics.js";
import { apply } from "./apply/apply.js";
import type { Applied } from "./apply/applying.js";
import { Checks } from "./checks.js";
import type { Facts } from "./facts.js";
import type { Group } from "./group.js";
import type { Lost } from "./outcome.js";
import { readFacts } from "./read-facts.js";
import type { Staged } from "./staged.js";
import { Wants } from "./wants.js";

/** What commits need of the store. */
export interface CommitParts {
  readonly pool: PgPool;
  readonly places: Places;
  readonly topics: Topics;
  readonly types: DocumentTypes;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told after a commit, with what others may want to know. */
  committed(place: Place, news: CommitNews): void;
  closed(): boolean;
}

/** What a commit has changed that is of interest to others. */
export interface CommitNews {
  readonly lanes: readonly { readonly consumer: string; readonly lane: string }[];
  readonly timers: boolean;
  readonly results: readonly OperationResult[];
  /** It left events in the outbox. */
  readonly events: boolean;
}

/** What is known of a group before it is run. */
export interface Known {
  readonly refused: ReadonlyMap<number, Outcome>;
  readonly copies: ReadonlySet<string>;
}

/** The connection was lost between COMMIT and its answer: the outcomes hold if it was committed. */
export class LostReply extends Error {
  constructor(
    readonly lost: Lost,
    readonly done: Done,
  ) {
    super("the answer to a commit was lost", { cause: lost.cause });
  }
}

/** A transaction's outcomes, and what others are told of it. */
export interface Done {
  readonly outcomes: Outcome[];
  readonly news: CommitNews | undefined;
}

/** Milliseconds that a stopped process may keep others waiting: half a lease, and less. */
const limits = `SET LOCAL lock_timeout = 5000; SET LOCAL idle_in_transaction_session_timeout = ${idleMsMax}`;
/** The plans of our statements do not depend on how much they are given: they are made once. */
const plans = "SET LOCAL plan_cache_mode = force_generic_plan";
const ignore = () => {};

/** One attempt at a group: fence, lock, check, apply, commit. */
export async function runTransaction(parts: CommitParts, group: Group, known: Known): Promise<Done> {
  const client = await parts.pool.connect();
  client.on("error", ignore);
  const session = new Session(client);
  let broken = false;
  try {
    return await inOrder(parts, session, { group, known });
  } catch (error) {
    broken = error instanceof LostReply || isConnectionLost(error);
    if (!broken) await session.script("ROLLBACK").catch(() => (broken = true));
    throw error;
  } finally {
    client.removeListener("error", ignore);
    client.release(broken);
  }
}

interface Attempt {
  readonly group: Group;
  readonly known: Known;
}

async function inOrder(parts: CommitParts, session: Session, { group, known }: Attempt): Promise<Done> {
  const { place, units } = group;
  const own = units.every(({ effects }) => effects.statements === undefined);
  const settings = own ? plans : `SET LOCAL search_path = ${place.schema}, public`;
  await session.script(`BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ${limits}; ${settings}`);
  const wants = new Wants(group, await lanesOf(session, group));
  const facts = await readFacts(session, place, { wants, places: parts.places });
  const now = parts.clock.now();
  const { topics, types } = parts;
  const checks = new Checks(group, facts, { topics, types, now, known: known.refused, copies: known.copies });
  const outcomes = checks.run();
  const { staged } = checks.stage;
  if (staged.positions.size === 0 && outcomes.every(({ type }) => type !== "committed")) {
    await session.script("ROLLBACK");
    return { outcomes, news: undefined };
  }
  const applied = await apply({ session, place, places: parts.places, types, facts, staged, now });
  const done = doneOf(outcomes, staged, applied);
  await commit(session, facts, done);
  return done;
}

async function commit(session: Session, { xid }: Facts, done: Done): Promise<void> {
  const backend = (session.client as { processID?: unknown }).processID;
  let command: string;
  try {
    ({ command } = await session.client.query({ text: "COMMIT" }));
  } catch (cause) {
    if (!isConnectionLost(cause)) throw cause;
    throw new LostReply({ xid, backend: typeof backend === "number" ? backend : undefined, cause }, done);
  }
  if (command !== "COMMIT") throw new Error(`the transaction ended with ${command}`);
}

function doneOf(outcomes: Outcome[], staged: Staged, { entries, results }: Applied): Done {
  for (const [index, { unit }] of staged.entries.entries())
    outcomes[unit] = { ...outcomes[unit], entry: entries[index] } as Outcome;
  const news = {
    lanes: [...staged.lanes.values()],
    timers: staged.timersChanged,
    results,
    events: staged.records.length > 0,
  };
  return { outcomes, news };
}

/** In which lanes entries stand, which never changes. */
async function lanesOf(session: Session, { place, units }: Group) {
  const entries = units.flatMap(({ claim }) => (claim.type === "lane-entry" ? [claim.entry] : []));
  const lanes = new Map<number, readonly [string, string]>();
  if (entries.length === 0) return lanes;
  const rows = await session.rows(
    place.texts.of(
      "laneOf",
      "SELECT entry, consumer, lane FROM $schema.mr_lane_entries WHERE entry = ANY($1::bigint[])",
    ),
    entries,
  );
  for (const [entry, consumer, lane] of rows as [number, string, string][]) lanes.set(entry, [consumer, lane]);
  return lanes;
}
