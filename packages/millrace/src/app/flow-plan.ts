import type { FlowPlan } from "../consumer/flow.js";
import type { Debounce, EventOptions, RateLimit } from "../consumer/options.js";
import type { RatePlan } from "../consumer/rate.js";
import type { AnyContract } from "../contract/contract.js";
import { Failure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { checkOptions } from "../runtime/options.js";
import { positive } from "./positive.js";

/** Timers are hardly finer: without it, a rate of many a second would not be reached. */
const burstMs = 20;
const eventsPerMsMax = 1_000;

/**
 * When runs of a subscription may start; undefined when its options do not say.
 *
 * @throws {Failure} OPTION_INVALID when they cannot be used, or contradict each other.
 */
export function flowPlan(
  options: EventOptions<AnyContract>,
  { where, kind }: { readonly where: string; readonly kind: "event" | "command" },
): FlowPlan | undefined {
  const { rateLimit, perKey, coalesce, debounce } = options;
  if (rateLimit === undefined && perKey === undefined && coalesce === undefined && debounce === undefined)
    return undefined;
  if (coalesce !== undefined && typeof coalesce !== "boolean")
    throw invalid(`${where}: coalesce is true or false, not ${JSON.stringify(coalesce)}`);
  if (kind === "command" && (coalesce === true || debounce !== undefined))
    throw invalid(
      `${where}: coalesce and debounce are for events; each command has a caller who waits for its own outcome, so limit it with rateLimit or concurrency`,
    );
  if (coalesce === false && debounce !== undefined)
    throw invalid(`${where}: debounce handles the newest of a burst only, so coalesce: false contradicts it; drop one`);
  if (perKey !== undefined) checkOptions(perKey, { rateLimit: true }, { where: `${where}: perKey` });
  const plan = {
    rate: rateLimit && ratePlan(rateLimit, `${where}: rateLimit`),
    keyRate: perKey?.rateLimit && ratePlan(perKey.rateLimit, `${where}: perKey.rateLimit`),
    coalesces: coalesce === true || debounce !== undefined,
    debounce: debounce && debouncePlan(debounce, `${where}: debounce`),
  };
  return plan.rate || plan.keyRate || plan.coalesces ? plan : undefined;
}

function ratePlan(limit: RateLimit, where: string): RatePlan {
  if (typeof limit !== "object" || limit === null)
    throw invalid(`${where} takes { events, per }, like { events: 100, per: "1s" }, not ${JSON.stringify(limit)}`);
  checkOptions(limit, { events: true, per: true, burst: true }, { where });
  const { events, per, burst } = limit;
  positive(events, `${where}.events`);
  const perMs = durationMs(per, `${where}.per`);
  if (perMs === 0 || events / perMs > eventsPerMsMax)
    throw invalid(
      `${where} allows ${events} events per ${per}, which limits nothing; allow at most ${eventsPerMsMax} a millisecond, or leave it out`,
    );
  return {
    intervalMs: perMs / events,
    burst: positive(burst ?? 1 + Math.floor((burstMs * events) / perMs), `${where}.burst`),
  };
}

function debouncePlan(debounce: Debounce, where: string): FlowPlan["debounce"] {
  if (typeof debounce !== "object" || debounce === null)
    throw invalid(`${where} takes { quiet, waitMax? }, like { quiet: "2s" }, not ${JSON.stringify(debounce)}`);
  checkOptions(debounce, { quiet: true, waitMax: true }, { where });
  const quietMs = durationMs(debounce.quiet, `${where}.quiet`);
  if (quietMs === 0)
    throw invalid(`${where}.quiet is ${debounce.quiet}, and nothing would wait; give a time, or use coalesce: true`);
  const waitMax = debounce.waitMax ?? (`${quietMs * 10}ms` satisfies Duration);
  const waitMsMax = durationMs(waitMax, `${where}.waitMax`);
  if (waitMsMax < quietMs)
    throw invalid(
      `${where}.waitMax is ${waitMax}, shorter than quiet, ${debounce.quiet}, which could never pass; make it longer`,
    );
  return { quietMs, waitMsMax };
}

function invalid(message: string): Failure {
  return new Failure("OPTION_INVALID", message);
}
