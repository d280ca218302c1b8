import { Hono } from "hono";
import type { ConsumerStatus, Running } from "../app/app.js";
import type { OpenEngine } from "../engine/engine.js";
import { isFailure, verdictOf } from "../failure/failure.js";

/** A consumer that does not make progress, and why it is thought so. */
export interface Laggard {
  readonly consumer: string;
  /** blocked: one event is held up, the others go on; that alone does not make a process unready. */
  readonly state: "stopped" | "stalled" | "blocked";
  readonly reason: string;
}

/** How long a commit may take before this process is not ready. */
const answerMsMax = 5_000;
/** Whoever asks whether it is live does not wait for a commit: the file may be another process's, which is stopped. */
const liveMsMax = 500;

/**
 * `/health/live`: the event loop of this process turns, and it may still write: a restart would mend what it says. `/health/ready`:
 * the app has started, the store answers and every consumer makes progress. A process that is up while its consumers stand still is not ready.
 */
export function healthRoutes(running: () => Running | undefined, options: { readonly readyWithinMs: number }): Hono {
  const hono = new Hono();
  hono.get("/health/live", async (c) => {
    const app = running();
    if (app === undefined) return c.json({ state: "starting" }, 200, noStore);
    const problem = await storeProblem(app, { ms: liveMsMax });
    return problem === undefined ? c.json({ state: "live" }, 200, noStore) : c.json({ state: problem }, 503, noStore);
  });
  hono.get("/health/ready", async (c) => {
    const app = running();
    if (app === undefined) return c.json({ state: "not running", consumers: [] }, 503, noStore);
    const [consumers, store] = await Promise.all([
      laggards(app, options.readyWithinMs),
      storeProblem(app, { ms: answerMsMax, problem: "the store does not answer" }),
    ]);
    if (store !== undefined) return c.json({ state: store, consumers }, 503, noStore);
    const ready = consumers.every((consumer) => consumer.state === "blocked");
    // What commits publish is safe in the store: a process that cannot send it yet takes commands all the same.
    const troubles = app.engine.troubles?.() ?? [];
    const state = ready ? "ready" : "not ready";
    return c.json({ state, consumers, ...(troubles.length > 0 && { engine: troubles }) }, ready ? 200 : 503, noStore);
  });
  return hono;
}

const noStore = { "cache-control": "no-store" };

async function commitNothing(engine: OpenEngine): Promise<undefined> {
  await engine.store.commit([], []);
}

/** Commits nothing, to see whether commits are answered. A refusal for now is an answer: a restart mends no full disk. */
async function storeProblem(
  { clock, engine }: Running,
  silence: { readonly ms: number; readonly problem?: string },
): Promise<string | undefined> {
  let cancel = (): void => {};
  const late = new Promise<string | undefined>((resolve) => {
    cancel = clock.after(silence.ms, () => resolve(silence.problem));
  });
  const answer = commitNothing(engine).catch((error: unknown) =>
    verdictOf(error) === "retry" ? undefined : isFailure(error) ? error.code : "the store fails",
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    cancel();
  }
}

/**
 * Consumers that are stopped, or that have had work for longer than the window and committed nothing in that time. One
 * that was idle for an hour and has just got work is neither, nor is one that an operator has paused.
 */
export async function laggards(running: Running, windowMs: number): Promise<readonly Laggard[]> {
  const now = running.clock.now();
  const statuses = running.consumers();
  // Without a partition here, or with nothing to do in those it has, the work is another process's.
  const suspects = statuses.filter(
    ({ state, partitions, resting, progressAt }) =>
      state === "running" && partitions > 0 && !resting && now - progressAt > windowMs,
  );
  const views = suspects.length === 0 ? [] : await running.engine.inspect.consumers(now);
  const waiting = new Map(
    views.map((view) => [view.consumer, view.paused === undefined && view.lagRecords > 0 ? view.lagMs : 0]),
  );
  return statuses.flatMap((status): readonly Laggard[] => {
    if (status.state === "stopped")
      return [{ consumer: status.consumer, state: "stopped", reason: stopReason(status) }];
    const why = reasonOf(status);
    if (!suspects.includes(status) || (waiting.get(status.consumer) ?? 0) <= windowMs)
      return why === undefined ? [] : [{ consumer: status.consumer, state: "blocked", reason: why }];
    const seconds = Math.round((now - status.progressAt) / 1_000);
    const reason = `has work and made no progress for ${seconds} s${why === undefined ? "" : `; ${why}`}`;
    return [{ consumer: status.consumer, state: "stalled", reason }];
  });
}

/** No key and no event's content: anybody may ask for a process's health. */
function reasonOf({ circuit, blocked }: ConsumerStatus): string | undefined {
  if (circuit !== undefined) return `circuit open since ${new Date(circuit.since).toISOString()}: ${circuit.code}`;
  if (blocked === undefined) return undefined;
  const { type, event, since, how } = blocked;
  return `${type} ${event}, since ${new Date(since).toISOString()}: ${how}`;
}

function stopReason(status: ConsumerStatus): string {
  return status.failure === undefined ? "stopped" : `${status.failure.code}: ${status.failure.message}`;
}
