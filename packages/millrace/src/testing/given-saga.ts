import { changesBetween } from "../aggregate/changes.js";
import type { Subscription } from "../consumer/declaration.js";
import type { Handler } from "../consumer/handler.js";
import type { PartDeclaration } from "../consumer/part.js";
import { contractOfMessage, type EventName, type Message, type Received } from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import { type AnswerOutcome, parseReplyTo } from "../log/reply-to.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import type { SagaPlan } from "../saga/plan.js";
import { type Asked, Asking } from "./asked.js";
import { difference, shown } from "./difference.js";
import type { Effect } from "./expected.js";
import { type Arrival, givenTime, receivedMessage, storedMessage } from "./given-message.js";
import { type Collected, SceneContext } from "./scene-context.js";
import { SceneDocuments } from "./scene-documents.js";

/**
 * What a saga or process hears: an event, which replies to the command it sent last for that step; what became of a
 * command of that name without an event; or that time has passed.
 */
export type Happening =
  | Message<EventName, unknown>
  | { readonly command: string; readonly outcome: AnswerOutcome; readonly code?: string; readonly detail?: string }
  | { readonly elapsed: Duration };

/** A saga or process after what has happened, about to hear more. */
export interface GivenSaga<Instance> {
  when(happening: Happening): Asked<Instance>;
}

/** What a saga or process has done, and the instance it did it in. */
export interface SagaOutcome<State, Status extends string> {
  /** Commands, events and timers, in its order. Of a saga's own timers nothing is said: let time pass. */
  readonly effects: readonly Effect[];
  /** Undefined while there is no instance. */
  readonly state: State | undefined;
  readonly status: Status | undefined;
}

type Outcome = SagaOutcome<unknown, string>;

/** A saga or a process, as those who run it alone need it. */
export interface Played {
  readonly part: PartDeclaration;
  readonly documents: DocumentType<unknown>;
  /** Undefined for a process. */
  readonly plan: SagaPlan | undefined;
}

/** A saga or process on its own: its handlers are run one after the other, its instance is in memory. */
export class SagaScene implements GivenSaga<Outcome> {
  readonly #played: Played;
  readonly #events: readonly Happening[];

  constructor(played: Played, events: readonly Happening[]) {
    this.#played = played;
    this.#events = events;
  }

  when(happening: Happening): Asked<Outcome> {
    return new Asking(titleOf(happening), this.#after(happening));
  }

  async #after(happening: Happening): Promise<Outcome> {
    const once = await this.#play(happening);
    const again = await this.#play(happening);
    if (changesBetween(once, again).length > 0)
      throw new Error(`${this.#played.part.title} is not pure: played twice, it comes to\n${difference(once, again)}`);
    return once;
  }

  async #play(happening: Happening): Promise<Outcome> {
    const play = new Play(this.#played);
    for (const event of this.#events) await play.hear(event);
    return play.outcome(await play.hear(happening));
  }
}

interface Sent {
  readonly type: string;
  readonly replyTo: string;
}

interface Timer {
  readonly due: number;
  readonly message: Message<string, unknown>;
  readonly replyTo: string | undefined;
}

/** One run of a scene: its documents, commands and timers, and the time. */
class Play {
  readonly #played: Played;
  readonly #documents: SceneDocuments;
  readonly #subscriptions: readonly Subscription[];
  readonly #sent: Sent[] = [];
  readonly #timers = new Map<string, Timer>();
  #now = givenTime;
  #heard = 0;
  #key: string | undefined;

  constructor(played: Played) {
    this.#played = played;
    this.#documents = new SceneDocuments("given");
    this.#subscriptions = played.part.consumers.flatMap(({ subscriptions }) => subscriptions);
  }

  /** What is done because of it. */
  async hear(happening: Happening): Promise<readonly Effect[]> {
    if ("elapsed" in happening) return this.#pass(this.#now + durationMs(happening.elapsed, "elapsed"));
    if ("command" in happening) return this.#answer(happening);
    const subscription = this.#subscriptions.find(({ contract }) => contract === contractOfMessage(happening));
    if (subscription === undefined)
      throw new Error(`${this.#played.part.title} does not hear ${happening.type}; it hears ${this.#hears()}`);
    const { data } = storedMessage(happening);
    this.#know(String((data as Readonly<Record<string, unknown>>)[subscription.laneBy?.field ?? ""]));
    return this.#run(subscription, happening, this.#replyTo(happening));
  }

  outcome(effects: readonly Effect[]): Outcome {
    const key = this.#key;
    const instance = key === undefined ? undefined : this.#documents.get(this.#played.documents, key);
    const { state, status } = (instance ?? {}) as Partial<Outcome>;
    return { effects, state, status };
  }

  #know(key: string): void {
    this.#key ??= key;
    if (this.#key !== key)
      throw new Error(`${this.#played.part.title}: events of ${this.#key} and of ${key}; a test is about one instance`);
  }

