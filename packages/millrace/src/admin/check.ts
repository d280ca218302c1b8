import type { SagaSummary } from "./saga-reads.js";
import type { ConsumerStanding } from "./standing.js";

/** What is still fine. */
export interface Thresholds {
  readonly lagMs: number;
  readonly deadLetters: number;
}

/** Something that is not as it should be. */
export interface Problem {
  readonly consumer: string;
  readonly type: "blocked" | "paused" | "stopped" | "stalled" | "lag" | "stuck";
  /** One sentence for people. */
  readonly sentence: string;
  /** False when it is within the thresholds, and only worth knowing. */
  readonly exceeded: boolean;
}

const order: readonly Problem["type"][] = ["blocked", "paused", "stopped", "stalled", "lag"];

/** What is wrong, the first cause first: what exceeds a threshold, then what blocks, is paused, stopped, stalled, behind. */
export function problemsOf(standings: readonly ConsumerStanding[], thresholds: Thresholds): readonly Problem[] {
  return standings
    .flatMap((standing) => problemOf(standing, thresholds) ?? [])
    .sort((a, b) => Number(b.exceeded) - Number(a.exceeded) || order.indexOf(a.type) - order.indexOf(b.type));
}

/** Instances of sagas that wait for an operator, a sentence for each saga. */
export function stuckSagas(stuck: readonly SagaSummary[]): readonly Problem[] {
  const sagas = new Map<string, SagaSummary[]>();
  for (const one of stuck)
    sagas.set(`${one.service}.${one.saga}`, [...(sagas.get(`${one.service}.${one.saga}`) ?? []), one]);
  return [...sagas].map(([consumer, [first, ...others]]) => {
    const { saga, key, current } = first as SagaSummary;
    const more = others.length === 0 ? "" : `, and ${others.length} more`;
    const sentence = `saga ${saga} is stuck at ${key} (${current.join(", ")})${more}: see millrace sagas ls ${saga} --status stuck`;
    return { consumer, type: "stuck", sentence, exceeded: true };
  });
}

function problemOf(standing: ConsumerStanding, { lagMs, deadLetters }: Thresholds): Problem | undefined {
  const { consumer, verdict, reason, dead } = standing;
  const late = (standing.lagMs ?? 0) > lagMs;
  const lag = late ? `; ${seconds(standing.lagMs)} behind, ${seconds(lagMs)} allowed` : "";
  const letters = dead > deadLetters ? `; ${dead} dead letter${dead === 1 ? "" : "s"}, ${deadLetters} allowed` : "";
  const exceeded = late || dead > deadLetters;
  const say = (type: Problem["type"], text: string, always = false): Problem => ({
    consumer,
    type,
    sentence: `${consumer} ${text}${letters}${lag}`,
    exceeded: always || exceeded,
  });
  switch (verdict) {
    case "blocked":
      return say("blocked", `is blocked by ${reason}`);
    case "paused":
      return say("paused", `is paused ${reason}`);
    case "stopped":
      return say("stopped", `has stopped: ${reason}`, true);
    case "stalled":
      return say("stalled", `stands still: it ${reason}`, true);
    default:
      return exceeded ? say("lag", `is behind by ${standing.lagRecords} events`) : undefined;
  }
}

function seconds(ms: number | undefined): string {
  return `${Math.round((ms ?? 0) / 100) / 10} s`;
}
