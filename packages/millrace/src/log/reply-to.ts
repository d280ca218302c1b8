import { type Cause, deriveId, seedOf } from "../runtime/ids.js";
import type { LogRecord, NewRecord } from "./log.js";
import { partitionOf } from "./murmur2.js";

/** Who sent a command and is to hear what becomes of it. Travels in `headers.replyto`. */
export interface ReplyTo {
  /** The internal topic of the pattern that sent it. */
  readonly topic: string;
  readonly instance: string;
  /** Which of the instance's commands it is. */
  readonly step: string;
  readonly undo: boolean;
  readonly number: number;
}

// replyto = topic "/" step "/" ( "do" / "undo" ) "/" number "/" instance
const form = /^([^/]+)\/([^/]+)\/(do|undo)\/(\d+)\/(.+)$/su;

/** As a header. */
export function formatReplyTo({ topic, instance, step, undo, number }: ReplyTo): string {
  return `${topic}/${step}/${undo ? "undo" : "do"}/${number}/${instance}`;
}

/** The inverse of {@link formatReplyTo}; undefined for what has another form. */
export function parseReplyTo(text: string | undefined): ReplyTo | undefined {
  const [, topic, step, what, number, instance] = (text === undefined ? null : form.exec(text)) ?? [];
  if (topic === undefined || step === undefined || instance === undefined) return undefined;
  return { topic, instance, step, undo: what === "undo", number: Number(number) };
}

/** Every topic that takes answers has so many partitions: whoever answers knows them. */
export const answerPartitions = 12;

/** What became of a command: refused by its handler, given up on, or skipped by an operator after that. */
export type AnswerOutcome = "handled" | "refused" | "dead" | "skipped";

/** What became of a command, for the pattern that sent it. */
export interface Answer {
  readonly outcome: AnswerOutcome;
  readonly code?: string;
  readonly detail?: string;
}

/** Who answers, and when. */
export interface Answering {
  readonly service: string;
  readonly generation: number;
  readonly now: number;
  /** How often the command was redriven: it may die more than once. */
  readonly redrives: number;
}

const detailMax = 1_000;

/**
 * The record that tells who sent a command what became of it, for the commit in which it becomes that; undefined when
 * nobody is to hear it. A success is only told of a command that takes another back: others are answered by events.
 */
export function answerTo(command: LogRecord, answer: Answer, by: Answering): NewRecord | undefined {
  // Events of a command's handler carry the header too: they are the reply.
  const to = command.type.includes(".") ? undefined : parseReplyTo(command.headers?.replyto);
  if (to === undefined || (answer.outcome === "handled" && !to.undo)) return undefined;
  const { topic, instance, step, undo, number } = to;
  const { outcome, code, detail } = answer;
  const cause: Cause = command;
  return {
    topic,
    partition: partitionOf(instance, answerPartitions),
    id: deriveId(cause, seedOf(by.service, by.generation, `#answer ${outcome}`), by.redrives),
    source: by.service,
    type: `${topic}.answered`,
    version: 1,
    key: instance,
    time: by.now,
    correlationId: command.correlationId,
    causationId: command.id,
    hops: command.hops + 1,
    headers: undefined,
    data: JSON.stringify({
      instance,
      step,
      undo,
      number,
      command: command.type,
      commandId: command.id,
      outcome,
      ...(code === undefined ? {} : { code: code.slice(0, detailMax) }),
      ...(detail === undefined ? {} : { detail: detail.slice(0, detailMax) }),
    }),
    named: false,
    offset: -1,
  };
}
