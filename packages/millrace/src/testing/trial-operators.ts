import type pg from "pg";
import type { Change } from "../engine/engine.js";
import type { OpenLog } from "../engine/halves.js";
import type { OperateParts } from "../postgres/acting.js";
import { Core } from "../postgres/core.js";
import { createInspect } from "../postgres/inspect.js";
import { dueJobs } from "../postgres/job-ladder.js";
import { createOperate } from "../postgres/operate.js";
import { look } from "../postgres/sight.js";
import { type Clock, systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import type { OperatorsUnderTest } from "./conformance/operators-scene.js";
import { checkedService, checkedTopic } from "./conformance/units.js";
import { TrialLog } from "./trial-log.js";
import { freshSchema } from "./trial-store.js";

const topic = { name: checkedTopic, partitions: 2, owner: checkedService, key: "k", retentionMs: undefined };

/** Operators under test, and what they tell others. */
export interface TrialOperators<Log extends OpenLog = TrialLog> extends OperatorsUnderTest {
  readonly log: Log;
  readonly core: Core;
  readonly parts: OperateParts;
  readonly rung: Change[];
  /** Services in whose outboxes acts have left events. */
  readonly left: string[];
}

/** What operators see and do on PostgreSQL, beside a log in memory: nothing relays to it. */
export function openTrialOperators(pool: pg.Pool, clock: Clock = systemClock): Promise<TrialOperators> {
  const log = new TrialLog();
  log.now = clock.now();
  return operatorsBeside(log, pool, clock);
}

/** The same beside any log that has no topic yet. */
export async function operatorsBeside<Log extends OpenLog>(
  log: Log,
  pool: pg.Pool,
  clock: Clock = systemClock,
): Promise<TrialOperators<Log>> {
  const shared = freshSchema();
  const context = { clock, random: systemRandom, logger: silentLogger };
  const reads = { pool, shared, log, now: () => clock.now() };
  const core = new Core({ pool, shared, context, member: "trial", dueJobs: () => look(reads, dueJobs) });
  await core.open();
  await core.topics.ensure({ ...topic, ...(await log.ensureTopic(topic)) });
  const [rung, left]: [Change[], string[]] = [[], []];
  const parts: OperateParts = {
    ...reads,
    ring: (change) => void rung.push(change),
    left: (services) => void left.push(...services),
  };
  const ports = { store: core.store, inspect: createInspect(parts), operate: createOperate(parts) };
  const close = async () => {
    await core.close();
    await log.close();
  };
  return { log, core, parts, rung, left, ...ports, close };
}
