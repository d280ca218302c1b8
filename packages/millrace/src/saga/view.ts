import type { Fact, Instance, SagaStatus, StepStatus } from "./instance.js";

/** An instance of a saga, as people and programs read it. Times are ISO 8601. */
export interface SagaInstance<State = unknown> {
  readonly saga: string;
  readonly key: string;
  readonly status: SagaStatus;
  readonly state: State;
  /** Names of the steps that are under way or stuck. */
  readonly current: readonly string[];
  readonly steps: readonly SagaStep[];
  /** Why it takes back what it did. */
  readonly why?: string;
  /** What happened to it, with the event that made it happen. Of a long one, the middle is left out. */
  readonly history: readonly SagaTransition[];
  /** Transitions in all. */
  readonly transitions: number;
  readonly timers: readonly SagaTimer[];
  readonly started: string;
  readonly changed: string;
  readonly ended?: string;
}

/** A step of one instance that something has happened to. */
export interface SagaStep {
  readonly name: string;
  readonly status: StepStatus;
  /** Commands so far, undoing ones included. */
  readonly tries: number;
  readonly failures: number;
  readonly why?: string;
  /** The command that is a dead letter. */
  readonly dead?: string;
  /** Its timeout is over, and it is still waited for. */
  readonly overdue?: true;
}

/** What happened, when, and by which event. */
export interface SagaTransition extends Omit<Fact, "due"> {
  readonly at: string;
  readonly event: string;
}

/** What an instance waits for. */
export interface SagaTimer {
  readonly what: "timeout" | "retry" | "removal";
  readonly step?: string;
  readonly due: string;
}

/** A stored instance for readers. */
export function instanceView<State>(saga: string, instance: Instance): SagaInstance<State> {
  const { key, status, state, steps, why, history, seen, started, changed, ended, removal } = instance;
  const named = Object.entries(steps);
  const timers = named.flatMap(([step, { status: at, due }]): SagaTimer[] =>
    due === undefined ? [] : [{ what: at === "sent" ? "timeout" : "retry", step, due: iso(due) }],
  );
  return {
    saga,
    key,
    status,
    state: state as State,
    current: named.filter(([, step]) => underWay.has(step.status)).map(([name]) => name),
    steps: named.map(([name, { sent: _, due: __, undo: ___, ...step }]) => ({ name, ...step })),
    ...(why === undefined ? {} : { why }),
    history: history.map(({ at, due: _, ...transition }) => ({ ...transition, at: iso(at) })),
    transitions: seen,
    timers: [...timers, ...(removal === undefined ? [] : [{ what: "removal" as const, due: iso(removal) }])],
    started: iso(started),
    changed: iso(changed),
    ...(ended === undefined ? {} : { ended: iso(ended) }),
  };
}

const underWay: ReadonlySet<StepStatus> = new Set(["sent", "again", "stuck", "undoing", "undo-again"]);

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
