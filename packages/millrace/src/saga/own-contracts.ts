import type { Contract, Topic } from "../contract/contract.js";
import { command, event } from "../contract/event.js";
import { plainSchema } from "../contract/plain-schema.js";
import { topic } from "../contract/topic.js";
import { type AnswerOutcome, answerPartitions } from "../log/reply-to.js";

/** What became of a command that an instance sent. Written by the consumer of the command, in its commit. */
export interface Answered {
  readonly instance: string;
  readonly step: string;
  readonly undo: boolean;
  readonly number: number;
  readonly command: string;
  readonly commandId: string;
  readonly outcome: AnswerOutcome;
  readonly code?: string;
  readonly detail?: string;
}

/** A timer of an instance is due. */
export interface Due {
  readonly instance: string;
  /** The step it is of; empty when it is of the whole instance. */
  readonly step: string;
  /** When it was to be due, ms since the epoch: an older timer of the step is told by it. */
  readonly due: number;
}

/** What operators may do with an instance. */
export type SteerVerb = "retry" | "skip" | "compensate" | "force";

/** An operator's act on an instance. `seen` is how many transitions it had when the operator looked. */
export interface Steer {
  readonly instance: string;
  readonly verb: SteerVerb;
  readonly seen: number;
  readonly step?: string;
  /** retry: the dead letter runs again. compensate: also past the point of no return. */
  readonly redriven?: boolean;
  readonly past?: boolean;
  /** force: as what it ends. */
  readonly end?: "completed" | "aborted";
  readonly actor: string;
  readonly reason: string;
}

/** The events and commands that a saga or process has for itself. */
export interface OwnContracts {
  /** Also the first part of the `replyto` of its commands. */
  readonly name: string;
  readonly topic: Topic<{
    readonly answered: Contract<string & `${string}.${string}`, Answered>;
    readonly due: Contract<`${string}.${string}`, Due>;
  }>;
  readonly steer: Contract<string, Steer>;
}

const text = { type: "string" };
const count = { type: "integer", minimum: 0 };
const keyText = { type: "string", minLength: 1 };

function object<T>(
  properties: Record<keyof T, object>,
  required: readonly (keyof T)[],
): ReturnType<typeof plainSchema<T>> {
  return plainSchema<T>({ type: "object", properties, required, additionalProperties: true });
}

const answered = object<Answered>(
  {
    instance: keyText,
    step: text,
    undo: { type: "boolean" },
    number: count,
    command: text,
    commandId: text,
    outcome: { enum: ["handled", "refused", "dead", "skipped"] },
    code: text,
    detail: text,
  },
  ["instance", "step", "undo", "number", "command", "commandId", "outcome"],
);
const due = object<Due>({ instance: keyText, step: text, due: { type: "number" } }, ["instance", "step", "due"]);
const steer = object<Steer>(
  {
    instance: keyText,
    verb: { enum: ["retry", "skip", "compensate", "force"] },
    seen: count,
    step: text,
    redriven: { type: "boolean" },
    past: { type: "boolean" },
    end: { enum: ["completed", "aborted"] },
    actor: text,
    reason: text,
  },
  ["instance", "verb", "seen", "actor", "reason"],
);

/** Names that nobody else has: a topic of its own, readable by its service alone, and a command for operators. */
export function ownContracts(kind: "saga" | "process", name: string): OwnContracts {
  const own = `${kind}-${name}`;
  return {
    name: own,
    topic: topic(own, {
      key: "instance",
      partitions: answerPartitions,
      retention: "30d",
      internal: true,
      events: { answered: event(`${own}.answered`, answered), due: event(`${own}.due`, due) },
    }),
    steer: command(`steer-${own}`, steer, { key: "instance" }),
  };
}

/** What nobody else has to know of. */
export function innerTypes({ topic: { answered, due }, steer }: OwnContracts): readonly string[] {
  return [answered.type, due.type, steer.type];
}

/** The name of an instance's timer of one step: names of timers are the whole service's. */
export function timerName({ name }: OwnContracts, key: string, step: string): string {
  return `${name}/${step}/${key}`;
}
