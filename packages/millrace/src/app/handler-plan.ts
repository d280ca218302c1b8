import { availableParallelism } from "node:os";
import type { Subscription as Declared } from "../consumer/declaration.js";
import type {
  ConsumerOptions,
  EventOptions,
  HandlerOptions,
  IsolatedOptions,
  RetryOptions,
} from "../consumer/options.js";
import type { Subscription } from "../consumer/plan.js";
import type { AnyContract } from "../contract/contract.js";
import { Failure } from "../failure/failure.js";
import { durationMs } from "../runtime/duration.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import { flowPlan } from "./flow-plan.js";
import { positive } from "./positive.js";

const handlerOptions: OptionNames<IsolatedOptions<AnyContract> & EventOptions<AnyContract>> = {
  emits: true,
  timeout: true,
  concurrency: true,
  onPoison: true,
  retry: true,
  from: true,
  isolate: true,
  priority: true,
  rateLimit: true,
  perKey: true,
  coalesce: true,
  debounce: true,
};
const retryOptions: OptionNames<RetryOptions> = {
  attemptsInPlace: true,
  attemptsMax: true,
  backoffFirst: true,
  backoffMax: true,
};

/** Whose handler it is, for messages, and of what kind its contract is. */
interface At {
  readonly where: string;
  readonly kind: "event" | "command";
}

/**
 * How a handler is run, from its options.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function handlerPlan(
  { handler, options }: Pick<Declared, "handler" | "options">,
  { where, kind }: At,
): Omit<Subscription, "contract" | "topic" | "keyName" | "laneBy" | "partitions"> {
  const isolate = "isolate" in options ? options.isolate : undefined;
  checkOptions(options, handlerOptions, { where });
  return {
    handler: handler ?? notHere,
    isolate,
    emits: new Set((options.emits ?? []).map((emitted) => emitted.type)),
    timeoutMs: positive(durationMs(options.timeout ?? "30s", `${where}: timeout`), `${where}: timeout`),
    concurrency: concurrencyOf(options, isolate !== undefined, where),
    priority: priorityOf(options, where),
    flow: flowPlan(options, { where, kind }),
    skipPoison: onPoison(options, where),
    retry: retryPlan(options, where),
    from: start(options, where),
  };
}

/** A worker is one core's work: more of them would only take turns. */
function concurrencyOf({ concurrency }: HandlerOptions<AnyContract>, isolated: boolean, where: string): number {
  const cores = availableParallelism();
  const most = positive(concurrency ?? (isolated ? cores : 256), `${where}: concurrency`);
  return isolated ? Math.min(most, cores) : most;
}

function notHere(): never {
  throw new Failure("OPTION_INVALID", "an isolated handler runs in its worker");
}

function retryPlan({ retry = {} }: HandlerOptions<AnyContract>, where: string) {
  checkOptions(retry, retryOptions, { where: `${where}: retry` });
  return {
    attemptsInPlace: positive(retry.attemptsInPlace ?? 3, `${where}: retry.attemptsInPlace`),
    attemptsMax: positive(retry.attemptsMax ?? 8, `${where}: retry.attemptsMax`),
    backoffMsFirst: durationMs(retry.backoffFirst ?? "100ms", `${where}: retry.backoffFirst`),
    backoffMsMax: durationMs(retry.backoffMax ?? "60s", `${where}: retry.backoffMax`),
  };
}

function onPoison({ onPoison: choice = "hold" }: HandlerOptions<AnyContract>, where: string): boolean {
  if (choice === "hold" || choice === "skip") return choice === "skip";
  throw new Failure("OPTION_INVALID", `${where}: onPoison is "hold" or "skip", not ${JSON.stringify(choice)}`);
}

function priorityOf({ priority = 0 }: HandlerOptions<AnyContract>, where: string): number {
  if (Number.isSafeInteger(priority)) return priority;
  throw new Failure("OPTION_INVALID", `${where}: priority takes a whole number, higher first, not ${String(priority)}`);
}

/** Most handlers of a consumer at work at one time. */
export function placesOf({ concurrency }: ConsumerOptions, where: string): number {
  return concurrency === undefined ? Number.POSITIVE_INFINITY : positive(concurrency, `${where}: concurrency`);
}

function start({ from }: HandlerOptions<AnyContract>, where: string): "beginning" | "end" | undefined {
  if (from === undefined || from === "beginning" || from === "end") return from;
  throw new Failure("OPTION_INVALID", `${where}: from is "beginning" or "end", not ${JSON.stringify(from)}`);
}
