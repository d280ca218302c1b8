import { documentDeclaration } from "../contract/documents.js";
import { Failure } from "../failure/failure.js";
import { deriveId, seedOf } from "../runtime/ids.js";
import { decide } from "../saga/decide.js";
import { type SagaDeclaration, sagaDeclaration } from "../saga/declare.js";
import type { Instance } from "../saga/instance.js";
import type { Steer, SteerVerb } from "../saga/own-contracts.js";
import type { Act } from "../store/operate.js";
import type { LaneEntry } from "../store/unit.js";
import { actOf, type Live } from "./acts.js";
import type { ActArgs, ActReport, Admin } from "./admin.js";
import { findSaga } from "./saga-reads.js";

/** What an operator does with an instance of a saga. */
export interface SagaArgs extends ActArgs {
  readonly saga: string;
  readonly key: string;
  readonly verb: SteerVerb;
  /** Needed where not exactly one step is stuck. */
  readonly step?: string;
  /** compensate: also past its point of no return. */
  readonly past?: boolean;
  /** force: as what it ends. */
  readonly end?: "completed" | "aborted";
}

/** What an act on a saga did, or would do. */
export interface SagaReport extends ActReport {
  /** What became of the instance, in its own words: `sent pay`. */
  readonly facts: readonly string[];
}

const pageMax = 1_000;

/** Acts of operators on the sagas of a running app. */
export function sagaActsOf(live: Live): Pick<Admin, "steerSaga"> {
  return {
    async steerSaga(args) {
      const act = actOf(live, args);
      const { saga, key, dryRun = false } = args;
      const declared = declarationOf(live, saga);
      const found = await findSaga(live.running.engine.inspect, saga, key);
      const stored = documentDeclaration(declared.documents).parse(found.stored, found.schema) as Instance;
      const letters = await lettersOf(live, stored, args);
      const asked = steerOf(args, stored, letters.length > 0);
      const facts = foresee(declared, stored, asked, act);
      const report = { dryRun, matched: 1, keys: 1, facts };
      if (dryRun) return { ...report, changed: 0, unchanged: [] };
      const changed = await steer(live, { declared, stored, asked, letters, act });
      return { ...report, changed: changed ? 1 : 0, unchanged: [] };
    },
  };
}

function declarationOf(live: Live, saga: string): SagaDeclaration {
  for (const { parts } of live.running.services)
    for (const { title, of } of parts) if (title === `saga ${saga}` && of !== undefined) return sagaDeclaration(of);
  throw new Failure("NOT_FOUND", `the running app declares no saga ${JSON.stringify(saga)}`);
}

/** A dead letter runs again, or does so already: another command would be a second one. */
function steerOf(args: SagaArgs, { key, seen }: Instance, waits: boolean): Steer {
  const { verb, step, past, end, actor, reason } = args;
  const redriven = verb === "retry" && waits;
  return {
    instance: key,
    verb,
    seen,
    actor,
    reason: reason.trim(),
    ...(step === undefined ? {} : { step }),
    ...(redriven ? { redriven } : {}),
    ...(past === undefined ? {} : { past }),
    ...(end === undefined ? {} : { end }),
  };
}

/** What it would come to, or why it cannot be. */
function foresee({ plan }: SagaDeclaration, stored: Instance, asked: Steer, { at }: Act): readonly string[] {
  const turn = decide(plan, stored, { type: "steer", steer: asked }, { at, event: "" });
  if (turn?.refused !== undefined)
    throw new Failure("CONFLICT", `saga ${plan.name} ${stored.key}: ${turn.refused.detail ?? turn.refused.refused}`);
  return turn?.facts.map(({ type, step }) => (step === undefined ? type : `${type} ${step}`)) ?? [];
}

/** The lane entries that its stuck steps are stuck with: of the step that is meant, or of all. */
async function lettersOf(live: Live, stored: Instance, { step }: SagaArgs): Promise<readonly LaneEntry[]> {
  const dead = Object.entries(stored.steps).flatMap(([name, { status, dead: command }]) =>
    status === "stuck" && command !== undefined && (step === undefined || step === name) ? [command] : [],
  );
  const found: LaneEntry[] = [];
  for (const command of dead) {
    const letter = await letterOf(live, command);
    if (letter !== undefined) found.push(letter);
  }
  return found;
}

async function letterOf({ running }: Live, command: string): Promise<LaneEntry | undefined> {
  const { inspect } = running.engine;
  const record = await inspect.event(command);
  if (record === undefined) return undefined;
  const { type, key, topic, offset } = record;
  // An edit gives it another id; its place in the log stays.
  const letters = await inspect.entries({ event: { type, key, topic }, limit: pageMax });
  return letters.find((letter) => letter.record.offset === offset);
}

interface Steering {
  readonly declared: SagaDeclaration;
  readonly stored: Instance;
  readonly asked: Steer;
  readonly letters: readonly LaneEntry[];
  readonly act: Act;
}

/** Each part can be done again: the same act is the same command, and what is redriven or skipped already is left alone. */
async function steer({ app, running }: Live, { declared, stored, asked, letters, act }: Steering): Promise<boolean> {
  const { operate } = running.engine;
  const entries = letters.filter(({ state }) => state === "dead").map(({ entry }) => entry);
  const retried = asked.redriven === true;
  if (retried && entries.length > 0) await running.lanesChanged((await operate.redrive(entries, act)).lanes);
  const { instance, actor } = asked;
  const seed = seedOf(declared.own.name, JSON.stringify(asked));
  const id = deriveId({ source: declared.own.name, id: instance, time: stored.started }, seed, 0);
  const operation = await app.send(declared.own.steer(asked), { id, actor, waitFor: "handled", timeout: "10s" });
  const { state, refused, detail } = operation;
  // The dead letter was faster than the news that it runs again.
  if (state === "refused" && !retried)
    throw new Failure("CONFLICT", `saga ${declared.plan.name} ${instance}: ${detail ?? refused}`);
  if (state === "failed") throw new Failure("CONFLICT", `saga ${declared.plan.name} ${instance}: ${detail}`);
  if (state === "accepted")
    throw new Failure(
      "WAIT_TIMEOUT",
      `saga ${declared.plan.name} ${instance}: the act is stored, and not done within 10 s`,
    );
  // What will not be done any more must not hold its lane.
  if (!retried && entries.length > 0) await running.lanesChanged((await operate.skip(entries, act)).lanes);
  return true;
}