  /** What a participant would have answered, whose handler was given the command. */
  #replyTo({ type }: Message<string, unknown>): string | undefined {
    const { plan } = this.#played;
    if (plan === undefined) return undefined;
    const answers = plan.stages.flat().filter(({ done, failed }) => [done, ...failed].some((one) => one.type === type));
    if (answers.length === 0) return undefined;
    const asked = this.#sent.findLast(({ replyTo }) => {
      const to = parseReplyTo(replyTo);
      return to?.undo === false && answers.some(({ name }) => name === to.step);
    });
    if (asked !== undefined) return asked.replyTo;
    if (type === plan.startsOn.type || plan.abortOn.some((one) => one.type === type)) return undefined;
    throw new Error(
      `${this.#played.part.title}: ${type} answers step ${answers.map(({ name }) => name).join(" or ")}, which has sent nothing yet`,
    );
  }

  #answer(answer: Extract<Happening, { command: string }>): Promise<readonly Effect[]> {
    const sent = this.#sent.findLast(({ type }) => type === answer.command);
    const to = parseReplyTo(sent?.replyTo);
    if (to === undefined) {
      const all = [...new Set(this.#sent.map(({ type }) => type))].join(", ") || "nothing";
      throw new Error(`${this.#played.part.title} has not sent ${answer.command}; it has sent ${all}`);
    }
    const { instance, step, undo, number, topic } = to;
    const subscription = this.#own(`${topic}.answered`);
    const data = { instance, step, undo, number, commandId: `command-${number}`, ...answer };
    return this.#run(subscription, (subscription.contract as unknown as Makes)(data));
  }

  /** Timers fire in the order in which they are due, each at its time. */
  async #pass(until: number): Promise<readonly Effect[]> {
    const effects: Effect[] = [];
    for (;;) {
      const [next] = [...this.#timers].filter(([, { due }]) => due <= until).sort(([, a], [, b]) => a.due - b.due);
      if (next === undefined) break;
      const [name, { due, message, replyTo }] = next;
      this.#timers.delete(name);
      this.#now = due;
      const own = this.#subscriptions.find(({ contract }) => contract.type === message.type && isOwn(message.type));
      if (own !== undefined) effects.push(...(await this.#run(own, message)));
      else {
        effects.push(message);
        this.#keep(message, replyTo);
      }
    }
    this.#now = until;
    return effects;
  }

  async #run({ contract, handler }: Subscription, message: Message<string, unknown>, replyTo?: string) {
    this.#heard += 1;
    const arrival: Arrival = { time: new Date(this.#now), number: this.#heard };
    const event: Received<string, unknown> = receivedMessage(storedMessage(message), arrival);
    const host = { documents: this.#documents, now: this.#now, emits: undefined, replyTo };
    const ctx = new SceneContext(host, event);
    if (handler === undefined) throw new Error(`${contract.type} has no handler`);
    try {
      await (handler as Handler)(event, ctx);
    } finally {
      ctx.close();
    }
    this.#documents.commit(ctx.effects.documents ?? []);
    return ctx.collected.flatMap((one) => this.#collect(one));
  }

  #collect({ effect, replyTo, name }: Collected): readonly Effect[] {
    if ("cancel" in effect) {
      this.#timers.delete(effect.cancel);
      const wake = wakeOf(effect.cancel);
      return this.#played.plan !== undefined || wake === "" ? [] : [{ cancel: wake }];
    }
    if ("type" in effect) {
      this.#keep(effect, replyTo);
      return [effect];
    }
    if (!("message" in effect)) return [effect];
    const { after, message } = effect;
    this.#timers.set(name ?? `#${this.#heard}/${this.#timers.size}`, {
      due: this.#now + durationMs(after, "after"),
      message,
      replyTo,
    });
    if (!isOwn(message.type)) return [effect];
    const wake = (message.data as { readonly step: string }).step;
    return wake === "" ? [] : [{ after, wake }];
  }

  #keep({ type }: Message<string, unknown>, replyTo: string | undefined): void {
    if (replyTo !== undefined) this.#sent.push({ type, replyTo });
  }

  #own(type: string): Subscription {
    return this.#subscriptions.find(({ contract }) => contract.type === type) as Subscription;
  }

  #hears(): string {
    const types = this.#subscriptions.map(({ contract }) => contract.type);
    return types.filter((type) => !isOwn(type)).join(", ");
  }
}

type Makes = (data: unknown) => Message<string, unknown>;

/** Of the topic that a saga or process has for itself. */
function isOwn(type: string): boolean {
  return /^(?:saga|process)-[^.]+\.(?:due|answered)$/.test(type);
}

/** The name of a wake in that of its timer: own topic / wake / instance. */
function wakeOf(timer: string): string {
  return timer.split("/")[1] ?? "";
}

function titleOf(happening: Happening): string {
  if ("elapsed" in happening) return `${happening.elapsed} later`;
  if ("command" in happening) return `${happening.command} ${happening.outcome}`;
  return `${happening.type} ${shown(happening.data)}`;
}
